"""The listener's side of one connection: authenticated by its certificate, one link each way to granted addresses.

Everything here runs on the listener's loop.
"""

from __future__ import annotations

import hashlib
import ssl
from collections import deque
from collections.abc import Iterable
from typing import Protocol, cast

from pulp.messaging.amqp.codec import Malformed, decode
from pulp.messaging.amqp.driver import Connection, Ended
from pulp.messaging.amqp.engine import Engine
from pulp.messaging.amqp.limits import Limits
from pulp.messaging.amqp.link import Outcome
from pulp.messaging.amqp.model import Condition, EngineLink, Received
from pulp.messaging.amqp.pump import Pump
from pulp.messaging.amqp.sasl import Sasl, SaslRefused, ServerSasl
from pulp.messaging.base import Authenticate, Grant, Message, Peer, PeerCertificate

CONTAINER = "pulp-server"
_TOO_SLOW = Condition("amqp:resource-limit-exceeded", "Messages are not taken as fast as they come")
Subject = tuple[tuple[tuple[str, str], ...], ...]


class Hub(Protocol):
    """What a connection tells the listener."""

    limits: Limits
    authenticate: Authenticate

    def connected(self, connection: ServerConnection) -> None: ...

    def authenticated(self, connection: ServerConnection) -> None: ...

    def attached(self, connection: ServerConnection) -> None: ...

    def received(self, delivery: ServerDelivery) -> None: ...

    def malformed(self, connection: ServerConnection, error: Malformed) -> None: ...

    def refused(self, connection: ServerConnection, reason: str, description: str) -> None: ...

    def sent(self, count: int) -> None: ...

    def gone(
        self, connection: ServerConnection, reason: Ended, condition: Condition | None
    ) -> None: ...


class ServerDelivery:
    """A received message; may be settled late, when its connection is long gone."""

    __slots__ = ("connection", "message", "received")

    def __init__(self, connection: ServerConnection, message: Message, received: Received) -> None:
        self.connection = connection
        self.message = message
        self.received = received

    @property
    def peer(self) -> Peer:
        return self.connection.peer


