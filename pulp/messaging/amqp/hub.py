"""All connections of a listener, by serial number and by identity. Lives on the listener's loop."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pulp.messaging.amqp.driver import Ended
from pulp.messaging.amqp.limits import Limits
from pulp.messaging.amqp.model import Condition
from pulp.messaging.amqp.primitives import Malformed
from pulp.messaging.amqp.pump import Pump
from pulp.messaging.amqp.server import ServerConnection, ServerDelivery
from pulp.messaging.base import Authenticate, Delivery, Peer, Receiver

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """For metrics: the gauges `connections` and `peers`, and counters since the start."""

    connections: int
    peers: int
    accepted: int
    messages_in: int
    messages_out: int
    malformed: int
    refused: dict[str, int]
    """By reason: `tls`, `too-many-connections`, or the AMQP condition a link was refused with."""
    ended: dict[str, int]
    """By driver.Ended."""


class ConnectionHub:
    """Implements server.Hub, and the Bus's operations as they are done on the loop."""

    def __init__(
        self, pump: Pump, receiver: Receiver, authenticate: Authenticate, limits: Limits
    ) -> None:
        self.limits = limits
        self.authenticate = authenticate
        self._pump = pump
        self._receiver = receiver
        self._serial = 0
        self._connections: dict[int, ServerConnection] = {}
        self._identities: dict[str, set[ServerConnection]] = {}
        self._peers = 0
        self._messages_in = 0
        self._messages_out = 0
        self._malformed = 0
        self._refused: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()

    # --- the acceptor's side ---

    def admit(self, address: str) -> ServerConnection | None:
        """A new connection from `address`, unless there are too many."""
        if len(self._connections) >= self.limits.max_connections:
            self.count_refused("too-many-connections", address)
            return None
        self._serial += 1
        return ServerConnection(self._pump, self, self._serial, address)

    def count_refused(self, reason: str, description: str) -> None:
        self._refused[reason] += 1
        _log.info("A peer was refused", extra={"reason": reason, "description": description})

    # --- the connections' side ---

    def connected(self, connection: ServerConnection) -> None:
        self._connections[connection.serial] = connection

    def authenticated(self, connection: ServerConnection) -> None:
        self._identities.setdefault(connection.grant.identity, set()).add(connection)

    def attached(self, connection: ServerConnection) -> None:
        self._peers += 1
        self._receiver.attached(connection.peer)

    def received(self, delivery: ServerDelivery) -> None:
        self._messages_in += 1
        self._receiver.received(delivery)

    def malformed(self, connection: ServerConnection, error: Malformed) -> None:
        self._malformed += 1
        _log.warning(
            "A message was malformed", extra={"peer": connection.label, "error": str(error)}
        )

    def refused(self, connection: ServerConnection, reason: str, description: str) -> None:
        self.count_refused(reason, f"{connection.label}: {description}")

    def sent(self, count: int) -> None:
        self._messages_out += count

    def gone(
        self, connection: ServerConnection, reason: Ended, condition: Condition | None
    ) -> None:
        self._ended[reason.value] += 1
        self._forget(connection)
        extra = {"peer": connection.label, "reason": reason.value, "condition": str(condition)}
        _log.info("A connection ended", extra=extra)
        if connection.up:
            self._peers -= 1
            self._receiver.detached(connection.peer, reason.value)

    def _forget(self, connection: ServerConnection) -> None:
        self._connections.pop(connection.serial, None)
        same = self._identities.get(connection.label)
        if same is not None:
            same.discard(connection)
            if not same:
                del self._identities[connection.label]

    # --- the bus's side ---

    def send(self, peer: Peer, messages: Sequence[bytes]) -> None:
        connection = self._connections.get(peer.connection)
        if connection is not None:
            connection.guarded(connection.send, messages)

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        by_connection: dict[ServerConnection, list[ServerDelivery]] = {}
        for delivery in deliveries:
            if isinstance(delivery, ServerDelivery):
                by_connection.setdefault(delivery.connection, []).append(delivery)
        for connection, its in by_connection.items():
            connection.guarded(connection.settle, its)

    def close(self, peer: Peer, condition: Condition) -> None:
        connection = self._connections.get(peer.connection)
        if connection is not None:
            connection.close(Ended.CLOSED_HERE, condition)

    def close_identity(self, identity: str, condition: Condition) -> None:
        for connection in list(self._identities.get(identity, ())):
            connection.close(Ended.CLOSED_HERE, condition)

    def close_all(self, condition: Condition) -> None:
        for connection in list(self._connections.values()):
            connection.close(Ended.CLOSED_HERE, condition)

    def abort_all(self) -> None:
        for connection in list(self._connections.values()):
            connection.abort(Ended.CLOSED_HERE)

    @property
    def empty(self) -> bool:
        return not self._connections

    def snapshot(self) -> Snapshot:
        return Snapshot(
            connections=len(self._connections),
            peers=self._peers,
            accepted=self._serial,
            messages_in=self._messages_in,
            messages_out=self._messages_out,
            malformed=self._malformed,
            refused=dict(self._refused),
            ended=dict(self._ended),
        )
