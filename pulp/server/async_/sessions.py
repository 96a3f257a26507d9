"""Who is connected now: one session per consumer that has said hello. The dispatcher thread alone changes them."""

from __future__ import annotations

from dataclasses import dataclass, field

from pulp.messaging.base import Peer


@dataclass(slots=True)
class Session:
    """`unaccepted`: the calls that were sent by this connection and not yet accepted; it may hold too many, never too few.
    `keep_plan`: of the newest calendar that was sent by it."""

    peer: Peer
    consumer_id: str
    journal_id: str
    journal_seq: int
    boot_id: str
    methods: dict[str, list[int]]
    features: frozenset[str]
    unaccepted: set[str] = field(default_factory=set)
    unreadable: int = field(default=0)
    keep_plan: int = field(default=0)


class Sessions:
    def __init__(self) -> None:
        self._by_consumer: dict[str, Session] = {}
        self._by_peer: dict[Peer, Session] = {}

    def open(self, session: Session) -> None:
        """The consumer's session from now on; an older one of it is forgotten."""
        old = self._by_consumer.get(session.consumer_id)
        if old is not None:
            del self._by_peer[old.peer]
        self._by_consumer[session.consumer_id] = session
        self._by_peer[session.peer] = session

    def close(self, peer: Peer) -> Session | None:
        """End the session of this connection; None when it had none (any more)."""
        session = self._by_peer.pop(peer, None)
        if session is not None:
            del self._by_consumer[session.consumer_id]
        return session

    def of(self, consumer_id: str) -> Session | None:
        return self._by_consumer.get(consumer_id)

    def on(self, peer: Peer) -> Session | None:
        return self._by_peer.get(peer)

    def all(self) -> list[Session]:
        return list(self._by_peer.values())