class ServerConnection(Connection):
    """One peer. `grant` and `peer` are there once it is authenticated; it is one when `up`, with both links."""

    grant: Grant
    peer: Peer

    def __init__(self, pump: Pump, hub: Hub, serial: int, address: str) -> None:
        super().__init__(pump, stall_timeout=hub.limits.idle_timeout)
        self.serial = serial
        self.up = False
        self._address = address
        self._authenticated = False
        self._hub = hub
        self._outgoing: EngineLink | None = None
        self._incoming: EngineLink | None = None
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0

    @property
    def label(self) -> str:
        return self.grant.identity if self._authenticated else self._address

    # --- authentication ---

    def make_sasl(self, tls: ssl.SSLObject | None) -> Sasl:
        self._hub.connected(self)
        self.set_deadline(self._hub.limits.auth_timeout, Ended.SETUP_TIMEOUT)
        certificate = peer_certificate(tls)
        return ServerSasl(lambda wanted: self._authenticate(certificate, wanted))

    def _authenticate(self, certificate: PeerCertificate, wanted: str) -> bool:
        grant = self._hub.authenticate(certificate)
        if grant is None or wanted not in ("", grant.identity):
            return False
        self.grant = grant
        self.peer = Peer(grant.identity, certificate.fingerprint, self.serial)
        self._authenticated = True
        self._hub.authenticated(self)
        return True

    def make_engine(self) -> Engine:
        limits = self._hub.limits.engine()
        return Engine(self, container=CONTAINER, limits=limits, server=True)

    # --- opening ---

    def on_open(self) -> None:
        self.engine.open_connection()

    def on_link(self, link: EngineLink) -> None:
        allowed = self.grant.source if link.is_sender else self.grant.target
        taken = self._outgoing if link.is_sender else self._incoming
        if link.address != allowed:
            why = f"{self.grant.identity} may not use this address"
            self._refuse(link, "amqp:unauthorized-access", why)
        elif taken is not None:
            why = "There is one link each way, and it is in use"
            self._refuse(link, "amqp:resource-locked", why)
        else:
            self._accept(link, allowed)

    def _accept(self, link: EngineLink, address: str) -> None:
        engine = self.engine
        if link.is_sender:
            self._outgoing = link
            engine.accept_sender(link, address)
        else:
            self._incoming = link
            engine.accept_receiver(link, address)
        if self._outgoing is not None and self._incoming is not None:
            self.clear_deadline()
            self.up = True
            self._hub.attached(self)
            engine.open_window(self._incoming, self._hub.limits.credit)

    def _refuse(self, link: EngineLink, name: str, description: str) -> None:
        self._hub.refused(self, name, description)
        self.engine.refuse_link(link, Condition(name, description))

    def on_link_closed(self, link: EngineLink, condition: Condition | None) -> None:
        """A peer is what has both links: without one of them it has left."""
        if link in (self._outgoing, self._incoming):
            self.close(Ended.PEER_CLOSED)

    # --- messages in ---

    def on_message(self, data: bytes, received: Received) -> None:
        try:
            message = decode(data)
        except Malformed as error:
            self._hub.malformed(self, error)
            self.engine.reject(received, Condition("amqp:decode-error", str(error)))
        else:
            self._hub.received(ServerDelivery(self, message, received))

    def settle(self, deliveries: Iterable[ServerDelivery]) -> None:
        engine = self._engine
        if engine is None or self._reason is not None:
            return
        for delivery in deliveries:
            engine.settle(delivery.received)
        if self._incoming is not None:
            engine.replenish(self._incoming)
        self._pump.mark(self)

    # --- messages out ---

    def send(self, messages: Iterable[bytes]) -> None:
        if self._reason is not None or self._outgoing is None:
            return
        for data in messages:
            self._queue.append(data)
            self._queued_bytes += len(data)
        self._pump.mark(self)
        self.refill()
        if self._over_bounds():
            self.close(Ended.OVERFLOW, _TOO_SLOW)

    def _over_bounds(self) -> bool:
        limits = self._hub.limits
        count = len(self._queue) + self.engine.outstanding
        return count > limits.max_outgoing or self._queued_bytes > limits.max_outgoing_bytes

    def refill(self) -> bool:
        """As much as the peer gives credit for and reads: the rest waits here, where it is counted."""
        link, engine = self._outgoing, self._engine
        if not self._queue or link is None or engine is None or self._paused_at is not None:
            return False
        count = 0
        while self._queue and engine.sendable(link) > 0:
            data = self._queue.popleft()
            self._queued_bytes -= len(data)
            engine.send(link, data, settled=link.presettled)
            count += 1
        self._hub.sent(count)
        return count > 0

    def on_credit(self, link: EngineLink) -> None:
        self.refill()

    def on_outcome(self, tag: int, outcome: Outcome) -> None:
        """No outcome moves a call (docs/WIRE.md)."""

    # --- back-pressure and the end ---

    def pause_writing(self) -> None:
        """Who does not read is not listened to either: what it sends would only make more to write."""
        super().pause_writing()
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._transport is not None:
            self._transport.resume_reading()

    def ended(self, reason: Ended, condition: Condition | None) -> None:
        self._queue.clear()
        self._hub.gone(self, reason, condition)


def peer_certificate(tls: ssl.SSLObject | None) -> PeerCertificate:
    """What TLS verified; raises SaslRefused when there is no certificate or not exactly one common name in it."""
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    if tls is None or der is None:
        raise SaslRefused("There is no client certificate")
    subject = cast("Subject", (tls.getpeercert() or {}).get("subject", ()))
    names = [value for rdn in subject for key, value in rdn if key == "commonName"]
    if len(names) != 1:
        raise SaslRefused("The client certificate must have one common name")
    return PeerCertificate(names[0], hashlib.sha256(der).hexdigest())
