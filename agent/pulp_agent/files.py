"""Files that are either the old or the new one, whole, whenever the power fails."""

from __future__ import annotations

import os
from pathlib import Path

from pulp.common.failpoints import failpoint


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600, sync: bool = True) -> None:
    """Replace `path`. OSError leaves the old file as it was. `sync=False` for what may be lost, never torn."""
    part = path.with_name(f".{path.name}.part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        write_whole(fd, data)
        os.fchmod(fd, mode)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)
    failpoint("agent.file.written")
    part.rename(path)
    if sync:
        sync_directory(path.parent)


def write_whole(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def sync_directory(path: Path) -> None:
    """Make names that were made, renamed or removed in it durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
