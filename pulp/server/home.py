"""The server's data directory: the store, the CA and the keys. `init` makes it once; `run` reads it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pulp.common.errors import PulpError
from pulp.crypto.ca import Authority
from pulp.crypto.keys import fingerprint, new_key, read_certificate
from pulp.crypto.signing import Signer, new_signing_key


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

    def create(self, names: list[str]) -> None:
        """Make the directory (mode 0700), the CA, the server's certificate for these names, and the signing key.

        HomeError when any of it is there already: nothing is ever overwritten."""
        found = [path.name for path in self.files if path.exists()]
        if found:
            raise HomeError(
                f"{self.directory} holds a server already ({', '.join(found)}): choose another --data, or just run it"
            )
        try:
            self._create(names)
        except OSError as e:
            raise HomeError(f"cannot write to {self.directory}: {e.strerror}") from e

    def _create(self, names: list[str]) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority, key = Authority.create(), new_key()
        certificate = authority.issue_server(key, hosts=names)
        _write(self.server_key, key, 0o600)
        _write(self.server_certificate, certificate + authority.certificate_pem, 0o644)
        _write(self.signing_key, new_signing_key(), 0o600)
        _write(self.ca_key, authority.key_pem, 0o600)
        _write(self.ca_certificate, authority.certificate_pem, 0o644)

    def check(self) -> None:
        """HomeError, with what to do, unless everything is there."""
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
