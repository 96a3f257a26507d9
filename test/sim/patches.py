"""What a simulation changes in the production modules while it runs: chance, small limits, and an ear for swallowed errors."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pulp_agent.daemon
import pulp_agent.link

import pulp.common.ids
import pulp.server.api.registration
import pulp.server.async_.gateway
import pulp.server.async_.hello
import pulp.server.async_.keeps
import pulp.server.async_.news
import pulp.server.async_.outgoing
import pulp.server.async_.planner
import pulp.server.async_.replies
import pulp.server.async_.sweep
import pulp.server.tasking.fifo
import pulp.server.tasking.scheduler
from sim import rulebook
from sim.fleet import Fleet
from sim.kinds import Broken
from sim.patched import patched
from sim.world import World


class _Uuid:
    def __init__(self, world: World) -> None:
        self._world = world

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(int=self._world.random.getrandbits(128), version=4)


class _Now:
    def __init__(self, world: World) -> None:
        self.wall = world.now


class _Log(logging.Handler):
    """What is logged with a traceback is a bug, wherever it is swallowed."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.errors: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and not isinstance(record.exc_info[1], Broken):
            self.errors.append(self.format(record))


@contextmanager
def patches(world: World, fleet: Fleet) -> Iterator[list[str]]:
    """The errors that were logged. Limits are small, so that they are reached."""
    with ExitStack() as stack:
        for module, names in _names(world, fleet):
            stack.enter_context(patched(module, names))
        yield stack.enter_context(_listening())


def _names(world: World, fleet: Fleet) -> list[tuple[Any, dict[str, Any]]]:
    most, rules = fleet.most_unaccepted, {} if fleet.planned else {"Request": rulebook.ruled}
    batch = world.random.choice((1, 3, 200))
    registration = {
        "csr_key_fingerprint": lambda csr: f"key:{csr}",
        "fingerprint": lambda certificate: f"fp:{certificate}",
    }
    return [
        (pulp.common.ids, {"uuid": _Uuid(world)}),
        (pulp.server.api.registration, registration),
        (pulp.server.async_.outgoing, rules),
        (pulp.server.async_.gateway, {"MOST_UNACCEPTED": most}),
        (pulp.server.async_.hello, {"MOST_UNACCEPTED": most}),
        (pulp.server.async_.replies, {"BATCH": world.random.choice((1, 3, 500))}),
        (pulp.server.async_.sweep, {"CHUNK": world.random.choice((1, 100))}),
        (pulp.server.async_.planner, {"BATCH": batch, "CHUNK": world.random.choice((1, 50))}),
        (pulp.server.async_.news, {"BATCH": batch}),
        (pulp.server.async_.keeps, {"BATCH": batch}),
        (pulp.server.tasking.fifo, {"BATCH": batch}),
        (pulp.server.tasking.scheduler, {"BATCH": batch}),
        (pulp_agent.daemon, {"LONGEST_SLEEP": 3600.0}),
        (pulp_agent.link, {"instant": lambda: _Now(world)}),
    ]


@contextmanager
def _listening() -> Iterator[list[str]]:
    log = _Log()
    loggers = [logging.getLogger(name) for name in ("pulp", "pulp_agent")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
        logger.propagate = False
        logger.addHandler(log)
    try:
        yield log.errors
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(log)
            logger.setLevel(level)
            logger.propagate = propagate
