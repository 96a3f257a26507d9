"""The Reception: hellos, departures, profiles and certificate renewals. Everything about connections that is no call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import msgspec

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.messaging.base import Bus, Peer
from pulp.rmi.messages import (
    PROTOCOL,
    Hello,
    Profile,
    ProfileHash,
    Renew,
    Renewed,
    WantProfile,
    Welcome,
)
from pulp.server.async_ import outgoing
from pulp.server.async_.duplicates import STILL_THERE, Duplicates, Judgement
from pulp.server.async_.hello import Greeting, greet
from pulp.server.async_.sessions import Session, Sessions
from pulp.server.db.base import Store, StoreUnavailable, UnitOfWork
from pulp.server.domain.consumer import DUPLICATE_IDENTITY, Consumer, StoredProfile
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.tasking.fifo import FIFOQueue
from pulp.server.tasking.profiles import keep_profile
from pulp.server.tasking.task import TaskKinds

log = logging.getLogger(__name__)

IssueCertificate = Callable[[str, str], tuple[str, str]]
"""(CSR in PEM, uid) → (certificate in PEM, its fingerprint); PulpError when the CSR is refused."""

FORCED = "amqp:connection:forced"
MOST_FINGERPRINTS = 3
"""The newest certificate and those it replaces, until the newest has been used."""


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """What a welcome tells of the server. progress_every: ms."""

    features: list[str]
    ca: list[str]
    signing_keys: list[str]
    urls: list[str]
    progress_every: int


class Reception:
    def __init__(
        self,
        *,
        bus: Bus,
        store: Store,
        kinds: TaskKinds,
        queue: FIFOQueue,
        sessions: Sessions,
        profile: ServerProfile,
        issue: IssueCertificate,
        still_there: int = STILL_THERE,
    ) -> None:
        """still_there: ms; Duplicates has its meaning."""
        self._bus = bus
        self._store = store
        self._kinds = kinds
        self._queue = queue
        self._sessions = sessions
        self._profile = profile
        self._issue = issue
        self._duplicates = Duplicates(still_there)

    # --- coming ---

    def welcome(self, hellos: Sequence[tuple[Peer, Hello]], now: int) -> None:
        """Open a session for each, compare the calls, welcome it and say again what may have been lost."""
        greeted = []
        for peer, hello in hellos:
            consumer = self._admit(peer, hello, now)
            if consumer is not None:
                session = self._open(peer, consumer, hello)
                job = self._greeting(consumer.id, peer, hello, now)
                greeted.append((session, hello, self._store.submit(job)))
        for session, hello, future in greeted:
            self._greet(session, hello, future, now)

    def _admit(self, peer: Peer, hello: Hello, now: int) -> Consumer | None:
        consumer = self._store.read(lambda uow: uow.consumers.by_uid(peer.identity))
        if consumer is None:
            self._bus.close(peer, "amqp:unauthorized-access", "this consumer is not registered")
            return None
        if PROTOCOL not in hello.protocols:
            self._bus.close(
                peer,
                "amqp:not-implemented",
                f"unknown-protocol: expected {PROTOCOL}, found {hello.protocols}",
            )
            return None
        return consumer if self._is_the_one(consumer, peer, hello, now) else None

    def _is_the_one(self, consumer: Consumer, peer: Peer, hello: Hello, now: int) -> bool:
        """Whether this connection is the consumer's from now on: the other one ends then, else this one does."""
        other = self._sessions.of(consumer.id)
        if other is None or other.peer == peer:
            return True
        if other.peer.identity != peer.identity:  # the host it replaced, whose link is dying
            self._bus.close(other.peer, "amqp:unauthorized-access", "this host was replaced")
            return True
        match self._duplicates.judge(other, hello, now):
            case Judgement.SAME:
                self._bus.close(other.peer, FORCED, "a newer connection replaced this")
                return True
            case Judgement.UNCLEAR:
                self._bus.close(peer, FORCED, "another connection of this host is not over yet")
            case Judgement.COPY:
                self._refuse_copy(consumer, peer)
        return False

    def _refuse_copy(self, consumer: Consumer, peer: Peer) -> None:
        self._bus.close(
            peer,
            "amqp:resource-locked",
            "duplicate-identity: another host with this identity is connected",
        )
        log.warning("two hosts with one identity", extra={"consumer_id": consumer.id})
        self._store.write(lambda uow: _flag(uow, consumer.id, DUPLICATE_IDENTITY))

    def _open(self, peer: Peer, consumer: Consumer, hello: Hello) -> Session:
        session = Session(
            peer=peer,
            consumer_id=consumer.id,
            journal_id=hello.journal_id,
            journal_seq=hello.journal_seq,
            boot_id=hello.boot_id,
            methods=hello.methods,
            features=frozenset(hello.features),
        )
        self._sessions.open(session)
        return session

    def _greeting(
        self, consumer_id: str, peer: Peer, hello: Hello, now: int, *, plainly: bool = False
    ) -> Callable[[UnitOfWork], Greeting | None]:
        return lambda uow: greet(self._kinds, uow, consumer_id, peer, hello, now, plainly=plainly)

    def _outcome(
        self, session: Session, hello: Hello, future: Future[Greeting | None], now: int
    ) -> Greeting | None:
        """A task's class whose own code raises must not keep its host away: the task ends without it."""
        try:
            return future.result()
        except StoreUnavailable:
            raise
        except Exception:
            consumer_id = session.consumer_id
            log.exception("a task's own end failed", extra={"consumer_id": consumer_id})
            return self._store.write(
                self._greeting(consumer_id, session.peer, hello, now, plainly=True)
            )

    def _greet(
        self, session: Session, hello: Hello, future: Future[Greeting | None], now: int
    ) -> None:
        try:
            greeting = self._outcome(session, hello, future, now)
        except BaseException:
            self._sessions.close(session.peer)
            raise
        if greeting is None:
            self._sessions.close(session.peer)
            self._bus.close(session.peer, "amqp:unauthorized-access", "no longer registered")
            return
        session.unaccepted.update(record.id for record in greeting.resend)
        session.keep_plan = greeting.keep.plan if greeting.keep else 0
        failpoint("server.hello.committed")
        self._bus.send(session.peer, [outgoing.message(self._welcome(now)), *greeting.messages()])
        failpoint("server.hello.answered")
        self._queue.pull(session.consumer_id)

    def _welcome(self, now: int) -> Welcome:
        known = self._profile
        return Welcome(
            now=now,
            features=known.features,
            ca=known.ca,
            signing_keys=known.signing_keys,
            urls=known.urls,
            progress_every=known.progress_every,
        )

    # --- going ---

    def leave(self, peers: Sequence[Peer], now: int) -> None:
        gone = [s for s in map(self._sessions.close, peers) if s is not None]
        for session in gone:
            self._duplicates.forget(session.consumer_id)
        futures = [self._store.submit(_leaving(s.consumer_id, now)) for s in gone]
        for future in futures:
            future.result()
            failpoint("server.leave.committed")

    # --- what an agent tells of its host ---

    def save_profile(self, session: Session, profile: Profile, now: int) -> Future[None]:
        stored = StoredProfile(
            consumer_id=session.consumer_id,
            hash=profile.hash,
            at=now,
            packages=msgspec.json.encode(profile.packages),
        )
        count = len(profile.packages)

        def job(uow: UnitOfWork) -> None:
            if _is_still(uow, session):
                keep_profile(uow, stored, packages=count)

        return self._store.submit(job)

    def confirm_profile(self, session: Session, said: ProfileHash, now: int) -> Future[bool]:
        """The packages are the stored ones still; where they are not, the agent is asked for them."""

        def job(uow: UnitOfWork) -> bool:
            known = uow.consumers.confirm_profile(session.consumer_id, said.hash, now)
            return known or not _is_still(uow, session)

        future = self._store.submit(job)
        future.add_done_callback(lambda done: self._want_profile(session, done))
        return future

    def _want_profile(self, session: Session, done: Future[bool]) -> None:
        if done.exception() is None and not done.result():
            self._bus.send(session.peer, [outgoing.message(WantProfile())])

    def renew(self, session: Session, renew: Renew, now: int) -> list[Future[Any]]:
        """A new certificate for the same uid; the old ones stay valid until the new one has been used."""
        uid = session.peer.identity
        try:
            certificate, fingerprint = self._issue(renew.csr, uid)
        except PulpError as e:
            log.warning(
                "certificate not renewed",
                extra={"consumer_id": session.consumer_id, "why": str(e)},
            )
            return []
        future = self._store.submit(
            lambda uow: _renewed(uow, session.consumer_id, certificate, fingerprint, now)
        )
        future.add_done_callback(lambda done: self._hand_over(session, certificate, done))
        return [future]

    def _hand_over(self, session: Session, certificate: str, done: Future[bool]) -> None:
        if done.exception() is None and done.result():
            failpoint("server.renew.committed")
            answer = Renewed(certificate=certificate, ca=self._profile.ca)
            self._bus.send(session.peer, [outgoing.message(answer)])
            failpoint("server.renew.answered")


