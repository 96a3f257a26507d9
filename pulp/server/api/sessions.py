"""Login tokens: made, looked up on every request, ended. Only their digests are stored."""

from __future__ import annotations

from threading import Lock

from pulp.common.clock import Clock
from pulp.common.times import HOUR
from pulp.server.api.errors import Unauthenticated
from pulp.server.api.secrets import digest_of, new_token
from pulp.server.db.base import Store, UnitOfWork
from pulp.server.domain.user import Principal, Session

LIFE = 12 * HOUR
BELIEVED = 2.0
"""Seconds for which an answer of the store is believed; what this process ends itself is forgotten at once."""
REMEMBERED = 10_000


class Sessions:
    def __init__(self, store: Store, clock: Clock, *, life: int = LIFE) -> None:
        """life: ms that a token is good for."""
        self._store = store
        self._clock = clock
        self._life = life
        self._lock = Lock()
        self._known: dict[str, tuple[Principal, float]] = {}

    def open(self, uow: UnitOfWork, login: str) -> tuple[str, int]:
        """(token, when it expires)."""
        now = self._clock.now()
        token = new_token()
        uow.users.add_session(
            Session(
                digest=digest_of(token), login=login, created_at=now, expires_at=now + self._life
            )
        )
        return token, now + self._life

    def principal(self, token: str) -> Principal:
        """Who the token stands for; Unauthenticated."""
        digest = digest_of(token)
        known = self._known.get(digest)
        if known is not None and known[1] > self._clock.monotonic():
            return known[0]
        principal, expires_in = self._read(digest)
        with self._lock:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            good_for = min(BELIEVED, expires_in / 1000)
            self._known[digest] = (principal, self._clock.monotonic() + good_for)
        return principal

    def _read(self, digest: str) -> tuple[Principal, int]:
        now = self._clock.now()

        def job(uow: UnitOfWork) -> tuple[Principal, int] | None:
            session = uow.users.session(digest)
            if session is None or session.expires_at <= now:
                return None
            user = uow.users.get(session.login)
            if user is None:
                return None
            return Principal(user.login, user.role), session.expires_at - now

        found = self._store.read(job)
        if found is None:
            raise Unauthenticated("the token is unknown or has expired: log in again")
        return found

    def end(self, token: str) -> None:
        digest = digest_of(token)
        self._store.write(lambda uow: uow.users.remove_session(digest))
        self.forget()

    def end_others(self, uow: UnitOfWork, login: str, keep: str | None) -> None:
        """End every session of the login but the one of this token."""
        kept = uow.users.session(digest_of(keep)) if keep else None
        uow.users.remove_sessions(login)
        if kept is not None and kept.login == login:
            uow.users.add_session(kept)

    def forget(self) -> None:
        """Something about users or sessions changed: believe nothing that was read before."""
        with self._lock:
            self._known.clear()
