"""The network: where agents find the server, and the server's bus. Connections are slow, cut, half open or double."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pulp.messaging.amqp.link import LinkEvents
from pulp.messaging.base import (
    CannotTell,
    Delivery,
    Message,
    MessagingError,
    Peer,
    PeerCertificate,
    Receiver,
)
from sim.connection import Connection, Ear, Packet
from sim.world import Process, World

if TYPE_CHECKING:
    from sim.checks import Checks

IDLE = 60_000  # ms of silence after which an end gives a connection up


class Network:
    """Where agents find the server, and the server's `messaging.base.Bus`."""

    def __init__(self, world: World, checks: Checks) -> None:
        self.world = world
        self.checks = checks
        self.ear: Ear | None = None
        self.slowest = 200
        self.server_credit = 64
        self.overhear: Callable[[Connection, Message], None] = lambda _connection, _message: None
        self.connections: dict[int, Connection] = {}
        self._serial = 0

    # --- from the agents' side ---

    def dial(
        self,
        agent: Process,
        events: LinkEvents,
        certificate: PeerCertificate,
        *,
        reachable: Callable[[], bool],
        made: Callable[[Connection], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """One attempt; one that finds nobody waits for a while and fails."""

        def arrive() -> None:
            ear = self.ear
            if ear is None or not ear.process.alive or not reachable():
                failed(MessagingError("no connection"))
                return
            connection = Connection(self, agent, events, ear)
            self._admit(connection, certificate)
            made(connection)

        agent.later(self.world.spread(5, self.slowest), arrive)

    def _admit(self, connection: Connection, certificate: PeerCertificate) -> None:
        try:
            grant = connection.ear.authenticate(certificate)
        except CannotTell as unsure:
            said = str(unsure)
            connection.server_done = True
            connection.down.add(lambda: connection.agent_ends(said, "amqp:internal-error"))
            return
        self.checks.admits(connection, certificate, grant)
        if grant is None:
            connection.server_done = True
            connection.down.add(
                lambda: connection.agent_ends(
                    "the certificate is not accepted", "amqp:unauthorized-access"
                )
            )
            return
        self._serial += 1
        connection.peer = Peer(grant.identity, certificate.fingerprint, self._serial)
        self.connections[self._serial] = connection
        connection.attached = True
        self.world.note("network", connection.agent.name, "connects", self._serial)
        connection.ear.receiver.attached(connection.peer)
        connection.down.add(connection.opened)

    def forget(self, connection: Connection) -> None:
        self.connections.pop(connection.peer.connection, None)

    def enter(self, agent: Process, call: Callable[[], None]) -> None:
        agent.loop.enter(call)  # type: ignore[attr-defined]

    # --- faults ---

    def process_ended(self, process: Process, *, silently: bool = False) -> None:
        """The kernel closes a dead program's connections; a host without power says nothing."""
        for connection in list(self.connections.values()):
            if connection.agent is process:
                self._agent_left(connection, IDLE if silently else self.world.spread(5, 500))
            elif connection.ear.process is process:
                self._server_left(connection)

    def _agent_left(self, connection: Connection, noticed: int) -> None:
        self.world.later(
            self.world.random.randrange(40),
            lambda: connection.break_(agent_learns=0, server_learns=noticed),
        )

    def _server_left(self, connection: Connection) -> None:
        """What it had handed to the kernel may still arrive, or not."""
        learns = self.world.spread(5, 500) if self.world.chance(0.8) else IDLE // 2

        def gone() -> None:
            connection.break_(agent_learns=learns, server_learns=0)

        self.connections.pop(connection.peer.connection, None)
        self.world.later(self.world.random.randrange(40), gone)

    def break_any(self) -> None:
        if self.connections:
            picked = self.world.random.choice(list(self.connections.values()))
            picked.break_(agent_learns=self._notice(IDLE // 2), server_learns=self._notice(IDLE))

    def inject_up(self, connection: Connection, message: Message) -> None:
        """The agent's host says something that its agent does not."""
        connection.up.add_message(lambda: connection.reach_server(Packet(connection, message)))

    def inject_down(self, connection: Connection, message: Message) -> None:
        """A server of another release, or a broken one, says something."""
        connection.down.add_message(lambda: connection.reach_agent(Packet(connection, message)))

    def _notice(self, late: int) -> int:
        return late if self.world.chance(0.3) else self.world.spread(1, 2000)

    # --- the server's bus ---

    def start(self, receiver: Receiver) -> None: ...

    def stop(self, grace: float = 5.0) -> None: ...

    def send(self, peer: Peer, messages: Sequence[Message]) -> None:
        connection = self.connections.get(peer.connection)
        if connection is not None:
            connection.say(messages)

    def settle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            if isinstance(delivery, Packet):
                delivery.connection.settle(delivery)

    def close(self, peer: Peer, condition: str, description: str) -> None:
        connection = self.connections.get(peer.connection)
        if connection is not None:
            connection.close(condition, description)

    def close_identity(self, identity: str, condition: str, description: str) -> None:
        for connection in list(self.connections.values()):
            if connection.peer.identity == identity:
                connection.close(condition, description)
