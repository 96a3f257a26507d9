"""Planted faults of the agent: the order of its durable steps, its calls, and time."""

from __future__ import annotations

from sim.mutating import Edit, mutation

DAEMON = "pulp_agent.daemon:Agent"
DESK = "pulp_agent.desk:Desk"
INTAKE = "pulp_agent.intake:Intake"
EXECUTION = "pulp_agent.execution:Execution"
TABLE = "pulp_agent.calls:CallTable"
CORE = "pulp_agent.core:Core"

AGENT_ORDER = (
    mutation(
        3,
        "commands are done before the journal is written",
        Edit(
            f"{DAEMON}._drain",
            "if commands and self._write(commands):\nself._do_all(commands)",
            "if commands:\n    self._do_all(commands)\n    self._write(commands)",
        ),
    ),
    mutation(
        3,
        "a journal that cannot be written holds nothing up",
        Edit(f"{DAEMON}._write", "return False", "return True"),
    ),
    mutation(
        3,
        "the journal is not synced",
        Edit(f"{DAEMON}._write", "sync=any(a.sync for a in appends)", "sync=False"),
    ),
    mutation(
        3,
        "a request is accepted unsynced",
        Edit(
            f"{INTAKE}._take",
            "self._desk.append(Took(request=own, at=self._desk.at.wall))",
            "self._desk.append(Took(request=own, at=self._desk.at.wall), sync=False)",
        ),
    ),
    mutation(
        3,
        "work is started unsynced",
        Edit(
            f"{EXECUTION}._start",
            "self.desk.append(Began(id=call.id, at=self.desk.at.wall))",
            "self.desk.append(Began(id=call.id, at=self.desk.at.wall), sync=False)",
        ),
    ),
    mutation(
        3,
        "work is started without a record",
        Edit(
            f"{EXECUTION}._start",
            "self.desk.append(Began(id=call.id, at=self.desk.at.wall))",
            "self.desk.table.apply(Began(id=call.id, at=self.desk.at.wall))",
        ),
    ),
    mutation(
        3,
        "an answer is told unsynced",
        Edit(
            f"{DESK}.end",
            "self.append(Ended(final=final, at=self.at.wall))",
            "self.append(Ended(final=final, at=self.at.wall), sync=False)",
        ),
    ),
    mutation(
        3,
        "a cancel that overtakes its request leaves no tombstone",
        Edit(
            f"{INTAKE}.cancel",
            "if call is None and not self._desk.table.knows(call_id):\nself._desk.end(",
            "if call is None and not self._desk.table.knows(call_id):\n    self._desk.send(",
        ),
    ),
    mutation(
        3,
        "an answer is forgotten when it is sent",
        Edit(
            f"{DESK}.end",
            "self.send(final)",
            "self.send(final)\nself.out.append(ForgetJobs([final.id]))",
        ),
        Edit(
            f"{DESK}.end",
            "final = fit(final)",
            "from pulp_agent.events import ForgetJobs\nfinal = fit(final)",
        ),
    ),
    mutation(
        3,
        "answers are not told again at the welcome",
        Edit(
            f"{CORE}._welcome",
            "for call in self.table.open.values():",
            "for call in [c for c in self.table.open.values() if c.final is None]:",
        ),
    ),
    mutation(
        3,
        "the hello claims more of the journal than is synced",
        Edit(f"{CORE}._hello", "journal_seq=journal_seq", "journal_seq=journal_seq + 1"),
    ),
)

