"""The server's data directory: the store, the CA and the keys. `init` or `restore` makes it, once; `run` reads it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.crypto.ca import Authority
from pulp.crypto.keys import fingerprint, new_key, read_certificate
from pulp.crypto.signing import Signer, new_signing_key

STORE = "pulp.db"

_NOTE = """\
pulp-server init or restore has not ended here. Until it has, no server runs in this directory, and the next init or restore
replaces what this one made. Do not remove this file.
"""


class HomeError(PulpError):
    """The data directory is missing, incomplete or made already."""

    code = "data-directory"


@dataclass(frozen=True, slots=True)
class Home:
    """Where each file of a data directory is."""

    directory: Path

    @property
    def ca_certificate(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def ca_key(self) -> Path:
        return self.directory / "ca.key"

    @property
    def server_certificate(self) -> Path:
        return self.directory / "server.pem"

    @property
    def server_key(self) -> Path:
        return self.directory / "server.key"

    @property
    def signing_key(self) -> Path:
        return self.directory / "signing.key"

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything but the store."""
        return (
            self.ca_certificate,
            self.ca_key,
            self.server_certificate,
            self.server_key,
            self.signing_key,
        )

    @property
    def store(self) -> Path:
        return self.directory / STORE

    @property
    def unfinished(self) -> Path:
        """There while the directory is made, and after a process that made it was killed."""
        return self.directory / "unfinished"

    def is_new(self) -> bool:
        """Whether nothing is there but what a making that did not end has left."""
        if self.unfinished.exists() or not self.directory.exists():
            return True
        return not any(self.directory.iterdir())

    @contextmanager
    def making(self) -> Iterator[None]:
        """Around all that makes the directory (mode 0700): it counts only once this has ended well. What an earlier one, that
        did not end, has left is replaced.

        HomeError when a server is there already, or is being made just now: nothing that was finished is overwritten."""
        with self._alone():
            if self.unfinished.exists():
                self._clear()
            else:
                self._must_be_free()
                _write(self.unfinished, _NOTE, 0o600)
            sync_directory(self.directory)
            failpoint("home.begun")
            yield
            sync_directory(self.directory)
            failpoint("home.made")
            self.unfinished.unlink()
            sync_directory(self.directory)
            failpoint("home.finished")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Make the directory and hold it against another process that makes it."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as e:
            raise HomeError(f"cannot write to {self.directory}: {e.strerror}") from e
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError as e:
            raise HomeError(f"another process makes {self.directory} just now") from e
        except OSError as e:
            raise HomeError(f"cannot write to {self.directory}: {e.strerror}") from e
        finally:
            os.close(fd)

    def _must_be_free(self) -> None:
        found = [path.name for path in (*self.files, self.store) if path.exists()]
        if found:
            raise HomeError(
                f"{self.directory} holds a server already ({', '.join(found)}): choose another --data, or just run it"
            )

    def _clear(self) -> None:
        """Remove what can only be of a making that did not end."""
        beside = [self.store.with_name(STORE + end) for end in ("-wal", "-shm", "-journal")]
        copies = self.directory.glob(f"{STORE}.schema-*")
        for path in (*self.files, self.store, *beside, *copies):
            path.unlink(missing_ok=True)

    def create(self, names: list[str]) -> None:
        """While it is made: the CA, the server's certificate for these names, and the signing key."""
        authority, key = Authority.create(), new_key()
        certificate = authority.issue_server(key, hosts=names)
        _write(self.server_key, key, 0o600)
        _write(self.server_certificate, certificate + authority.certificate_pem, 0o644)
        _write(self.signing_key, new_signing_key(), 0o600)
        _write(self.ca_key, authority.key_pem, 0o600)
        _write(self.ca_certificate, authority.certificate_pem, 0o644)

    def check(self) -> None:
        """HomeError, with what to do, unless everything is there."""
        if self.unfinished.exists():
            raise HomeError(
                f"{self.directory} was not finished: run `pulp-server init` or `pulp-server restore` again"
            )
        missing = [path.name for path in self.files if not path.is_file()]
        if missing:
            raise HomeError(
                f"{self.directory} is no complete data directory ({', '.join(missing)} missing):"
                f" make one with `pulp-server init --data {self.directory}`"
            )

    def ca_fingerprint(self) -> str:
        """What `pulp-agent register --fingerprint` and `pulp-admin login --fingerprint` take: lower-case hex."""
        return fingerprint(self.ca_certificate.read_text())

    def server_name(self) -> str:
        """The first of the names that the server's certificate was made for."""
        return read_certificate(self.server_certificate.read_text()).common_name

    def authority(self) -> Authority:
        try:
            return Authority.load(self.ca_certificate.read_text(), self.ca_key.read_text())
        except PulpError as e:
            raise HomeError(f"{self.ca_certificate} or {self.ca_key}: {e}") from e

    def signer(self) -> Signer:
        try:
            return Signer(self.signing_key.read_text())
        except PulpError as e:
            raise HomeError(f"{self.signing_key}: {e}") from e


def _write(path: Path, text: str, mode: int) -> None:
    """A new file that never had a wider mode than this one, on disk when this returns."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    failpoint("home.file.written")


def sync_directory(path: Path) -> None:
    """The names in it are on disk when this returns."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
