"""Planted faults of the server: the order of its durable steps, its peers, versions and secrets."""

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


def move(state: str, event: str, to: str, verdict: str) -> Entry:
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
        move("SENT", "UNKNOWN", "ENDED", "LOST"),
    ),
    mutation(
        1,
        "only the first reply of a batch is applied",
        Edit(f"{APPLYING}.apply", "for message in messages:", "for message in messages[:1]:"),
    ),
)

SERVER_PEERS = (
    mutation(
        8,
        "needs are left out of requests",
        Edit(
            "pulp.server.async_.outgoing:request",
            "needs=needs(record.window, record.rule, record.override),",
            "needs=[],",
        ),
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
