"""People, what they may do, and the tokens that stand for them. Only hashes of secrets are kept."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Role(IntEnum):
    """Each role may do what the lower ones may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        return self.name.lower()


class User(Struct, frozen=True, kw_only=True):
    login: str
    role: Role
    password_hash: str
    created_at: int


class Principal(Struct, frozen=True):
    """Who asks, as proven by a token."""

    login: str
    role: Role


class Session(Struct, frozen=True, kw_only=True):
    """A login token: `digest` is the SHA-256 of the token in hex."""

    digest: str
    login: str
    created_at: int
    expires_at: int


class RegistrationToken(Struct, frozen=True, kw_only=True):
    """`uses_left` None: as often as wanted until it expires. `consumer_id`: bound to this id; only such a token replaces
    an existing host."""

    id: str
    digest: str
    created_by: str
    created_at: int
    expires_at: int
    uses_left: int | None = 1
    consumer_id: str | None = None


class IdempotencyRecord(Struct, frozen=True, kw_only=True):
    """What a POST with an Idempotency-Key made: `request` is a digest of method, path and body."""

    login: str
    key: str
    request: str
    resource: str
    created_at: int
