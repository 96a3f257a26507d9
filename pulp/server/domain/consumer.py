"""A managed host and what its agent last said of itself."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from pulp.server.domain.task import Json

DUPLICATE_IDENTITY = "duplicate-identity"
CLOCK_SKEW = "clock-skew"


class AgentInfo(Struct, frozen=True, kw_only=True):
    """The last hello. `methods`: path → versions, as in docs/WIRE.md."""

    version: str
    protocols: list[int]
    methods: dict[str, list[int]]
    features: list[str]
    boot_id: str
    timezone: str
    os: dict[str, Any]
    journal_id: str
    journal_seq: int


class Consumer(Struct, frozen=True, kw_only=True):
    """`uid` is random and never used twice: the certificate's CN. `fingerprints`: the certificates that may connect
    (two while one is being renewed). `windows`: the names of the windows and freezes that are bound to it. `enforced`: nothing
    changes the host outside of them. `keep_plan`: rises by one whenever that changes, and never goes back. `replanned`: the
    keep_plan by which its open tasks were last planned, or any lower number where they must be planned anew."""

    id: str
    uid: str
    registered_at: int
    fingerprints: list[str]
    csr_fingerprint: (
        str  # of the CSR's public key: the same key with the same token is the same registration
    )
    certificate: str  # PEM, the newest issued
    display_name: str = ""
    notes: dict[str, str] = {}
    online: bool = False
    last_seen: int | None = None
    clock_offset: int | None = None  # ms the agent's clock is ahead of the server's
    agent: AgentInfo | None = None
    flags: list[str] = []
    windows: list[str] = []
    enforced: bool = False
    keep_plan: int = 0
    replanned: int = 0

    def replace(self, **changes: Any) -> Consumer:
        return msgspec.structs.replace(self, **changes)

    def to_replan(self) -> Consumer:
        """Marked: its open tasks must be planned anew. `replanned` is another one each time, by which whoever is at it sees that
        there is more."""
        return self.replace(replanned=min(self.replanned, self.keep_plan) - 1)


class StoredProfile(Struct, frozen=True, kw_only=True):
    """The installed packages as last reported; `packages` is a JSON list of messages.InstalledPackage."""

    consumer_id: str
    hash: str
    at: int
    packages: Json