def _is_still(uow: UnitOfWork, session: Session) -> bool:
    """Whether the session's host has not been unregistered or replaced meanwhile."""
    consumer = uow.consumers.get(session.consumer_id)
    return consumer is not None and consumer.uid == session.peer.identity


def _leaving(consumer_id: str, now: int) -> Callable[[UnitOfWork], None]:
    def job(uow: UnitOfWork) -> None:
        consumer = uow.consumers.get(consumer_id)
        if consumer is not None:
            uow.consumers.save(consumer.replace(online=False, last_seen=now))

    return job


def _flag(uow: UnitOfWork, consumer_id: str, flag: str) -> None:
    consumer = uow.consumers.get(consumer_id)
    if consumer is not None and flag not in consumer.flags:
        uow.consumers.save(consumer.replace(flags=[*consumer.flags, flag]))


def _renewed(
    uow: UnitOfWork, consumer_id: str, certificate: str, fingerprint: str, now: int
) -> bool:
    consumer = uow.consumers.get(consumer_id)
    if consumer is None:
        return False
    prints = [fingerprint, *consumer.fingerprints][:MOST_FINGERPRINTS]
    uow.consumers.save(consumer.replace(certificate=certificate, fingerprints=prints))
    uow.history.add(
        HistoryEvent(
            consumer_id=consumer_id,
            type=HistoryType.CERTIFICATE_RENEWED,
            at=now,
            originator="agent",
            details=msgspec.json.encode({"fingerprint": fingerprint}),
        )
    )
    return True
