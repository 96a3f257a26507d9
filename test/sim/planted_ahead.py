"""Planted faults of fetching ahead of an opening."""

from __future__ import annotations

from sim.mutating import Edit, mutation

AHEAD = "pulp_agent.ahead:Ahead"
EXECUTION = "pulp_agent.execution:Execution"

AGENT_AHEAD = (
    mutation(
        7,
        "what is fetched ahead is installed too",
        Edit(
            "pulp_agent.job:FetchOnlyJob.begin_commit",
            "return False",
            "return super().begin_commit()",
        ),
    ),
    mutation(
        7,
        "a fetch ahead is run as the work itself",
        Edit(
            "pulp_agent.job:job_of",
            "FetchOnlyJob if request.fetch_only else SpoolJob",
            "SpoolJob",
        ),
    ),
    mutation(
        7,
        "the opening waits for what is fetched ahead",
        Edit(
            f"{EXECUTION}._fill",
            "while self._lanes.admits(lane) and",
            "while self._ahead._fetch is None and self._lanes.admits(lane) and",
        ),
    ),
    mutation(
        7,
        "what is fetched ahead goes on beside the work",
        Edit(f"{EXECUTION}._start", "self._ahead.give_way()", "pass"),
    ),
    mutation(
        7,
        "packages are fetched ahead while others change",
        Edit(
            f"{EXECUTION}.pump",
            "idle=self._lanes.busy_with is None and",
            "idle=",
        ),
    ),
    mutation(
        7,
        "packages are fetched ahead for calls that do not wish it",
        Edit(f"{AHEAD}.expect", "not call.window.predownload", "False"),
    ),
    mutation(
        7,
        "packages are fetched ahead for a call that was called off",
        Edit(f"{EXECUTION}._end", "self._ahead.drop(call.id)", "pass"),
    ),
    mutation(
        7,
        "what an earlier agent was fetching goes on beside the work",
        Edit(f"{EXECUTION}.begin", "self._ahead.end_all()", "pass"),
    ),
)
