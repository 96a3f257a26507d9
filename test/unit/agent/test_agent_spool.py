"""One execution's folder on a disk that is full."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from pulp_agent import spool as spool_module
from pulp_agent.spool import Spool


def test_a_lock_that_cannot_be_written_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    spool = Spool(tmp_path)
    monkeypatch.setattr(spool_module, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        spool.lock()
    monkeypatch.undo()
    assert not spool.alive()
    lock = spool.lock()
    assert lock is not None and spool.alive()
    os.close(lock)
