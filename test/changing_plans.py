"""A server world's windows as an API changes them, and tasks that are planned by them: the stage for tests of changed plans."""

from __future__ import annotations

from typing import Any

import pytest
from server_world import HOUR, START, World

from pulp.common.calendar import OneOff, Span
from pulp.messaging.base import Peer
from pulp.rmi.messages import Accepted
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.task import TaskRecord
from pulp.server.domain.window import NamedWindow, WindowRole
from pulp.server.tasking.opening import Opened, open_for
from pulp.server.tasking.wanted import Wanted

NIGHT = START + 10 * HOUR
LATER = START + 34 * HOUR


class Plans:
    """The world's windows, as an API changes them: the change and its mark in one unit of work."""

    def __init__(self, world: World) -> None:
        self.world = world

    def put(
        self, name: str, begin: int, *, role: WindowRole = WindowRole.WINDOW, length: int = 2 * HOUR
    ) -> None:
        """Make the window or change it; it holds everywhere, and opens once."""
        self.put_span(OneOff(name=name, begin=begin, end=begin + length), role)

    def put_span(self, span: Span, role: WindowRole = WindowRole.WINDOW) -> None:
        name = span.name
        made = NamedWindow(
            name=name, role=role, span=span, created_by="ann", created_at=START, everywhere=True
        )

        def job(uow: UnitOfWork) -> None:
            stored = uow.windows.get(name)
            if stored is None:
                uow.windows.add(made)
            else:
                uow.windows.save(NamedWindow(**{**_fields(made), "revision": stored.revision}))
            self._changed(uow, name)

        self.world.store.write(job)

    def freeze(self, name: str, begin: int, length: int) -> None:
        self.put(name, begin, role=WindowRole.FREEZE, length=length)

    def remove(self, name: str) -> None:
        def job(uow: UnitOfWork) -> None:
            uow.windows.remove(name)
            self._changed(uow, name)

        self.world.store.write(job)

    def enforce(self, enforced: bool, name: str = "web1") -> None:
        def job(uow: UnitOfWork) -> None:
            consumer = uow.consumers.get(name)
            assert consumer is not None
            uow.consumers.save(consumer.replace(enforced=enforced))
            self.world.plans.changed(uow, None, [name], self.world.now)

        self.world.store.write(job)

    def _changed(self, uow: UnitOfWork, name: str) -> None:
        self.world.plans.changed(uow, name, None, self.world.now)

    def install(self, asked: str = "nights", **timing: Any) -> str:
        """A task that is planned by the host's present calendar."""
        world = self.world

        def opened(uow: UnitOfWork) -> Opened:
            consumer = uow.consumers.get("web1")
            assert consumer is not None
            found = open_for(Wanted(asked=asked), consumer, uow.windows.of(consumer), at=world.now)
            assert isinstance(found, Opened), found
            return found

        plan = world.store.read(opened)
        when = {"window": plan.window, "rule": plan.rule, "expires": plan.expires}
        return world.install("web1", **when, **timing)

    def held(self, peer: Peer, asked: str = "nights") -> str:
        """Sent, and accepted by the agent, which waits."""
        task_id = self.install(asked)
        self.world.step()
        starts = (self.task(task_id).window or pytest.fail()).begin
        self.world.reply(peer, Accepted(id=task_id, state="held", starts=starts))
        self.world.take_sent()
        return task_id

    def task(self, task_id: str) -> TaskRecord:
        return self.world.task(task_id)


def _fields(window: NamedWindow) -> dict[str, Any]:
    return {name: getattr(window, name) for name in window.__struct_fields__}
