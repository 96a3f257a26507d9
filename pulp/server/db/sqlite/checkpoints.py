"""When the write-ahead log is moved into the database and cut short, so that it stays small beside long reads and heavy writing.

SQLite itself moves it (without waiting for anyone) at each commit that finds 1,000 pages in it, but it can start the log anew
only when no reader needs it, and never makes the file smaller on its own while it is in use.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pulp.server.db.base import StoreError
from pulp.server.db.sqlite.connection import Connection

LARGE = (
    256 * 1024 * 1024
)  # bytes of log after which the writer waits for readers rather than let it grow
PATIENCE = 1_000  # ms that it waits for them

log = logging.getLogger(__name__)


class Checkpoints:
    """Belongs to the writer's thread."""

    def __init__(self, db: Connection, log_file: Path, *, large: int = LARGE) -> None:
        self._db = db
        self._log_file = log_file
        self._large = large
        self._limit = large
        self.pending = True

    def committed(self) -> None:
        """After each commit."""
        self.pending = True
        size = self._size()
        if size >= self._limit:
            done = self._checkpoint("RESTART", PATIENCE)
            self._limit = self._large if done else size + self._large

    def idle(self) -> None:
        """When nothing is to be written: empty the log, unless a reader needs it; then it stays pending."""
        self.pending = not self._checkpoint("TRUNCATE", 0)

    def _checkpoint(self, kind: str, patience: int) -> bool:
        """Whether all of the log was moved. A failure harms nothing: the log stays and is moved later."""
        try:
            return self._db.checkpoint(kind, patience)
        except StoreError as error:
            log.warning("checkpoint failed", extra={"error": str(error)})
            return False

    def _size(self) -> int:
        try:
            return self._log_file.stat().st_size
        except OSError:
            return 0
