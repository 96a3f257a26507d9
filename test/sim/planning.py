"""Admins who draw windows and freezes, bind, enforce, move and delete them, and people who ask for work in them. Each change and
its mark are one unit of work, as in the API. All spans happen once, so that the checks can tell by themselves what is open."""

from __future__ import annotations

from typing import Any

import msgspec

from pulp.common.calendar import OneOff
from pulp.server.api.errors import NotFound
from pulp.server.api.types import OverrideBody, PackagesActionBody
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.user import Principal
from pulp.server.domain.window import NamedWindow, WindowRole
from sim.fleet import SECOND, Fleet
from sim.server import Server

WINDOWS = ("w0", "w1", "w2", "w3")
FREEZES = ("f0", "f1")


class Planning:
    """What users do; each takes the server and who it is."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._world = fleet.world

    def draw(self, server: Server, who: Principal) -> None:
        """Make a window or freeze, or move one."""
        rng = self._world.random
        name = rng.choice(WINDOWS if rng.random() < 0.75 else FREEZES)
        made = self._span(name)
        self._world.note(who.login, "draws", made.span, "everywhere" if made.everywhere else "")
        server.store.write(lambda uow: self._put(uow, server, made))

    def _span(self, name: str) -> NamedWindow:
        rng, scale = self._world.random, self._fleet.scale
        begin = self._world.now + rng.choice((-scale // 2, scale // 10, scale, 3 * scale))
        end = begin + self._world.spread(5 * SECOND, 3 * scale)
        role = WindowRole.WINDOW if name in WINDOWS else WindowRole.FREEZE
        cutoff = "1m" if role is WindowRole.WINDOW and rng.random() < 0.3 else None
        return NamedWindow(
            name=name,
            role=role,
            span=OneOff(name=name, begin=begin, end=max(end, begin + 61 * SECOND), cutoff=cutoff),
            created_by="ann",
            created_at=self._world.now,
            everywhere=rng.random() < 0.5,
        )

    def _put(self, uow: UnitOfWork, server: Server, made: NamedWindow) -> None:
        stored = uow.windows.get(made.name)
        if stored is None:
            uow.windows.add(made)
        else:
            uow.windows.save(msgspec.structs.replace(made, revision=stored.revision))
        everywhere = made.everywhere or (stored is not None and stored.everywhere)
        ids = None if everywhere else uow.consumers.bound_to(made.name)
        server.plans.changed(uow, made.name, ids, self._world.now)

    def delete(self, server: Server, who: Principal) -> None:
        name = self._world.random.choice(WINDOWS + FREEZES)

        def job(uow: UnitOfWork) -> None:
            stored = uow.windows.get(name)
            if stored is None:
                return
            bound = uow.consumers.bound_to(name)
            for each in bound:
                consumer = uow.consumers.get(each)
                if consumer is not None:
                    left = [w for w in consumer.windows if w != name]
                    uow.consumers.save(consumer.replace(windows=left))
            uow.windows.remove(name)
            ids = None if stored.everywhere else bound
            server.plans.changed(uow, name, ids, self._world.now)

        self._world.note(who.login, "deletes", name)
        server.store.write(job)

    def bind(self, server: Server, who: Principal) -> None:
        """Or unbind, or both."""
        rng, name = self._world.random, self._consumer()
        names = [each for each in WINDOWS + FREEZES if rng.random() < 0.4]

        def job(uow: UnitOfWork) -> None:
            consumer = uow.consumers.get(name)
            if consumer is not None:
                known = [each for each in names if uow.windows.get(each)]
                uow.consumers.save(consumer.replace(windows=known))
                server.plans.changed(uow, None, [name], self._world.now)

        self._world.note(who.login, "binds", name, *names)
        server.store.write(job)

    def enforce(self, server: Server, who: Principal) -> None:
        name, enforced = self._consumer(), self._world.chance(0.5)

        def job(uow: UnitOfWork) -> None:
            consumer = uow.consumers.get(name)
            if consumer is not None:
                uow.consumers.save(consumer.replace(enforced=enforced))
                server.plans.changed(uow, None, [name], self._world.now)

        self._world.note(who.login, "enforces" if enforced else "lets free", name)
        server.store.write(job)

    def ask(self, server: Server, who: Principal) -> tuple[str, str, dict[str, Any]]:
        """Work in a window of the host, or in spite of all of them. The task, its consumer, and what was asked."""
        rng, name = self._world.random, self._consumer()
        wish = self._wish(server.store.read(lambda uow: _windows_of(uow, name)))
        package = f"w{rng.randrange(10**6)}"
        within = self._world.spread(SECOND, 20 * self._fleet.scale) // SECOND
        body = PackagesActionBody(
            packages=[package], timeout="60s", deliver_within=f"{max(1, within)}s", **wish
        )
        view = server.consumers.install(who, name, body)
        return view.id, name, wish

    def _wish(self, theirs: list[str]) -> dict[str, Any]:
        rng = self._world.random
        if rng.random() < 0.15:
            return {"override": OverrideBody(reason="fire")}
        wish: dict[str, Any] = {"window": rng.choice((*["next"] * 3, *(theirs or WINDOWS)))}
        missed = rng.choice((None, None, "next", "miss", "grace"))
        if missed is not None:
            wish["missed"] = missed
        if missed == "grace":
            wish["grace"] = f"{max(1, self._fleet.scale // SECOND)}s"
        if rng.random() < 0.7:
            wish["expected"] = "0s"
        return wish

    def _consumer(self) -> str:
        return self._world.random.choice(self._fleet.consumers())


def _windows_of(uow: UnitOfWork, consumer_id: str) -> list[str]:
    consumer = uow.consumers.get(consumer_id)
    if consumer is None:
        raise NotFound(f"there is no consumer {consumer_id}")
    return [each.name for each in uow.windows.of(consumer) if each.role is WindowRole.WINDOW]
