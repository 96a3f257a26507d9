"""The agent's core, sans-I/O: events in, commands out (docs/WIRE.md). No clock, no socket, no file, no thread.

All commands of one turn are done in order, but its journal records first: a message leaves and a delivery is accepted only
when what it speaks of is on disk.
"""

from __future__ import annotations

from collections.abc import Sequence

from pulp.rmi.checks import calendar_fault
from pulp.rmi.messages import (
    PROTOCOL,
    Alive,
    Bye,
    Cancel,
    Confirm,
    Hello,
    Keep,
    Query,
    Renew,
    Renewed,
    Replan,
    Request,
    WantProfile,
    Welcome,
)
from pulp.rmi.versions import offer
from pulp_agent.call import Phase
from pulp_agent.calls import CallTable
from pulp_agent.desk import OFFSET_WARNS, Desk, Me
from pulp_agent.events import (
    Accept,
    Begun,
    CancelDecided,
    Command,
    Connected,
    Disconnected,
    Event,
    FetchEnded,
    FinalDelivered,
    ForgetJobs,
    Instant,
    JobEnded,
    JobLost,
    JobProgressed,
    Leaving,
    ProfileDelivered,
    ProfileRead,
    Received,
    Refused,
    RenewalDue,
    RestartRefused,
    Send,
    StoreCertificate,
    TimeIs,
    Unreadable,
    UseServer,
)
from pulp_agent.execution import Execution
from pulp_agent.intake import Intake
from pulp_agent.profile import ProfileReporter
from pulp_agent.records import Confirmed, Kept


class Core:
    """Drive it with `handle`; `table` is what the journal holds, for status and compaction."""

    def __init__(self, me: Me, table: CallTable) -> None:
        self._desk = Desk(me, table)
        self._execution = Execution(self._desk)
        self._intake = Intake(self._desk, self._execution)
        self._profile = ProfileReporter(self._desk)
        self._renewal: Renew | None = None

    @property
    def table(self) -> CallTable:
        return self._desk.table

    @property
    def online(self) -> bool:
        return self._desk.online

    def offset(self, at: Instant) -> int | None:
        """ms this host's clock is ahead of the server's; None before the first welcome."""
        self._desk.at = at
        return self._desk.offset if self._desk.server else None

    def handle(self, at: Instant, event: Event) -> Sequence[Command]:
        """One bounded step at one moment."""
        desk = self._desk
        desk.at, desk.out = at, []
        self._dispatch(event)
        return desk.out

    def _dispatch(self, event: Event) -> None:
        match event:
            case Received():
                self._received(event)
                self._desk.out.append(Accept(event.handle))
            case Unreadable():
                self._intake.unreadable(event.error)
                self._desk.out.append(Accept(event.handle))
            case JobProgressed() | JobEnded() | JobLost() | CancelDecided() | FetchEnded():
                self._of_job(event)
            case FinalDelivered() | ProfileDelivered():
                self._delivered(event)
            case ProfileRead() | RenewalDue():
                self._offered(event)
            case _:
                self._of_life(event)

    def _of_life(self, event: Event) -> None:
        match event:
            case Begun():
                self._execution.begin()
            case Connected():
                self._desk.out.append(Send(self._hello(event.journal_seq)))
            case Disconnected():
                self._desk.online = False
            case Refused():
                self._execution.call_off()
            case TimeIs():
                self._execution.time_is()
            case RestartRefused(problem=problem):
                self._execution.restarting.refused(problem)
                self._execution.pump()
            case Leaving():
                self._desk.send(Bye(now=self._desk.at.wall))
            case _:
                raise AssertionError(f"no rule for {event!r}")

    def _of_job(
        self, event: JobProgressed | JobEnded | JobLost | CancelDecided | FetchEnded
    ) -> None:
        match event:
            case JobProgressed():
                self._execution.progressed(event)
            case JobEnded():
                self._execution.ended(event)
            case JobLost():
                self._execution.lost(event)
            case CancelDecided():
                self._execution.decided(event)
            case FetchEnded():
                self._execution.fetched(event)

    def _received(self, event: Received) -> None:
        match event.message:
            case Request() as request:
                self._intake.request(request)
            case Replan() as replan:
                self._intake.replan(replan)
            case Cancel(id=call_id):
                self._intake.cancel(call_id)
            case Query(id=call_id):
                self._intake.query(call_id)
            case Confirm(ids=ids):
                self._confirm(ids)
            case Keep() as keep:
                self._keep(keep)
            case Welcome() as welcome:
                self._welcome(welcome)
            case WantProfile():
                self._profile.wanted()
            case Renewed(certificate=certificate, ca=ca):
                self._renewal = None
                self._desk.out.append(StoreCertificate(certificate, ca))

    def _hello(self, journal_seq: int) -> Hello:
        me, now = self._desk.me, self._desk.at.wall
        return Hello(
            agent=me.version,
            protocols=[PROTOCOL],
            methods=offer(me.methods),
            features=sorted(me.features),
            now=now,
            boot_id=me.boot_id,
            timezone=me.timezone,
            os=dict(me.os),
            journal_id=me.journal_id,
            journal_seq=journal_seq,
            calls=[call.status(now) for call in self.table.open.values()],
        )

    def _welcome(self, welcome: Welcome) -> None:
        desk = self._desk
        desk.online, desk.progress_every = True, welcome.progress_every
        desk.server = Instant(welcome.now, desk.at.mono)
        desk.out.append(UseServer(welcome.urls, welcome.ca, welcome.signing_keys))
        if abs(desk.offset) > OFFSET_WARNS:
            desk.log("warning", "This host's clock is off", offset_ms=desk.offset)
        for call in self.table.open.values():
            desk.tell(call)
        self._profile.welcomed(welcome)
        if self._renewal is not None:
            desk.send(self._renewal)
        self._execution.judge_anew()

    def _keep(self, keep: Keep) -> None:
        """The newest plan wins, also over what came in an earlier life of this agent."""
        desk, known = self._desk, self.table.hours.keep
        if known is not None and keep.plan <= known.plan:
            return
        if keep.calendar is not None and (
            fault := calendar_fault(keep.calendar, now=desk.at.wall, host_zone=desk.me.timezone)
        ):
            desk.log("error", "This host's own windows cannot be read here", problem=fault)
        desk.append(Kept(plan=keep.plan, enforced=keep.enforced, calendar=keep.calendar))
        self._execution.judge_anew()

    def _confirm(self, ids: Sequence[str]) -> None:
        """A loss of this record only makes the final come twice."""
        opened = self.table.open
        done = [i for i in ids if i in opened and opened[i].phase is Phase.DONE]
        if done:
            self._desk.append(Confirmed(ids=done, at=self._desk.at.wall), sync=False)
            self._desk.out.append(ForgetJobs(done))
            if self._execution.restarting.due:
                self._execution.pump()

    def _delivered(self, event: FinalDelivered | ProfileDelivered) -> None:
        if isinstance(event, FinalDelivered):
            if self._desk.me.confirm == "outcome":
                self._confirm([event.id])
        else:
            self._profile.delivered(event.hash)

    def _offered(self, event: ProfileRead | RenewalDue) -> None:
        if isinstance(event, RenewalDue):
            self._renewal = Renew(csr=event.csr)
            self._desk.send(self._renewal)
        else:
            self._profile.read(event)

    def alive(self, at: Instant) -> Sequence[Command]:
        """The heartbeat, where the server asked for one."""
        return [Send(Alive(now=at.wall))] if self._desk.online else []
