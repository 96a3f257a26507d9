"""Peers that talk nonsense, lie, repeat themselves, or are of another release."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from pulp.common.ids import new_id
from pulp.messaging.amqp.link import Incoming, Outcome
from pulp.messaging.base import Message, PeerCertificate
from pulp.rmi.interfaces import PackagesResult
from pulp.rmi.messages import Started, Succeeded, Unknown
from pulp.server.domain.task import TaskState
from sim.connection import Connection
from sim.fleet import HOUR, MINUTE, Fleet
from sim.host import Host

NONSENSE = (
    b"\xff\x00",
    b'{"type":"unheard-of","v":9}',
    b'{"type":"succeeded","v":1}',
    b'{"type":"started","v":1,"id":"x","at":"soon"}',
)
"""From an agent."""

UNTAKABLE = (
    {"method": "explode"},
    {"needs": ["time-travel"]},
    {"version": 7},
    {"v": 2},
    {"args": {"packages": []}},
    {"timeout": "long"},
    {"type": "demand"},
)
"""How a request of another release may differ from one that can be taken."""


class Nonsense:
    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._world = fleet.world
        self._confused: float = fleet.world.random.choice((0.0, 0.0, 0.0, 0.05))
        fleet.network.overhear = self._deny

    def _deny(self, connection: Connection, message: Message) -> None:
        """Now and then a host first says that it never heard of what it is sent."""
        call_id = message.correlation_id
        if message.subject != "request" or call_id is None or not self._world.chaos:
            return
        if self._world.chance(self._confused):
            body = msgspec.json.encode(Unknown(id=call_id))
            self._fleet.network.inject_up(connection, _message(body, "unknown", call_id))

    def _connection(self) -> Connection | None:
        connections = list(self._fleet.network.connections.values())
        return self._world.random.choice(connections) if connections else None

    def talk(self) -> None:
        connection = self._connection()
        if connection is not None:
            body = self._world.random.choice(NONSENSE)
            self._fleet.network.inject_up(connection, _message(body, "nonsense"))

    def lie(self) -> None:
        """A host speaks about another one's task."""
        connection = self._connection()
        if connection is None:
            return
        consumer = self._fleet.disk.look().consumers.by_uid(connection.peer.identity)
        mine = consumer.id if consumer else ""
        tasks = self._fleet.checks.tasks.values()
        others = [t.id for t in tasks if t.consumer_id != mine and not t.state.final]
        if others:
            task_id, now = self._world.random.choice(others), self._world.now
            value = Raw(msgspec.json.encode(PackagesResult(backend="lie", changed=True)))
            lie = self._world.random.choice(
                (
                    Succeeded(id=task_id, value=value, started=now, finished=now),
                    Started(id=task_id, at=now),
                )
            )
            self._world.note(connection.agent.name, "lies about", task_id)
            self._fleet.network.inject_up(
                connection, _message(msgspec.json.encode(lie), "lie", task_id)
            )

    def redeliver(self) -> None:
        """A request comes twice, as it may from a broker; or an old plan or calendar does."""
        connection = self._connection()
        plans = self._fleet.checks.plans.get(connection.peer.identity) if connection else None
        if connection is not None and plans and self._world.chance(0.6):
            body = self._world.random.choice(plans)
            self._fleet.network.inject_down(connection, _message(body, "again"))
        elif connection is not None and connection.requested:
            call_id = self._world.random.choice(sorted(connection.requested))
            body = self._fleet.checks.requests.get(call_id)
            if body is not None:
                self._fleet.network.inject_down(connection, _message(body, "again", call_id))

    def say_unknown(self) -> None:
        """An answer to a query that nobody remembers."""
        connection = self._connection()
        if connection is None:
            return
        consumer = self._fleet.disk.look().consumers.by_uid(connection.peer.identity)
        mine = consumer.id if consumer else ""
        tasks = self._fleet.checks.tasks.values()
        ours = [t.id for t in tasks if t.consumer_id == mine and t.call is not None]
        waiting = [i for i in ours if self._fleet.checks.tasks[i].state is TaskState.WAITING]
        if waiting and self._world.chance(0.7):
            ours = waiting
        if ours:
            task_id = self._world.random.choice(ours)
            body = msgspec.json.encode(Unknown(id=task_id))
            self._world.note(connection.agent.name, "says unknown", task_id)
            self._fleet.network.inject_up(connection, _message(body, "unknown", task_id))

    def impersonate(self) -> None:
        """Somebody has the name in a certificate of his own."""
        host = self._fleet.any_host()
        agent = self._fleet.agent(host)
        if agent is not None:
            self._fleet.network.dial(
                agent,
                _Nobody(),
                PeerCertificate(host.uid, "fp:forged"),
                reachable=lambda: True,
                made=lambda _connection: None,
                failed=lambda _error: None,
            )

    def ask_the_untakable(self) -> None:
        connection = self._connection()
        if connection is None:
            return
        host: Host = connection.agent.host  # type: ignore[attr-defined]
        now, call_id = self._world.now, new_id()
        request = {
            "type": "request",
            "v": 1,
            "id": call_id,
            "consumer": host.consumer_id,
            "class": "Packages",
            "method": "install",
            "version": 1,
            "args": {"packages": [{"name": "p"}]},
            "by": "ann",
            "issued": now,
            "needs": [],
            "window": None,
            "plan": 1,
            "accept_by": now + HOUR,
            "expires": now + HOUR,
            "timeout": MINUTE,
        }
        body = msgspec.json.encode(request | self._world.random.choice(UNTAKABLE))
        self._fleet.checks.untakable.add(call_id)
        self._fleet.network.inject_down(connection, _message(body, "untakable", call_id))


class _Nobody:
    def opened(self) -> None: ...

    def received(self, incoming: Incoming) -> None: ...

    def settled(self, tag: int, outcome: Outcome) -> None: ...

    def closed(self, reason: str, condition: str | None) -> None: ...


def _message(body: bytes, subject: str, call_id: str | None = None) -> Message:
    return Message(body=body, id=new_id(), subject=subject, correlation_id=call_id)
