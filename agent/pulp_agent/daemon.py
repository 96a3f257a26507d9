"""The running agent: carries events to the core and does what it commands. One thread, one loop.

A turn's journal records are written, with one fsync, before anything else of it is done. When the journal cannot be written
(disk full, read-only) the agent stalls: what came is neither answered nor accepted, running jobs go on and keep their
results, pings are answered. Once it can be written again the core starts anew from what is on disk, as after a crash, and
reconnects, so that the server sends again what was not accepted: nothing is lost and nothing is done twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from pulp.common.failpoints import failpoint
from pulp.rmi.interfaces import PING
from pulp.rmi.messages import Request, ToServer
from pulp_agent.calls import CallTable
from pulp_agent.core import Core
from pulp_agent.desk import Me
from pulp_agent.events import (
    Accept,
    AdoptJob,
    Append,
    Begun,
    CancelJob,
    Command,
    EndFetch,
    Event,
    ForgetJobs,
    Instant,
    Leaving,
    Log,
    ReadProfile,
    Received,
    RestartHost,
    Send,
    StartFetch,
    StartJob,
    StoreCertificate,
    TimeIs,
    UseServer,
    WakeAt,
)
from pulp_agent.executor import Executor, Fetcher
from pulp_agent.host import instant
from pulp_agent.journal import Journal, JournalError
from pulp_agent.link import LinkKeeper
from pulp_agent.records import AnyRecord
from pulp_agent.session import Handle

_log = logging.getLogger(__name__)

LONGEST_SLEEP = 5.0
"""Seconds between two looks at the wall clock while something waits for it: it may be set, or the host may sleep."""
_STALL_FIRST, _STALL_LONGEST = 1.0, 30.0


class Household(Protocol):
    """What the core's rarer wishes are done by."""

    def read_profile(self) -> None: ...

    def restart_host(self, call_id: str) -> None: ...

    def store_certificate(self, certificate: str, ca: Sequence[str]) -> None: ...

    def use_server(
        self, urls: Sequence[str], ca: Sequence[str], signing_keys: Sequence[str]
    ) -> None: ...


