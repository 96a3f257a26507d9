"""What a hello does: who it is, what of its calls both sides know, and what must be said again (WIRE.md rules 3, 4, 6, 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pulp.common.times import MINUTE
from pulp.messaging.base import Message, Peer
from pulp.rmi.messages import Accepted, CallStatus, Hello, Keep, Started
from pulp.rmi.messages import Message as RmiMessage
from pulp.rmi.versions import ENFORCED_WINDOWS
from pulp.server.async_ import outgoing
from pulp.server.async_.applying import LOST, Applying
from pulp.server.async_.gateway import MOST_UNACCEPTED
from pulp.server.async_.keeps import keep_of
from pulp.server.async_.restarted import note_restart
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.consumer import CLOCK_SKEW, DUPLICATE_IDENTITY, AgentInfo, Consumer
from pulp.server.domain.task import REBOOTING, SENT, TaskRecord, TaskState
from pulp.server.tasking.context import Context
from pulp.server.tasking.task import TaskKinds, plainly_ended

SKEW = 10 * MINUTE
"""Beyond this offset the agent refuses windowed work; the consumer is flagged."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What to say to the agent after its welcome, in order."""

    consumer: Consumer
    keep: Keep | None = None
    resend: list[TaskRecord] = field(default_factory=list)
    cancel: list[str] = field(default_factory=list)
    replan: list[TaskRecord] = field(default_factory=list)
    query: list[str] = field(default_factory=list)

    def messages(self) -> Iterator[Message]:
        features = self.consumer.agent.features if self.consumer.agent else []
        if self.keep is not None and ENFORCED_WINDOWS in features:
            yield outgoing.message(self.keep)
        yield from (outgoing.cancel(i) for i in self.cancel)
        yield from (outgoing.replan(record, features) for record in self.replan)
        yield from (outgoing.request(record) for record in self.resend)
        yield from (outgoing.query(i) for i in self.query)


def greet(
    kinds: TaskKinds,
    uow: UnitOfWork,
    consumer_id: str,
    peer: Peer,
    hello: Hello,
    now: int,
    *,
    plainly: bool,
) -> Greeting | None:
    """Inside a writing job: note who is there and compare the calls. None when the consumer is no longer registered.

    plainly: a class's own code raised; end what must end without it."""
    consumer = uow.consumers.get(consumer_id)
    if consumer is None or consumer.uid != peer.identity:
        return None
    introduced = _introduced(_moved(consumer, hello), peer, hello, now)
    uow.consumers.save(introduced)
    greeting = Greeting(introduced, keep_of(uow, introduced))
    _Comparison(kinds, uow, consumer, hello, now, greeting, plainly=plainly).run()
    return greeting


def memory_lost(info: AgentInfo | None, hello: Hello) -> bool:
    """The agent's journal is another one, or went back: what it accepted and does not list is lost (rule 6)."""
    if info is None:
        return False
    return hello.journal_id != info.journal_id or hello.journal_seq < info.journal_seq


def _moved(consumer: Consumer, hello: Hello) -> Consumer:
    """What counts in the host's own zone must be planned anew where that is another one; its agent is told the calendar anew."""
    if consumer.agent is not None and consumer.agent.timezone == hello.timezone:
        return consumer
    raised = consumer.keep_plan + (consumer.keep_plan > 0)
    return consumer.replace(keep_plan=raised).to_replan()


def _introduced(consumer: Consumer, peer: Peer, hello: Hello, now: int) -> Consumer:
    offset = hello.now - now
    flags = [f for f in consumer.flags if f not in (CLOCK_SKEW, DUPLICATE_IDENTITY)]
    if abs(offset) > SKEW:
        flags.append(CLOCK_SKEW)
    if DUPLICATE_IDENTITY in consumer.flags and not memory_lost(consumer.agent, hello):
        flags.append(
            DUPLICATE_IDENTITY
        )  # the other one may come back; a new owner of the name clears it
    newest = consumer.fingerprints[:1]
    used = peer.fingerprint in newest
    return consumer.replace(
        fingerprints=newest if used else consumer.fingerprints,
        online=True,
        last_seen=now,
        clock_offset=offset,
        flags=flags,
        agent=AgentInfo(
            version=hello.agent,
            protocols=hello.protocols,
            methods=hello.methods,
            features=hello.features,
            boot_id=hello.boot_id,
            timezone=hello.timezone,
            os=hello.os,
            journal_id=hello.journal_id,
            journal_seq=hello.journal_seq,
        ),
    )


