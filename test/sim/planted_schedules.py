"""Planted faults of schedules: what a run makes, and what is counted of those that were missed."""

from __future__ import annotations

from sim.mutating import Edit, mutation

RUNNER = "pulp.server.api.schedule_runs"

SCHEDULES = (
    mutation(
        6,
        "a run that is still open is doubled",
        Edit(
            f"{RUNNER}:ScheduleRunner._ran",
            "if consumer_id in schedule.last_tasks:",
            "if False:",
        ),
    ),
    mutation(
        6,
        "occurrences that nobody looked at are not counted",
        Edit(
            "pulp.server.domain.schedule:passed_over",
            "schedule.counts.missed + turned.missed",
            "schedule.counts.missed",
        ),
        elsewhere="no server is away for long here: test_what_is_passed_over_takes_no_run_away",
    ),
    mutation(
        6,
        "a run's tasks are made and its schedule is stored by itself",
        Edit(
            f"{RUNNER}:ScheduleRunner._run",
            "uow.schedules.save(self._ran(uow, weighed, turned, turned.run, now))",
            "ran = self._ran(uow, weighed, turned, turned.run, now)\n"
            "uow.after_commit(lambda: self._store.submit(lambda later: later.schedules.save(ran)))",
        ),
        elsewhere="rarely met here: test_none_is_lost_and_none_is_made_twice",
    ),
)
