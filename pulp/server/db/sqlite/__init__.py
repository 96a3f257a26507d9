"""The embedded store: one SQLite file in the data directory. Only bootstrap picks it; sqlite3 is imported nowhere else."""

from pulp.server.db.sqlite.errors import StoreDamaged, StoreLocked, StoreTooNew
from pulp.server.db.sqlite.store import SqliteStore, snapshot

__all__ = ["SqliteStore", "StoreDamaged", "StoreLocked", "StoreTooNew", "snapshot"]
