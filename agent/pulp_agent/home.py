"""The agent's data directory: who it is, its key and certificate, and where everything else lies.

profile.json   what the registration told (server, messaging, signing keys)
identity.pem   key and certificate in one file, so that they are replaced together; mode 0600
ca.pem         the CAs that a server's certificate must come from
next.*         a renewal under way: key and signing request, then the whole new identity
journal, jobs/, fetches/, status.json, lock
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp_agent.files import write_atomically


class HomeError(PulpError):
    """The data directory cannot be used as it is; the sentence says what to do."""

    code = "home"


class Registration(Struct, frozen=True, kw_only=True):
    """profile.json. `heartbeat` in seconds."""

    consumer_id: str
    uid: str
    server: str
    urls: list[str]
    source: str
    target: str
    confirm: Literal["outcome", "message"]
    heartbeat: int
    signing_keys: list[str]


class Home:
    """Paths and whole-file operations; nothing is cached."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.journal = path / "journal"
        self.jobs = path / "jobs"
        self.fetches = path / "fetches"
        self.status = path / "status.json"
        self.ca = path / "ca.pem"
        self.identity = path / "identity.pem"
        self.next_identity = path / "next.pem"
        self.next_key = path / "next.key"
        self.next_csr = path / "next.csr"
        self._profile = path / "profile.json"

    def make(self) -> None:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise HomeError(f"{self.path} cannot be made: {error.strerror}") from error

    def lock(self) -> int:
        """For this process's life; the descriptor must be kept. HomeError: another agent has it."""
        try:
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(f"{self.path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise HomeError(
                f"another pulp-agent runs on {self.path}: stop it first, or use another --data"
            ) from None
        return fd

    def registration(self) -> Registration:
        """HomeError where the host is not registered yet, or the file was damaged."""
        try:
            return msgspec.json.decode(self._profile.read_bytes(), type=Registration)
        except FileNotFoundError:
            raise HomeError(
                f"this host is not registered (no {self._profile}): run pulp-agent register first"
            ) from None
        except OSError as error:
            raise HomeError(f"{self._profile} cannot be read: {error.strerror}") from error
        except msgspec.MsgspecError as error:
            raise HomeError(
                f"{self._profile} is damaged ({error}): register this host again"
            ) from error

    def save_registration(self, registration: Registration) -> None:
        write_atomically(self._profile, msgspec.json.format(msgspec.json.encode(registration)))
        failpoint("agent.registration.saved")

    def save_ca(self, ca: Sequence[str]) -> None:
        write_atomically(self.ca, self.ca_text(ca).encode(), mode=0o644)
        failpoint("agent.ca.saved")

    @staticmethod
    def ca_text(ca: Sequence[str]) -> str:
        return "".join(f"{pem.strip()}\n" for pem in ca)

    def store_renewed(self, certificate: str) -> None:
        """The new identity; the old one stays until `promote`. HomeError without a renewal under way."""
        try:
            key = self.next_key.read_text()
        except FileNotFoundError:
            raise HomeError("a renewed certificate came that was not asked for") from None
        write_atomically(self.next_identity, f"{key.strip()}\n{certificate.strip()}\n".encode())
        failpoint("agent.renewal.stored")

    def identities(self) -> list[Path]:
        """What to connect with, the newest first. HomeError where there is nothing."""
        found = [path for path in (self.next_identity, self.identity) if path.exists()]
        if not found:
            raise HomeError(f"{self.identity} is missing: register this host again")
        return found

    def promote(self) -> None:
        """A connection with the new identity worked: it is the only one from now on."""
        self.next_identity.rename(self.identity)
        failpoint("agent.renewal.promoted")
        self.drop_renewal()

    def drop_renewal(self) -> None:
        for path in (self.next_identity, self.next_key, self.next_csr):
            path.unlink(missing_ok=True)
