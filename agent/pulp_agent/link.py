"""Keeps the agent connected: one outgoing connection after another, several addresses in turn, ever more patiently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Literal, Protocol

from pulp.common.errors import PulpError
from pulp.messaging.amqp.client import ClientLink, Pump
from pulp.messaging.amqp.link import Link, LinkEvents
from pulp_agent.backoff import Backoff
from pulp_agent.events import Refused
from pulp_agent.home import Home
from pulp_agent.host import instant
from pulp_agent.session import Session
from pulp_agent.trust import client_context, endpoint

_log = logging.getLogger(__name__)

REFUSED = "amqp:unauthorized-access"
DUPLICATE = "amqp:resource-locked"
WELCOME_PATIENCE = 60.0  # s
_GOODBYE = 3.0  # s

State = Literal["connecting", "online", "refused", "stopped"]


class Connector(Protocol):
    """Makes one connection; MessagingError or TrustError where it cannot be made."""

    async def connect(self, events: LinkEvents) -> Link: ...

    def welcomed(self) -> None:
        """The server has taken the connection."""

    def refused(self) -> bool:
        """The server has refused this identity. Whether there is no other one left to try."""


class AmqpConnector:
    """By the data directory's identity. A renewed one is tried first and kept only once it has worked."""

    def __init__(self, home: Home, *, pump: Pump | None = None) -> None:
        """`pump` is shared where many agents live on one loop."""
        self._home = home
        self._pump = pump
        self._attempt = 0
        self._used: Path | None = None
        self._distrusted = False
        self._refused_new = False

    async def connect(self, events: LinkEvents) -> Link:
        registration = self._home.registration()
        url = registration.urls[self._attempt % len(registration.urls)]
        self._attempt += 1
        host, port = endpoint(url)
        self._used = self._identity()
        return await ClientLink.connect(
            events,
            host=host,
            port=port,
            tls=client_context(ca=self._home.ca, identity=self._used),
            source=registration.source,
            target=registration.target,
            pump=self._pump,
        )

    def _identity(self) -> Path:
        """The new one and the old one in turn, as long as the new one is refused."""
        newest, *older = self._home.identities()
        if older and self._distrusted:
            self._distrusted = False
            return older[0]
        return newest

    def welcomed(self) -> None:
        """A new identity that was refused while the old one is taken was never known to this server: it is asked for anew."""
        if self._used == self._home.next_identity:
            self._home.promote()
            _log.info("The renewed certificate is in use")
        elif self._refused_new:
            self._home.drop_renewal()
            _log.warning("The renewed certificate was refused and is dropped")
        self._refused_new = False

    def refused(self) -> bool:
        self._distrusted = self._used == self._home.next_identity
        self._refused_new |= self._distrusted
        return not self._distrusted


class LinkKeeper:
    """`run` it as a task; `seq` tells what of the journal is on disk, `changed` hears of every new state."""

    def __init__(
        self,
        connector: Connector,
        *,
        seq: Callable[[], int],
        changed: Callable[[], None] = lambda: None,
        random: Random | None = None,
    ) -> None:
        self._connector = connector
        self._seq = seq
        self._changed = changed
        self._backoff = Backoff(random or Random())
        self._session: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._refused_for_good = False
        self.state: State = "connecting"
        self.problem = ""
        self.last_welcome: int | None = None

    @property
    def session(self) -> Session | None:
        """The connection in use or being made."""
        return self._session

    def start(self, post: Callable[..., None]) -> None:
        self._task = asyncio.create_task(self._run(post))

    async def stop(self) -> None:
        """Leave in an orderly way; what was handed over before leaves first."""
        self._stopping = True
        if self._session is not None:
            self._session.shut()
        if self._task is not None:
            up = self._session is not None and self._session.opened_at is not None
            done, _ = await asyncio.wait({self._task}, timeout=_GOODBYE if up else 0)
            if not done:
                self._task.cancel()
                await asyncio.gather(self._task, return_exceptions=True)

    def welcomed(self) -> None:
        self._connector.welcomed()
        if self._session is not None:
            self._session.welcomed.set()
        self.last_welcome = instant().wall
        self._say("online", "")

    def drop(self) -> None:
        """End the connection; the next one begins with a hello of what is on disk."""
        if self._session is not None:
            self._session.shut()

    async def _run(self, post: Callable[..., None]) -> None:
        while not self._stopping:
            delay = await self._one(Session(post, self._seq))
            if self._refused_for_good and not self._stopping:
                post(Refused())
            if not self._stopping:
                await asyncio.sleep(delay)

    async def _one(self, session: Session) -> float:
        """One connection from its making to its end; the seconds to wait after it."""
        try:
            self._session = session
            session.attach(await self._connector.connect(session))
            await self._live(session)
        except PulpError as error:
            session.reason = str(error)
        except Exception as error:  # whatever it is, the agent tries again
            _log.exception("A connection failed")
            session.reason = f"an internal error: {type(error).__name__}"
        finally:
            self._session = None
        return self._after(session)

    async def _live(self, session: Session) -> None:
        """A server that opens the links but never welcomes is no use."""
        try:
            async with asyncio.timeout(WELCOME_PATIENCE):
                await session.welcomed.wait()
        except TimeoutError:
            session.shut()
        await session.over.wait()

    def _after(self, session: Session) -> float:
        self._backoff.lasted(session.lasted())
        self._refused_for_good = session.condition == REFUSED and self._connector.refused()
        if session.condition == REFUSED:
            delay = self._backoff.next_refused()
            self._say(
                "refused",
                f"The server refuses this host's certificate ({session.reason})."
                " It may have been unregistered, or registered anew: register it again.",
            )
        elif session.condition == DUPLICATE:
            delay = self._backoff.next_refused()
            self._say(
                "refused",
                "Another host is connected with this host's identity: one of the two is a copy"
                " (a cloned disk?) and must be registered anew.",
            )
        else:
            delay = self._backoff.next()
            self._say("connecting", session.reason)
        return delay

    def _say(self, state: State, problem: str) -> None:
        """Logged when it is news, not at every attempt."""
        if (state, problem) == (self.state, self.problem):
            return
        self.state, self.problem = state, problem
        if problem and not self._stopping:
            _log.warning("Not connected", extra={"state": state, "problem": problem})
        elif not problem:
            _log.info("Connected to the server")
        self._changed()
