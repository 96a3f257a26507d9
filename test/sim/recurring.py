"""People who make schedules and delete them. Every schedule has an end, so that a story has one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pulp.server.api.schedule_types import ScheduleBody
from pulp.server.domain.user import Principal
from sim.fleet import HOUR, MINUTE, Fleet
from sim.server import Server

RUNS = 4
"""So many occurrences at most; the story waits for the last."""


class Recurring:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._world = fleet.world
        self._made = 0

    def make(self, server: Server, who: Principal) -> None:
        rng, world = self._world.random, self._world
        self._made += 1
        name = f"s{self._made}"
        begin = world.now + world.spread(MINUTE, max(2 * MINUTE, self._fleet.scale)) + MINUTE
        rule = "FREQ=HOURLY" if self._fleet.scale < HOUR else "FREQ=DAILY"
        hosts = self._fleet.consumers()
        body = ScheduleBody(
            name=name,
            action="install",
            packages=[name],
            consumers=rng.sample(hosts, rng.randint(1, len(hosts))),
            rrule=f"{rule};COUNT={rng.randint(1, RUNS)}",
            dtstart=_minute(begin),
            zone="UTC",
            missed=rng.choice(("skip", "once")),
            runs=rng.choice((None, None, 2)),
            failure_threshold=rng.choice((None, 2)),
            window=rng.choice((None, "next")) if self._fleet.planned else None,
            deliver_within="1h",
            timeout="60s",
        )
        world.note(who.login, "schedules", name, body.rrule, body.dtstart, *body.consumers)
        server.schedules.create(who, body)

    def delete(self, server: Server, who: Principal) -> None:
        if self._made:
            name = f"s{self._world.random.randint(1, self._made)}"
            self._world.note(who.login, "deletes", name)
            server.schedules.delete(who, name)


def _minute(ms: int) -> str:
    """The minute that it lies in: a schedule counts in minutes."""
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms):%Y-%m-%dT%H:%M}"
