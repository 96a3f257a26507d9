"""Passwords: argon2id hashes, few at a time, and as slow for a login that does not exist as for one that does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Semaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from pulp.server.api.errors import Busy

AT_ONCE = 2
"""One takes about 50 ms of a core and 64 MB."""
IN_LINE = 4
"""Beyond these a request is sent away, so that passwords never take every thread."""


class Passwords:
    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = Semaphore(AT_ONCE)
        self._line = Semaphore(AT_ONCE + IN_LINE)
        self._nobody = self._hasher.hash("no password has this hash")

    def hash(self, password: str) -> str:
        """Busy when too many others are at it."""
        with self._turn():
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """False for a wrong password, and just as slowly when there is no stored hash. Busy."""
        with self._turn():
            try:
                return self._hasher.verify(stored or self._nobody, password) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._line.acquire(blocking=False):
            raise Busy("too many passwords are being checked: try again", retry_after=1)
        try:
            with self._slots:
                yield
        finally:
            self._line.release()
