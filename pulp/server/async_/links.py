"""The agents' live connections, as the API needs them: a ping, and the end of one."""

from __future__ import annotations

import time

from pulp.messaging.base import Bus
from pulp.server.agent import Agent, AgentOffline, Pending
from pulp.server.async_.gateway import Gateway
from pulp.server.db.base import Store

PING_TIMEOUT = 10.0  # seconds


class Links:
    def __init__(self, bus: Bus, store: Store, gateway: Gateway, pending: Pending) -> None:
        self._bus = bus
        self._store = store
        self._gateway = gateway
        self._pending = pending

    def ping(self, uid: str) -> float:
        """The round trip in ms; AgentOffline when there is none."""
        consumer = self._store.read(lambda uow: uow.consumers.by_uid(uid))
        if consumer is None:
            raise AgentOffline("The consumer is not registered.")
        agent = Agent(consumer.id, self._pending, self._gateway.call_now, timeout=PING_TIMEOUT)
        begin = time.perf_counter()
        agent.system.ping()
        return (time.perf_counter() - begin) * 1000

    def close(self, uid: str) -> None:
        self._bus.close_identity(
            uid, "amqp:unauthorized-access", "this consumer is no longer registered"
        )
