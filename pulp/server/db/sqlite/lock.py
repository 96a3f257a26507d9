"""The lock on the data directory: one process at a time has the store open."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pulp.server.db.base import StoreUnavailable
from pulp.server.db.sqlite.errors import StoreLocked

FILE = "pulp.lock"


class DirectoryLock:
    """Held from construction to release(); the kernel gives it back when the process dies. The file stays: removing it
    would let two processes lock two different files of one name."""

    def __init__(self, directory: Path) -> None:
        self._fd = _open(directory)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip()
            os.close(self._fd)
            if not isinstance(error, BlockingIOError):
                raise StoreUnavailable(
                    f"the data directory {directory} cannot be locked: {error}"
                ) from error
            raise StoreLocked(
                f"the data directory {directory} is in use by process {holder or 'unknown'}: "
                "stop that process, or give this one a directory of its own"
            ) from None
        self._note(str(os.getpid()))

    def release(self) -> None:
        """Once only."""
        self._note("")
        os.close(self._fd)

    def _note(self, text: str) -> None:
        """Best effort: a full disk must not keep the store from opening."""
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, text.encode("ascii"), 0)
        except OSError:
            return


def _open(directory: Path) -> int:
    try:
        return os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except FileNotFoundError:
        raise StoreUnavailable(
            f"the data directory {directory} does not exist: create it first"
        ) from None
    except NotADirectoryError:
        raise StoreUnavailable(
            f"the data directory {directory} is a file, not a directory"
        ) from None
    except OSError as error:
        raise StoreUnavailable(
            f"the data directory {directory} cannot be written: {error.strerror}"
        ) from error