class _Comparison:
    """The server's open calls of one consumer against those the agent lists."""

    def __init__(
        self,
        kinds: TaskKinds,
        uow: UnitOfWork,
        consumer: Consumer,
        hello: Hello,
        now: int,
        greeting: Greeting,
        *,
        plainly: bool,
    ) -> None:
        self._kinds = kinds
        self._plainly = plainly
        self._uow = uow
        self._consumer = consumer
        self._hello = hello
        self._now = now
        self._say = greeting

    def run(self) -> None:
        listed = {call.id: call for call in self._hello.calls}
        forgotten = memory_lost(self._consumer.agent, self._hello)
        opened = self._uow.tasks.open_of(self._consumer.id)
        note_restart(self._kinds, self._uow, self._consumer, self._hello, opened, self._now)
        for record in opened:
            call = listed.pop(record.id, None)
            if record.phase == REBOOTING:
                self._applying().resume(record.id)
                continue
            if record.answer is not None:
                continue  # over at the agent; a final that is listed follows by itself
            if record.call is None:
                # A restored server's: sent anew, it is answered with what the agent has.
                self._replan(record, call)
            elif call is not None:
                self._known_to_both(record, call)
            elif record.state is not TaskState.WAITING:
                self._missing_at_agent(record, forgotten)
            elif record.phase == SENT:
                self._never_accepted(record)
        self._known_to_agent_only(list(listed.values()))

    def _known_to_both(self, record: TaskRecord, call: CallStatus) -> None:
        if call.state != "done":  # its final follows by itself
            applied = self._applying().apply(record.id, _as_message(call, self._now))
            record = applied.record or record
        if record.cancel_requested_at is None:
            self._replan(record, call)
        elif not record.cancel_refused:
            self._say.cancel.append(record.id)

    def _replan(self, record: TaskRecord, call: CallStatus | None) -> None:
        """Whether a changed plan has reached the agent nobody knows: the newest wins there, however often it comes."""
        if call is not None and call.state in ("held", "ready") and record.plan > 1:
            self._say.replan.append(record)

    def _applying(self) -> Applying:
        return Applying(self._kinds, self._uow, self._consumer.id, self._now, plainly=self._plainly)

    def _missing_at_agent(self, record: TaskRecord, forgotten: bool) -> None:
        if forgotten:
            ctx = Context.of(self._uow, self._now)
            ended = plainly_ended if self._plainly else self._kinds.ended
            self._uow.tasks.save(ended(record, LOST, ctx))
        else:
            self._say.query.append(record.id)

    def _never_accepted(self, record: TaskRecord) -> None:
        if record.cancel_requested_at is not None:
            self._say.cancel.append(record.id)
        elif len(self._say.resend) < MOST_UNACCEPTED:
            self._say.resend.append(record)

    def _known_to_agent_only(self, calls: Sequence[CallStatus]) -> None:
        """Of a restored server's forgotten past, or ended here meanwhile: not to be done (rule 7)."""
        self._say.cancel.extend(call.id for call in calls if call.state != "done")


def _as_message(call: CallStatus, now: int) -> list[RmiMessage]:
    """A listed call says what its lost replies would have said."""
    match call.state:
        case "held":
            return [Accepted(id=call.id, state="held")]
        case "ready":
            return [Accepted(id=call.id, state="ready")]
        case _:
            return [Started(id=call.id, at=now)]
