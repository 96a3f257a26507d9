"""One seed's story: a fleet, its users, and everything that goes wrong; then the network is made whole and all must end."""

from __future__ import annotations

from sim.faults import Faults
from sim.fleet import DAY, HOUR, MINUTE, Fleet
from sim.patches import patches
from sim.users import Users
from sim.world import Violation, World

LONGEST_END = 60 * DAY
PATIENCE = 2 * HOUR
LENGTHS = (5, 6, 8, 10, 12, 30)
"""How many things happen before the network is made whole: many short stories, and some long ones."""
LEAST_EVENTS = 200
"""A story in which less has happened goes on."""


class Scenario:
    def __init__(self, seed: int) -> None:
        self.world = world = World(seed)
        self.fleet = fleet = Fleet(world)
        self._users = Users(fleet)
        self._faults = Faults(fleet)
        self._trouble: float = world.random.choice((0.1, 0.3, 0.5))
        world.crash_rate = world.random.choice((0.0, 0.003, 0.012, 0.03))
        fleet.visitor = self._users.visit

    def run(self) -> None:
        """Violation when a rule is broken."""
        with patches(self.world, self.fleet) as errors:
            self._set_up()
            left = self.world.random.choice(LENGTHS) * (3 if self.fleet.planned else 1)
            while left > 0 or len(self.world.trace) < LEAST_EVENTS:
                left -= 1
                self.world.run(self.world.now + self.world.spread(10, self.fleet.scale // 2))
                self._something()
                self._check_errors(errors)
            self.fleet.make_whole()
            self._quiet()
            self._check_errors(errors)
            for rule, what in self.fleet.checks.ended():
                raise Violation(rule, str(what))

    def _set_up(self) -> None:
        self.world.chaos = False
        self.fleet.start_server()
        server = self.fleet.living_server
        assert server is not None
        for number in range(self.world.random.randint(1, 6)):
            self.fleet.register(server, f"web{number}")
        if self.fleet.planned:
            self._users.plan(server)
        self.world.chaos = True

    def _something(self) -> None:
        server = self.fleet.living_server
        if self.world.chance(self._trouble):
            self._faults.happen()
        elif server is not None:
            self.world.run_one(lambda: self._users.visit(server))

    def _quiet(self) -> None:
        """Until nothing is open; what takes longest is a call that its agent took and forgot."""
        begin = self.world.now
        self._settle(begin)
        if self.fleet.planned:
            self.world.run(max(self.world.now, begin + PATIENCE))
            if behind := self.fleet.left_behind():
                raise Violation("7 the newest plans count", behind)
            self._settle(begin)  # schedules have gone on meanwhile

    def _settle(self, begin: int) -> None:
        while unsettled := self.fleet.unsettled():
            passed = self.world.now - begin
            if passed > LONGEST_END:
                raise Violation("6 nothing waits for ever", unsettled)
            if passed >= PATIENCE and (behind := self.fleet.left_behind()):
                raise Violation("6 what can go on goes on", behind)
            self.world.run(self.world.now + (MINUTE if passed < HOUR else HOUR))

    def _check_errors(self, errors: list[str]) -> None:
        for agent in self.fleet.agents.values():
            errors += map(str, agent.loop.errors)
        if errors:
            raise Violation("10 no code of ours raises", errors[0])
