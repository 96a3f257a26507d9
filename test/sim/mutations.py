"""Planted faults: subtle ones for each invariant, and each durable step left out or swapped with its neighbour."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from sim.mutating import Edit, Entry, mutation

FIFO = "pulp.server.tasking.fifo:FIFOQueue"
REPLIES = "pulp.server.async_.replies:ReplyListener"
APPLYING = "pulp.server.async_.applying:Applying"
RECEPTION = "pulp.server.async_.reception:Reception"
HELLO = "pulp.server.async_.hello:_Comparison"
GATEWAY = "pulp.server.async_.gateway:Gateway"
SCHEDULER = "pulp.server.tasking.scheduler:Scheduler"
DAEMON = "pulp_agent.daemon:Agent"
DESK = "pulp_agent.desk:Desk"
INTAKE = "pulp_agent.intake:Intake"
EXECUTION = "pulp_agent.execution:Execution"
TABLE = "pulp_agent.calls:CallTable"
CORE = "pulp_agent.core:Core"


def _move(state: str, event: str, to: str, verdict: str) -> Entry:
    """A wrong entry in the server's table of a call's moves."""

    def key(module: ModuleType) -> Any:
        return module.CallState[state], module.Event[event]

    def value(module: ModuleType) -> Any:
        return module.Step(module.CallState[to], module.Verdict[verdict])

    return Entry("pulp.rmi.call:MOVES", key, value)


SERVER_ORDER = (
    mutation(
        1,
        "replies are settled before they are committed",
        Edit(
            f"{REPLIES}.step",
            "self._batch(segment, now)",
            "self._bus.settle([e for e in segment if not isinstance(e, Gone)])\n"
            "self._batch(segment, now)",
        ),
    ),
    mutation(
        1,
        "a profile is settled before it is committed",
        Edit(f"{REPLIES}._batch", "future.result()", "future.done()"),
    ),
    mutation(
        1,
        "a request is sent inside the job that stores it",
        Edit(
            f"{FIFO}._fire",
            "return uow.tasks.save(",
            "self._gateway.send([sent])\nreturn uow.tasks.save(",
        ),
    ),
    mutation(
        1,
        "a call is sent and its task stays queued",
        Edit(f"{FIFO}._fire", "phase=SENT,", "phase=task.record.phase,"),
        Edit(f"{FIFO}._run", "record.phase == SENT", "record.call"),
    ),
    mutation(
        1,
        "a cancel goes out before it is committed",
        Edit(f"{FIFO}.cancel", "uow.after_commit(ask)", "self._gateway.cancel(record)"),
    ),
    mutation(
        1,
        "the welcome goes out before the hello is committed",
        Edit(
            f"{RECEPTION}.welcome",
            "session = self._open(peer, consumer, hello)",
            "session = self._open(peer, consumer, hello)\n"
            "self._bus.send(peer, [outgoing.message(self._welcome(now))])",
        ),
    ),
    mutation(
        1,
        "a renewed certificate goes out before it is committed",
        Edit(
            f"{RECEPTION}.renew",
            "future.add_done_callback(lambda done: self._hand_over(session, certificate, done))",
            "self._bus.send(session.peer, [outgoing.message(Renewed(certificate=certificate, ca=[]))])",
        ),
    ),
    mutation(
        1,
        "what was not accepted is not sent again at the hello",
        Edit(f"{HELLO}._never_accepted", "self._say.resend.append(record)", "pass"),
    ),
    mutation(
        1,
        "calls that are over at the server are not called off at the hello",
        Edit(f"{HELLO}._known_to_agent_only", 'call.state != "done"', 'call.state == "held"'),
    ),
    mutation(
        1,
        "a batch that could not be stored is not taken up again",
        Edit(f"{REPLIES}.step", "self._inbox.put_back(events)", "pass"),
    ),
    mutation(
        1,
        "an unknown call that was only sent counts as lost",
        _move("SENT", "UNKNOWN", "ENDED", "LOST"),
    ),
    mutation(
        1,
        "only the first reply of a batch is applied",
        Edit(f"{APPLYING}.apply", "for message in messages:", "for message in messages[:1]:"),
    ),
)

SERVER_TASKS = (
    mutation(
        2,
        "a repeated request has another plan number",
        Edit(
            "pulp.server.async_.outgoing:request",
            "plan=record.plan,",
            "plan=record.plan + int(new_id()[0], 16),",
        ),
    ),
    mutation(
        2,
        "a repeated request has an id of its own",
        Edit(
            "pulp.server.async_.outgoing:request",
            " id=record.id,",
            " id=record.id if record.revision < 4 else new_id(),",
        ),
    ),
    mutation(4, "a final ends an ended task again", _move("ENDED", "FINAL", "ENDED", "ENDED")),
    mutation(
        4, "what is lost later moves an ended task", _move("ENDED", "UNKNOWN", "ENDED", "LOST")
    ),
    mutation(
        4,
        "a too-late changes an ended task",
        Edit(
            "pulp.server.async_.applying:_refuses",
            "return asked and not record.state.final",
            "return asked",
        ),
    ),
    mutation(
        4,
        "a different late final counts as a repetition",
        Edit(
            "pulp.server.async_.applying:says_the_same",
            "return record.error is not None and record.error.code == final.code",
            "return record.error is not None",
        ),
    ),
    mutation(
        4,
        "an orphan's result is dropped",
        Edit(
            f"{APPLYING}._keep_orphans",
            "isinstance(message, FINALS)",
            "isinstance(message, Canceled)",
        ),
    ),
    mutation(
        4,
        "a cancel ends at once what was sent already",
        Edit(
            f"{FIFO}.cancel",
            "if record.call is None and record.accepted_at is None:",
            "if record.accepted_at is None:",
        ),
    ),
    mutation(
        4,
        "a deadline ends a task that has been accepted meanwhile",
        Edit(
            f"{SCHEDULER}._job",
            "record.deadline is None or record.deadline > now",
            "record.deadline is None",
        ),
    ),
    mutation(
        5,
        "history is written for a success that changed nothing",
        Edit(
            "pulp.server.api.packages:PackageTask.succeeded",
            "if result.changed and not result.dry_run",
            "if not result.dry_run",
        ),
    ),
    mutation(
        5,
        "history names the reply thread as originator",
        Edit(
            "pulp.server.tasking.context:HistoryWriter.add",
            "originator=task.requested_by",
            'originator="server"',
        ),
    ),
    mutation(
        5,
        "history is written when the call is fired",
        Edit(
            "pulp.server.api.packages:UpdatePackages.run",
            "self.packages(ctx).update(",
            "ctx.history.packages_updated(self.record, {})\nself.packages(ctx).update(",
        ),
    ),
    mutation(
        5,
        "history leaves out what was done beside the request",
        Edit(
            "pulp.server.api.packages:changed",
            "for c in result.changes if",
            "for c in result.changes[1:] if",
        ),
    ),
    mutation(
        5,
        "a failure that did the work counts as success",
        Edit(
            f"{APPLYING}._end",
            "if isinstance(final, Succeeded):\nself._succeed(task, final)",
            'if getattr(final, "code", "") == "package-failed":\n'
            "    value = final.details\n"
            "    self._succeed(task, Succeeded(id=final.id, value=value, started=0, finished=0))\n"
            "elif isinstance(final, Succeeded):\n    self._succeed(task, final)",
        ),
    ),
    mutation(
        6,
        "a sent task has no deadline",
        Edit(f"{FIFO}._fire", "deadline=next_look(sent)", "deadline=None"),
    ),
    mutation(
        6,
        "an accepted task keeps the deadline of its delivery",
        Edit(f"{APPLYING}._move", "deadline=next_look(moved)", "deadline=record.deadline"),
    ),
    mutation(
        6,
        "an accepted call is given up with its last deadline",
        Edit(
            "pulp.server.tasking.deadlines:next_look",
            "last + record.timeout + LOST_AFTER",
            "last + record.timeout",
        ),
    ),
    mutation(
        6,
        "a hello does not wake what waited for it",
        Edit(f"{RECEPTION}._greet", "self._queue.pull(session.consumer_id)", "pass"),
    ),
    mutation(
        6,
        "tasks of absent agents stay in the claim index",
        Edit(f"{FIFO}._obstacle", "if room[consumer_id] < 0:", "if False:"),
        Edit(f"{FIFO}._admit", "if reason:", "if reason and room[claim.consumer_id] >= 0:"),
    ),
    mutation(
        6,
        "a new task overtakes the backlog",
        Edit(
            f"{FIFO}._obstacle",
            "room[consumer_id] == 0 or consumer_id in self._backlogged",
            "room[consumer_id] == 0",
        ),
    ),
    mutation(
        6,
        "an agent always has room",
        Edit(
            f"{GATEWAY}.room",
            "max(0, MOST_UNACCEPTED - len(session.unaccepted))",
            "MOST_UNACCEPTED",
        ),
    ),
    mutation(
        6,
        "calls of an earlier connection free room on this one",
        Edit(
            f"{REPLIES}._note_accepted",
            "session.unaccepted.discard(call_id)",
            "session.unaccepted and session.unaccepted.pop()",
        ),
    ),
    mutation(
        6,
        "an acceptance does not go on with the backlog",
        Edit(f"{FIFO}.has_room", "self._pull[consumer_id] = None", "pass"),
    ),
    mutation(
        6,
        "a lost call stays running",
        _move("RUNNING", "UNKNOWN", "RUNNING", "REPEATED"),
        Edit("pulp.server.async_.hello:memory_lost", "if info is None", "if info is None or True"),
    ),
    mutation(
        6,
        "a start time that has come is forgotten",
        Edit(
            "pulp.server.tasking.scheduler:_promote",
            "record.state is TaskState.SCHEDULED",
            "record.state is TaskState.SCHEDULED and record.not_before == now",
        ),
    ),
)

SERVER_PEERS = (
    mutation(
        8,
        "needs are left out of requests",
        Edit("pulp.server.async_.outgoing:request", "needs=needs_of(window=window)", "needs=[]"),
    ),
    mutation(
        8,
        "an agent's features are not looked at",
        Edit("pulp.server.async_.agent:AsyncAgent._check_needs", "if lacking:", "if False:"),
    ),
    mutation(
        8,
        "a kind that is not known here fails",
        Edit(
            f"{FIFO}._run_one",
            "return uow.tasks.save(record.replace(parked=PARKED_VERSION, parked_at=now))",
            "raise",
        ),
    ),
    mutation(
        9,
        "whoever has the name in a certificate is let in",
        Edit(
            "pulp.server.async_.identities:Identities.__call__",
            "consumer is None or certificate.fingerprint not in consumer.fingerprints",
            "consumer is None",
        ),
    ),
    mutation(
        9,
        "a host is believed about another's task",
        Edit(
            f"{APPLYING}.apply",
            "if stored.consumer_id != self._consumer_id:",
            "if stored.consumer_id is None:",
        ),
    ),
    mutation(
        9,
        "of two hosts with one identity the newest wins",
        Edit(
            "pulp.server.async_.duplicates:Duplicates.judge",
            "hello.journal_seq < other.journal_seq:\nreturn Judgement.COPY",
            "hello.journal_seq < other.journal_seq:\n    return Judgement.SAME",
        ),
    ),
    mutation(
        9,
        "a request goes to whoever is connected",
        Edit(
            f"{GATEWAY}._session",
            "return self._sessions.of(record.consumer_id) if record.consumer_id else None",
            "return next(iter(self._sessions.all()), None)",
        ),
    ),
    mutation(
        10,
        "a task's own error is told in full",
        Edit(
            f"{FIFO}._outcome",
            "error = INTERNAL",
            "import traceback\nerror = TaskError(code='internal', message=traceback.format_exc())",
        ),
    ),
    mutation(
        10,
        "a handler's own error is told to the server",
        Edit(
            "pulp_agent.job:_run",
            "except BaseException:",
            "except BaseException as bug:",
        ),
        Edit(
            "pulp_agent.job:_run",
            '"The agent failed in this call; its log has the details."',
            "str(bug)",
        ),
    ),
)

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

MUTATIONS = (
    *SERVER_ORDER,
    *SERVER_TASKS,
    *SERVER_PEERS,
    *AGENT_ORDER,
    *AGENT_CALLS,
    *AGENT_TIME,
)
