"""The ten invariants (ARCHITECTURE.md), checked at every step that could break one."""

from __future__ import annotations

from sim.checks_agent import AgentChecks
from sim.checks_server import ServerChecks
from sim.checks_store import StoreChecks


class Checks(StoreChecks, ServerChecks, AgentChecks):
    """Each rule is named by the number of its invariant."""
