"""Idempotency keys: the same key with the same request gives what the first one made, in the very unit of work that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from pulp.common.times import DAY
from pulp.server.api.errors import KeyReused
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.user import IdempotencyRecord

KEPT = DAY


@dataclass(frozen=True, slots=True)
class Once:
    """A request that may be repeated: whose it is, the key its sender chose, and a digest of what is asked."""

    login: str
    key: str
    request: str

    @classmethod
    def of(cls, login: str, key: str, what: str, body: Struct) -> Once:
        """`what` says the operation and its target. Hand in no secret: the digest is stored."""
        digest = hashlib.sha256(what.encode() + b"\n" + msgspec.json.encode(body)).hexdigest()
        return cls(login, key, digest)

    def made(self, uow: UnitOfWork, now: int) -> str | None:
        """The id of what this request made before; KeyReused when the key belongs to another request."""
        record = uow.idempotency.get(self.login, self.key)
        if record is None:
            return None
        if record.created_at < now - KEPT:
            uow.idempotency.purge(now - KEPT)
            return None
        if record.request != self.request:
            raise KeyReused(
                "this Idempotency-Key was used for another request: choose a new key for each new request"
            )
        return record.resource

    def repeats(self, uow: UnitOfWork, now: int) -> bool:
        """Whether this very request has made something; changes nothing."""
        record = uow.idempotency.get(self.login, self.key)
        if record is None or record.created_at < now - KEPT:
            return False
        return record.request == self.request

    def remember(self, uow: UnitOfWork, resource: str, now: int) -> None:
        uow.idempotency.add(
            IdempotencyRecord(
                login=self.login,
                key=self.key,
                request=self.request,
                resource=resource,
                created_at=now,
            )
        )


def once(
    uow: UnitOfWork, request: Once | None, now: int, make: Callable[[], str]
) -> tuple[str, bool]:
    """(id, whether it was made now). Without a key everything is new."""
    if request is None:
        return make(), True
    resource = request.made(uow, now)
    if resource is not None:
        return resource, False
    resource = make()
    request.remember(uow, resource, now)
    return resource, True
