"""Planted faults: subtle ones for each invariant, and each durable step left out or swapped with its neighbour."""

from __future__ import annotations

from sim.planted_agent import AGENT_CALLS, AGENT_ORDER, AGENT_TIME
from sim.planted_ahead import AGENT_AHEAD
from sim.planted_plans import PLANS
from sim.planted_restarts import RESTARTS
from sim.planted_schedules import SCHEDULES
from sim.planted_server import SERVER_ORDER, SERVER_PEERS
from sim.planted_tasks import SERVER_TASKS

MUTATIONS = (
    *SERVER_ORDER,
    *SERVER_TASKS,
    *SERVER_PEERS,
    *PLANS,
    *SCHEDULES,
    *AGENT_ORDER,
    *AGENT_CALLS,
    *AGENT_TIME,
    *RESTARTS,
    *AGENT_AHEAD,
)