AGENT_CALLS = (
    mutation(
        3,
        "a confirmed call leaves no tombstone",
        Edit(
            f"{TABLE}.knows",
            "return call_id in self.open or call_id in self.tombstones",
            "return call_id in self.open",
        ),
    ),
    mutation(
        3,
        "compaction drops the tombstones",
        Edit(
            f"{TABLE}.snapshot",
            "for call_id, tombstone in self.tombstones.items():",
            "for call_id, tombstone in list(self.tombstones.items())[:0]:",
        ),
    ),
    mutation(
        3,
        "compaction forgets that a call has begun",
        Edit("pulp_agent.calls:_history", "if call.started is not None:", "if call.attempt:"),
    ),
    mutation(
        3,
        "what was running at a crash is not taken up",
        Edit(f"{EXECUTION}.begin", "self.desk.out.append(AdoptJob(call.id))", "pass"),
    ),
    mutation(
        3,
        "what was running at a crash is started anew",
        Edit(
            f"{EXECUTION}.begin",
            "self.desk.out.append(AdoptJob(call.id))",
            "self._launch(call, resumed=False)",
        ),
    ),
    mutation(
        3,
        "a resumed execution is not told so",
        Edit(f"{EXECUTION}._resume", "resumed=True", "resumed=False"),
    ),
    mutation(
        3,
        "calls that change the host run beside one another",
        Edit("pulp_agent.lane:Lanes.admits", "return self._host is None", "return True"),
    ),
    mutation(
        3,
        "the newest call runs first",
        Edit(
            f"{EXECUTION}.pump",
            "for call in self.desk.table.in_phase(Phase.WAITING):",
            "for call in reversed(self.desk.table.in_phase(Phase.WAITING)):",
        ),
    ),
    mutation(
        3,
        "an ended call is answered anew by a cancel",
        Edit(
            f"{INTAKE}.cancel",
            "elif call is not None and call.phase is Phase.WAITING:",
            "elif call is not None and call.phase is not Phase.RUNNING:",
        ),
    ),
    mutation(
        4,
        "an execution that died after its commit counts as canceled",
        Edit(
            "pulp_agent.execution:_final_of_lost",
            'event.decision == "cancel"',
            'event.decision in ("cancel", "commit")',
        ),
    ),
    mutation(
        4,
        "a held call is not canceled",
        Edit(
            f"{INTAKE}.cancel",
            "elif call is not None and call.phase is Phase.WAITING:\nself._desk.end(Canceled(id=call_id))",
            "elif call is not None and call.phase is Phase.WAITING:\n    self._desk.tell(call)",
        ),
    ),
    mutation(
        8,
        "what a request needs is not looked at",
        Edit("pulp.rmi.checks:check_request", "_check_needs(request, features)", "pass"),
    ),
    mutation(
        8,
        "arguments are not looked at",
        Edit(
            "pulp.rmi.checks:_read_args",
            "raise _bad_arguments(error, raw) from error",
            "return method.args.__new__(method.args)",
        ),
    ),
    mutation(
        8,
        "what cannot be read is dropped",
        Edit(f"{INTAKE}.unreadable", "if error.call_id is None:", "if True:"),
    ),
)

AGENT_TIME = (
    mutation(
        7,
        "a window opens a second early",
        Edit("pulp_agent.gate:judge", "now < window.begin:", "now < window.begin - 1000:"),
        Edit(
            "pulp_agent.gate:judge", "return Wait(window.begin)", "return Wait(window.begin - 1000)"
        ),
    ),
    mutation(
        7,
        "a window is still open at its end",
        Edit("pulp_agent.gate:judge", "now >= window.end)", "now > window.end + 5000)"),
    ),
    mutation(
        7,
        "a call that has expired is started",
        Edit("pulp_agent.gate:judge", "if now > expires:", "if now > expires and window:"),
    ),
    mutation(
        7,
        "a used window opens again when the clock steps back",
        Edit("pulp_agent.gate:judge", "(spent or now >= window.end)", "(now >= window.end)"),
    ),
    mutation(
        7,
        "the server's clock decides windows",
        Edit(f"{EXECUTION}._judge", "now = self.desk.at.wall", "now = self.desk.server_now"),
    ),
    mutation(
        7,
        "what had not begun is resumed after its window",
        Edit(f"{EXECUTION}._not_now", 'event.decision == "commit" or', "True or"),
    ),
)
