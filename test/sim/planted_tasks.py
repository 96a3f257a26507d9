"""Planted faults of the server: what becomes of tasks, their history and their deadlines."""

from __future__ import annotations

from sim.mutating import Edit, mutation
from sim.planted_server import move

FIFO = "pulp.server.tasking.fifo:FIFOQueue"
REPLIES = "pulp.server.async_.replies:ReplyListener"
APPLYING = "pulp.server.async_.applying:Applying"
RECEPTION = "pulp.server.async_.reception:Reception"
GATEWAY = "pulp.server.async_.gateway:Gateway"
SCHEDULER = "pulp.server.tasking.scheduler:Scheduler"

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
    mutation(4, "a final ends an ended task again", move("ENDED", "FINAL", "ENDED", "ENDED")),
    mutation(
        4, "what is lost later moves an ended task", move("ENDED", "UNKNOWN", "ENDED", "LOST")
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
        elsewhere="rarely met here: test_a_deadline_that_moved_after_the_look_ends_nothing",
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
            "pulp.server.api.package_tasks:changed",
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
        move("RUNNING", "UNKNOWN", "RUNNING", "REPEATED"),
        Edit("pulp.server.async_.hello:memory_lost", "if info is None", "if info is None or True"),
    ),
    mutation(
        6,
        "an opening that has moved is not stored",
        Edit(
            "pulp.server.async_.applying:_news",
            "record if starts == record.starts else record.replace(starts=starts)",
            "record",
        ),
    ),
    mutation(
        4,
        "what was carried over counts as begun",
        Edit(f"{APPLYING}._move", "changes |= _NOT_BEGUN", "pass"),
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
