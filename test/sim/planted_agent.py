"""Planted faults of the agent: the order of its durable steps, its calls, and time."""

from __future__ import annotations

from sim.mutating import Edit, mutation

DAEMON = "pulp_agent.daemon:Agent"
DESK = "pulp_agent.desk:Desk"
INTAKE = "pulp_agent.intake:Intake"
EXECUTION = "pulp_agent.execution:Execution"
JUDGE = "pulp_agent.judging:Judge"
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
            "self.desk.append(Began(id=call.id, at=at, overrode=overrode, boot=boot))",
            "self.desk.append(Began(id=call.id, at=at, overrode=overrode, boot=boot), sync=False)",
        ),
    ),
    mutation(
        3,
        "work is started without a record",
        Edit(
            f"{EXECUTION}._start",
            "self.desk.append(Began(id=call.id, at=at, overrode=overrode, boot=boot))",
            "self.desk.table.apply(Began(id=call.id, at=at, overrode=overrode, boot=boot))",
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
            "pulp_agent.agenda:Agenda.line_up",
            "self._turns[call.id] = call.order\nheappush(self._queues[_queue(call)], (call.order, call.id))",
            "self._turns[call.id] = -call.order\nheappush(self._queues[_queue(call)], (-call.order, call.id))",
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
            "pulp_agent.finals:final_of_lost",
            'event.decision == "cancel"',
            'event.decision in ("cancel", "commit")',
        ),
    ),
    mutation(
        4,
        "a held call is not canceled",
        Edit(
            f"{INTAKE}.cancel",
            "elif call is not None and call.phase is Phase.WAITING:\nself._execution.withdraw(call)",
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
            "pulp_agent.gate:judge",
            "return Wait(min(window.begin, closes), window.begin)",
            "return Wait(min(window.begin - 1000, closes), window.begin - 1000)",
        ),
    ),
    mutation(
        7,
        "a window is still open at its end",
        Edit("pulp_agent.gate:judge", "now >= last:", "now >= last + 5000:"),
        Edit("pulp_agent.gate:judge", "min(closes, last)", "min(closes, last + 5000)"),
    ),
    mutation(
        7,
        "a call that has expired is started",
        Edit("pulp_agent.gate:judge", "if now > expires:", "if now > expires and window:"),
    ),
    mutation(
        7,
        "a used window opens again when the clock steps back",
        Edit("pulp_agent.gate:judge", "spent or now >= last", "now >= last"),
        elsewhere="rarely met here: test_a_step_back_of_the_clock_does_not_open_a_used_opening_again",
    ),
    mutation(
        7,
        "the server's clock decides windows",
        Edit(f"{JUDGE}.verdict", "now=self._desk.at.wall", "now=self._desk.server_now"),
    ),
    mutation(
        7,
        "what had not begun is resumed after its window",
        Edit(f"{EXECUTION}._go_on", 'event.decision == "commit" or', "True or"),
        elsewhere="rarely met here: test_an_execution_that_died_unchanged_after_its_window_is_carried_over",
    ),
    mutation(
        7,
        "work that is late when it is ready is done all the same",
        Edit("pulp_agent.job:SpoolJob.begin_commit", '"late" if self._late() else', '"commit" or'),
    ),
    mutation(
        7,
        "runs outside the window: what was carried over starts at once",
        Edit(
            f"{EXECUTION}._place",
            "if not self._missing.carry_over(call):",
            "if self._missing.carry_over(call):\n"
            "    self._agenda.line_up(call, call.expires)\n"
            "    self._start(call)\n"
            "    return False\n"
            "else:",
        ),
    ),
    mutation(
        7,
        "runs outside the window: the cutoff is not kept",
        Edit(
            "pulp_agent.gate:commit_before",
            "return window.end if window.cutoff_at is None else window.cutoff_at",
            "return window.end",
        ),
    ),
    mutation(
        7,
        "runs outside the window: freezes are forgotten when a call is carried over",
        Edit(
            f"{JUDGE}.next_opening",
            "self._finder.find(window.calendar,",
            "self._finder.find(type(window.calendar)(windows=window.calendar.windows),",
        ),
        elsewhere="rarely met here: test_freezes_are_kept_when_a_call_is_carried_over",
    ),
    mutation(
        7,
        "runs outside the window: a grace without end",
        Edit("pulp_agent.gate:latest_end", "window.end + window.grace", "window.end + 90_000_000"),
        elsewhere="rarely met here: test_a_grace_lets_a_start_happen_after_the_end",
    ),
    mutation(
        7,
        "the host's own windows are not kept for what was accepted before",
        Edit(f"{JUDGE}.verdict", "allowed=self._allowed(call, expected)", "allowed=None"),
        elsewhere="rarely met here: test_a_window_that_begins_earlier_waits_for_the_hosts_own",
    ),
    mutation(
        7,
        "the host's own windows are forgotten at a compaction",
        Edit("pulp_agent.hours:Hours.snapshot", "if self.keep is not None:", "if False:"),
        elsewhere="rarely met here: test_the_calendar_is_kept_across_lives_and_the_newest_plan_wins",
    ),
    mutation(
        7,
        "a carried call goes back to its first opening at a compaction",
        Edit(
            "pulp_agent.calls:_history",
            "if call.plan != call.request.plan or call.window != call.request.window:",
            "if call.plan != call.request.plan:",
        ),
    ),
    mutation(
        7,
        "a call is not looked at again when its turn comes",
        Edit(f"{EXECUTION}._fill", "if self._place(call):", "if True:"),
        elsewhere="rarely met here: test_an_override_is_of_no_use_after_its_time",
    ),
)
