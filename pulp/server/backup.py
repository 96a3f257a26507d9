"""Backups of a whole server: one file with the store, the CA and the keys. Made while the server runs; restored into a new
data directory."""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.server.home import STORE, Home, sync_directory


class BackupError(PulpError):
    """The backup cannot be written or read; nothing was left half done."""

    code = "backup"


def back_up(home: Home, copy_store: Callable[[Path], None], file: Path) -> None:
    """Write the backup (mode 0600: it holds the keys), or leave `file` as it was.

    copy_store: copies the store as of one moment into a new file."""
    if file.exists():
        raise BackupError(f"{file} exists: give the name of a new file")
    try:
        with tempfile.TemporaryDirectory(dir=file.parent, prefix=".pulp-backup-") as work:
            copy_store(Path(work) / STORE)
            packed = Path(work) / "backup.tar"
            _pack(packed, [*home.files, Path(work) / STORE])
            os.link(packed, file)  # appears whole, and never over another
    except OSError as e:
        raise BackupError(f"cannot write {file}: {e.strerror or e}") from e
    sync_directory(file.parent)


def _pack(target: Path, members: list[Path]) -> None:
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as out:
        with tarfile.open(fileobj=out, mode="w") as tar:
            for path in members:
                tar.add(path, arcname=path.name)
        out.flush()
        os.fsync(out.fileno())


def restore(file: Path, home: Home, *, revive: Callable[[], None]) -> None:
    """Unpack a backup into a data directory that does not exist, is empty, or was never finished. HomeError, BackupError.

    revive: makes the restored store fit for a world that has gone on since."""
    if not home.is_new():
        raise BackupError(f"{home.directory} is not empty: restore into a new --data directory")
    wanted = {*(path.name for path in home.files), STORE}
    try:
        with tarfile.open(file) as tar:
            members = {m.name: m for m in tar if m.isfile()}
            missing = sorted(wanted - members.keys())
            if missing:
                raise BackupError(f"{file} is no whole backup: {', '.join(missing)} missing")
            with home.making():
                for name in sorted(wanted):
                    _unpack(tar, members[name], home.directory / name)
                revive()
                failpoint("home.restored")
    except (OSError, tarfile.TarError) as e:
        raise BackupError(f"cannot restore {file}: {e}") from e


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    """Of the member only its bytes and, at most, who may read it (Python 3.11.2 of Debian 12 has no extraction filters)."""
    source = tar.extractfile(member)
    if source is None:
        raise tarfile.ReadError(f"{member.name} is no file")
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, member.mode & 0o644)
    with source, os.fdopen(fd, "wb") as out:
        shutil.copyfileobj(source, out)
        out.flush()
        os.fsync(out.fileno())
    failpoint("home.file.restored")
