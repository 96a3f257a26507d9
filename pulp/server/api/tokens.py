"""RegistrationTokenApi: the right to register hosts, handed out by admins and shown once."""

from __future__ import annotations

from pulp.common.clock import Clock
from pulp.common.ids import new_id
from pulp.common.times import DAY, parse_duration
from pulp.server.api.access import require
from pulp.server.api.errors import NotFound, invalid
from pulp.server.api.idempotency import Once, once
from pulp.server.api.paging import listed
from pulp.server.api.secrets import digest_of, new_token
from pulp.server.api.types import ListView, RegistrationTokenBody, RegistrationTokenView
from pulp.server.api.views import token_view
from pulp.server.db.base import Store, UnitOfWork
from pulp.server.domain.user import Principal, RegistrationToken, Role

LONGEST = 366 * DAY


class RegistrationTokenApi:
    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(
        self, who: Principal, body: RegistrationTokenBody, *, key: str | None = None
    ) -> RegistrationTokenView:
        """The answer holds the token itself; a repetition under the same Idempotency-Key cannot show it again."""
        require(who, Role.ADMIN)
        now = self._clock.now()
        secret = new_token()
        token = RegistrationToken(
            id=new_id(),
            digest=digest_of(secret),
            created_by=who.login,
            created_at=now,
            expires_at=now + _life(body.expires_in),
            uses_left=body.uses,
            consumer_id=body.consumer_id,
        )
        request = Once.of(who.login, key, "registration-token", body) if key else None
        return self._store.write(lambda uow: _create(uow, token, secret, request, now))

    def list(
        self, who: Principal, *, after: str | None, limit: int
    ) -> ListView[RegistrationTokenView]:
        require(who, Role.ADMIN)
        return listed(
            lambda: self._store.read(lambda uow: uow.tokens.page(after, limit)), token_view
        )

    def revoke(self, who: Principal, token_id: str) -> None:
        require(who, Role.ADMIN)

        def job(uow: UnitOfWork) -> None:
            if uow.tokens.get(token_id) is None:
                raise NotFound(f"there is no registration token {token_id!r}")
            uow.tokens.remove(token_id)

        self._store.write(job)


def _create(
    uow: UnitOfWork, token: RegistrationToken, secret: str, request: Once | None, now: int
) -> RegistrationTokenView:
    def make() -> str:
        uow.tokens.add(token)
        return token.id

    token_id, new = once(uow, request, now, make)
    if new:
        return token_view(token, secret)
    known = uow.tokens.get(token_id)
    if known is None:
        raise NotFound("the registration token made by this Idempotency-Key was revoked")
    return token_view(known)


def _life(expires_in: str) -> int:
    try:
        life = parse_duration(expires_in)
    except ValueError as error:
        raise invalid("expires_in", str(error)) from error
    if life > LONGEST:
        raise invalid(
            "expires_in", f"is {expires_in}: it must not be longer than {LONGEST // DAY}d"
        )
    return life
