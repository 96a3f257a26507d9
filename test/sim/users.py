"""What people ask of the server's API; what is answered counts as acknowledged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pulp.common.errors import PulpError
from pulp.rmi.interfaces import PING, NoArgs, Policy
from pulp.server.api.restarts import RebootBody
from pulp.server.api.types import (
    ActionBody,
    PackagesActionBody,
    RetryBody,
    UpdateAllBody,
    WindowBody,
)
from pulp.server.domain.user import Principal, Role
from sim.fleet import SECOND, Fleet
from sim.kinds import BROKEN, Broken, future_task
from sim.planning import Planning
from sim.recurring import Recurring
from sim.server import Server

NAMES = ("ann", "bob", "eve")


class Users:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._world = fleet.world
        self._packages = 0
        self._shared: tuple[int, int] | None = None
        self._acts = {
            self._act: 60,
            self._burst: 6,
            self._cancel: 20,
            self._retry: 4,
            self._unregister: 1,
            self._register_again: 2,
            self._ping: 3,
            self._ask_of_the_future: 2,
        }
        if fleet.restarting:
            self._acts[self._reboot] = 40
        self._planning = planning = Planning(fleet)
        if fleet.scheduled:
            recurring = Recurring(fleet)
            self._acts |= {recurring.make: 25, recurring.delete: 4}
        if fleet.planned:
            self._acts |= {
                planning.draw: 40,
                planning.bind: 20,
                planning.delete: 10,
                planning.enforce: 12,
                self._ask_in_window: 90,
            }

    def visit(self, server: Server) -> None:
        """Somebody does something; a refusal is an answer too."""
        who = Principal(self._world.random.choice(NAMES), Role.ADMIN)
        act = self._world.random.choices(list(self._acts), list(self._acts.values()))[0]
        try:
            act(server, who)
        except PulpError as error:
            self._world.note("refused", error.code, str(error)[:80])
        except Broken:
            self._world.note("refused", "internal")

    def _consumer(self) -> str:
        return self._world.random.choice(self._fleet.consumers())

    def _act(self, server: Server, who: Principal, name: str | None = None) -> None:
        rng, api = self._world.random, server.consumers
        name, timing = name or self._consumer(), self._timing()
        kinds = ("install", "update", "remove", "update_all", "refresh")
        kind = rng.choices(kinds, (8, 3, 3, 1, 1))[0]
        dry_run = rng.random() < 0.1
        if kind == "refresh":
            view = api.refresh_profile(who, name, ActionBody(**timing))
        elif kind == "update_all":
            view = api.update_all(who, name, UpdateAllBody(dry_run=dry_run, **timing))
        else:
            policy = self._policy()
            body = PackagesActionBody(
                packages=[self._package()], policy=policy, dry_run=dry_run, **timing
            )
            view = getattr(api, kind)(who, name, body)
        self._acknowledged(view.id, who, kind, name, timing)

    def _policy(self) -> Policy:
        if not self._fleet.restarting or self._world.chance(0.6):
            return Policy()
        return Policy(reboot=self._world.random.choice(("if_needed", "always")))

    def _reboot(self, server: Server, who: Principal) -> None:
        rng, name, timing = self._world.random, self._consumer(), self._timing()
        delay = rng.choice((None, "1s", "90s", "20m"))
        body = RebootBody(
            if_needed=rng.random() < 0.3,
            delay=delay,
            back_within=rng.choice(("1m", "30m", "1d")),
            **timing,
        )
        view = server.consumers.restarts.reboot(who, name, body)
        self._acknowledged(view.id, who, "reboot", name, timing)

    def _package(self) -> str:
        self._packages += 1
        kind = self._world.random.choice(BROKEN) if self._world.chance(0.08) else "p"
        return f"{kind}{self._packages}"

    def _acknowledged(
        self, task_id: str, who: Principal, kind: str, name: str, timing: dict[str, Any]
    ) -> None:
        self._fleet.checks.acknowledged[task_id] = who.login
        told = (f"{key}={value}" for key, value in timing.items())
        self._world.note(who.login, "asks", kind, name, task_id, *told)

    def _timing(self) -> dict[str, Any]:
        rng, scale = self._world.random, self._fleet.scale
        within = rng.choice((1, 2, 3)) * SECOND
        if rng.random() < 0.8:
            within = self._world.spread(SECOND, 20 * scale)
        timing: dict[str, Any] = {
            "timeout": f"{rng.choice((2, 60, 7200))}s",
            "deliver_within": f"{max(1, within // SECOND)}s",
        }
        if rng.random() < 0.35:
            timing["window"] = self._window()
        elif rng.random() < 0.15:
            timing["not_before"] = _moment(self._world.now + self._world.spread(SECOND, scale))
        return timing

    def _window(self) -> WindowBody:
        """Often the one that others use too."""
        rng, now, scale = self._world.random, self._world.now, self._fleet.scale
        if self._shared is None or self._shared[1] <= now or rng.random() < 0.4:
            begin = now + rng.choice((-scale, scale // 10, scale, 3 * scale))
            end = begin + self._world.spread(2 * SECOND, 3 * scale)
            self._shared = begin, max(now + SECOND, end)
        begin, end = self._shared
        return WindowBody(begin=_moment(begin), end=_moment(end))

    def plan(self, server: Server) -> None:
        """Before anything else there are some windows."""
        for _ in range(self._world.random.randint(1, 4)):
            self._planning.draw(server, Principal("ann", Role.ADMIN))

    def _ask_in_window(self, server: Server, who: Principal) -> None:
        task_id, name, wish = self._planning.ask(server, who)
        self._acknowledged(task_id, who, "install", name, wish)

    def _burst(self, server: Server, who: Principal) -> None:
        name = self._consumer()
        for _ in range(self._world.random.randint(3, 7)):
            self._act(server, who, name)

    def _cancel(self, server: Server, who: Principal) -> None:
        opened = [t.id for t in self._fleet.checks.tasks.values() if not t.state.final]
        if opened:
            task_id = self._world.random.choice(opened)
            server.tasks.cancel(who, task_id)
            self._world.note(who.login, "cancels", task_id)

    def _retry(self, server: Server, who: Principal) -> None:
        """The same once more, as a task of its own."""
        over = [t.id for t in self._fleet.checks.tasks.values() if t.state.final]
        if over:
            first = self._world.random.choice(over)
            view = server.tasks.retry(who, first, RetryBody(window=None))
            self._fleet.checks.retried(first, view.id)
            self._acknowledged(view.id, who, "again", first, {})

    def _unregister(self, server: Server, who: Principal) -> None:
        name = self._consumer()
        self._world.note(who.login, "unregisters", name)
        server.consumers.unregister(who, name)

    def _register_again(self, server: Server, who: Principal) -> None:
        self._fleet.register(server, self._consumer())

    def _ping(self, server: Server, who: Principal) -> None:
        """A call that is no task; its answer comes within a while or is given up."""
        call_id, _ = server.pending.open()
        self._fleet.checks.pings.add(call_id)
        server.gateway.call_now(self._consumer(), call_id, PING, NoArgs())
        server.later(10 * SECOND, lambda: server.pending.close(call_id))

    def _ask_of_the_future(self, server: Server, who: Principal) -> None:
        """A task that a newer server has stored, before this one took its place."""
        name, timing = (
            self._consumer(),
            {"deliver_within": 5 * self._fleet.scale, "timeout": 60_000},
        )
        record = future_task(name, who.login, self._world.now, timing)
        if server.store.read(lambda uow: uow.consumers.get(name)) is not None:
            server.store.write(lambda uow: server.queue.enqueue(uow, record))
            self._acknowledged(record.id, who, "future", name, timing)


def _moment(ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