class Agent:
    """Made by bootstrap; `post` is the only way in."""

    def __init__(
        self,
        me: Me,
        records: Iterable[AnyRecord],
        journal: Journal,
        executor: Executor,
        fetcher: Fetcher,
        household: Household,
        *,
        clock: Callable[[], Instant] = instant,
    ) -> None:
        self._me = me
        self.core = Core(me, CallTable(records))
        self.journal = journal
        self._executor = executor
        self._fetcher = fetcher
        self._household = household
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._draining = False
        self._wake_at: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._link: LinkKeeper | None = None
        self.stalled = ""
        executor.bind(self.post)
        fetcher.bind(self.post)

    def start(self, link: LinkKeeper) -> None:
        self._link = link
        self.core.table.prune(self._clock().wall)
        self.post(Begun())
        link.start(self.post)
        if self._me.heartbeat and self._me.confirm == "message":
            self._loop.call_later(self._me.heartbeat / 1000, self._beat)

    async def stop(self) -> None:
        """Say bye, leave; jobs go on by themselves."""
        self.post(Leaving())
        await asyncio.sleep(0)
        if self._link is not None:
            await self._link.stop()
        self._drain()
        if self._timer is not None:
            self._timer.cancel()
        self._executor.close()
        self._fetcher.close()
        self.journal.close()

    def durable_seq(self) -> int:
        """What hello may claim."""
        try:
            self.journal.sync()
        except JournalError as error:
            self._stall(error)
        return self.journal.seq

    def post(self, event: Event) -> None:
        """Events of one round of the loop are handled together and share one fsync."""
        self._events.append(event)
        if not self._draining:
            self._draining = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        commands: list[Command] = []
        while self._events:
            event = self._events.popleft()
            if not self.stalled or _is_ping(event):
                commands += self.core.handle(self._clock(), event)
        self._draining = False
        if commands and self._write(commands):
            self._do_all(commands)
        self._set_timer()

    def _write(self, commands: Sequence[Command]) -> bool:
        """False: none of these commands may be done."""
        appends = [c for c in commands if isinstance(c, Append)]
        if not appends:
            return True
        kinds = [str(type(a.record).__struct_config__.tag) for a in appends]
        for record in kinds:
            failpoint(f"agent.journal.{record}.before")
        try:
            self.journal.append([a.record for a in appends], sync=any(a.sync for a in appends))
        except JournalError as error:
            self._stall(error)
            return False
        for record in kinds:
            failpoint(f"agent.journal.{record}.after")
        return True

    def _do_all(self, commands: Sequence[Command]) -> None:
        for command in commands:
            try:
                self._do(command)
            except Exception:
                _log.exception("A command failed", extra={"command": type(command).__name__})
        if self.journal.wants_compaction():
            self._compact()

    def _do(self, command: Command) -> None:
        match command:
            case Append():
                pass
            case Send(message, presettled):
                self._send(message, presettled)
            case Accept(Handle() as handle):
                handle.session.accept(handle.incoming)
                failpoint("agent.delivery.accepted")
            case WakeAt(at):
                self._wake_at = at
            case Log(level, message, extra):
                _log.log(logging.getLevelName(level.upper()), message, extra=dict(extra))
            case StartJob() | AdoptJob() | CancelJob() | ForgetJobs():
                self._do_job(command)
            case _:
                self._do_rare(command)

    def _do_job(self, command: StartJob | AdoptJob | CancelJob | ForgetJobs) -> None:
        match command:
            case StartJob():
                self._executor.start(command)
            case AdoptJob(call_id):
                self._executor.adopt(call_id)
            case CancelJob():
                self._executor.cancel(command)
            case ForgetJobs(ids):
                self._executor.forget(ids)

    def _do_rare(self, command: Command) -> None:
        match command:
            case StartFetch():
                self._fetcher.start(command)
            case EndFetch():
                self._fetcher.end()
            case ReadProfile():
                self._household.read_profile()
            case RestartHost(call_id):
                self._household.restart_host(call_id)
            case StoreCertificate(certificate, ca):
                self._household.store_certificate(certificate, ca)
                self._loop.call_soon(self._drop_link)  # once this delivery is accepted
            case UseServer(urls, ca, signing_keys):
                if self._link is not None:
                    self._link.welcomed()
                self._household.use_server(urls, ca, signing_keys)

    def _send(self, message: ToServer, presettled: bool) -> None:
        session = self._link.session if self._link else None
        if session is not None:
            session.send(message, presettled=presettled)

    def _drop_link(self) -> None:
        if self._link is not None:
            self._link.drop()

    # --- time ---

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._wake_at is not None and not self.stalled:
            left = (self._wake_at - self._clock().wall) / 1000
            delay = min(max(left, 0.0), LONGEST_SLEEP)
            self._timer = self._loop.call_later(delay, self._wake_up)

    def _wake_up(self) -> None:
        """The wish is spent: the core asks anew where it still waits for something, and is silent where it does not."""
        self._wake_at = None
        self.post(TimeIs())

    def _beat(self) -> None:
        self._do_all(self.core.alive(self._clock()))
        self._loop.call_later(self._me.heartbeat / 1000, self._beat)

    # --- a journal that cannot be written ---

    def _compact(self) -> None:
        self.core.table.prune(self._clock().wall)
        try:
            self.journal.compact(self.core.table.snapshot())
        except JournalError as error:
            self._stall(error)

    def _stall(self, error: JournalError) -> None:
        if not self.stalled:
            self.stalled = str(error)
            _log.error(
                "Nothing is accepted until the journal can be written", extra={"error": str(error)}
            )
            self._loop.call_later(_STALL_FIRST, self._recover, _STALL_FIRST)

    def _recover(self, delay: float) -> None:
        try:
            records = self.journal.recover()
        except JournalError as error:
            self.stalled = str(error)
            delay = min(2 * delay, _STALL_LONGEST)
            self._loop.call_later(delay, self._recover, delay)
            return
        _log.warning("The journal can be written again")
        self.stalled = ""
        self.core = Core(self._me, CallTable(records))
        self._events.clear()
        self._drop_link()
        self.post(Begun())


def _is_ping(event: Event) -> bool:
    if not isinstance(event, Received) or not isinstance(event.message, Request):
        return False
    return (event.message.class_, event.message.method) == (PING.interface, PING.name)
