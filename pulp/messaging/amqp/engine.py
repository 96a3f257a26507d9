"""The Proton engine as a sans-I/O object: bytes in, events to a Handler, bytes out. The one module that speaks cffi.

Proton enforces neither message size, nor credit, nor the number of links and sessions: this module does.
"""

from __future__ import annotations

from collections.abc import Callable

import cproton  # noqa: F401  (registers the callbacks without which the library crashes)
from cproton_ffi import ffi
from cproton_ffi import lib as pn

from pulp.messaging.amqp.codec import MAX_WIRE_SIZE
from pulp.messaging.amqp.link import Outcome
from pulp.messaging.amqp.model import (
    Condition,
    EngineLimits,
    EngineLink,
    Handler,
    PeerError,
    Pointer,
    Received,
)

_MAX_FRAME = 32 * 1024
_INCOMING_BYTES = 4 * MAX_WIRE_SIZE  # the session window: with it 128 frames may be under way
_OUTGOING_BYTES = 256 * 1024
_OUTPUT_CHUNK = 64 * 1024
_CHARS = ffi.typeof("char[]")
_buffer = ffi.new_allocator(should_clear_after_alloc=False)
_NULL = ffi.NULL


_OUTCOMES = {pn.PN_ACCEPTED: Outcome.ACCEPTED, pn.PN_REJECTED: Outcome.REJECTED}


class Engine:
    """One connection. Not thread-safe. Call `free` exactly once, when nothing else will be called."""

    __slots__ = (
        "_collector",
        "_connection",
        "_handler",
        "_limits",
        "_links",
        "_outstanding",
        "_session",
        "_sessions",
        "_tag",
        "_transport",
        "finished",
    )

    def __init__(
        self, handler: Handler, *, container: str, limits: EngineLimits, server: bool
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._links: dict[Pointer, EngineLink] = {}
        self._session: Pointer = None
        self._sessions = 0
        self._tag = 0
        self._outstanding: set[int] = set()
        self.finished = False
        """No more output will ever come: the connection is over in both directions."""
        self._transport = pn.pn_transport()
        self._connection = pn.pn_connection()
        self._collector = pn.pn_collector()
        pn.pn_connection_collect(self._connection, self._collector)
        self._configure(container, server)

    def _configure(self, container: str, server: bool) -> None:
        transport = self._transport
        if server:
            pn.pn_transport_set_server(transport)
        pn.pn_transport_set_idle_timeout(transport, round(self._limits.idle_timeout * 1000))
        pn.pn_transport_set_max_frame(transport, _MAX_FRAME)
        pn.pn_transport_set_channel_max(transport, self._limits.channel_max)
        pn.pn_connection_set_container(self._connection, container.encode())
        pn.pn_transport_bind(transport, self._connection)

    # --- bytes and time ---

    def feed(self, data: bytes) -> None:
        """Take what the peer sent and tell the handler what it means."""
        offset, size = 0, len(data)
        source = data
        while offset < size:
            taken = pn.pn_transport_push(self._transport, source, size - offset)
            if taken <= 0:
                break  # it is closed for input: what still comes means nothing
            offset += taken
            self._dispatch()
            source = data[offset:]
        self._dispatch()

    def output(self) -> bytes:
        """The next bytes to send, at most 64 KiB; empty when there are none now (see `finished`)."""
        pending = pn.pn_transport_pending(self._transport)
        if pending <= 0:
            self.finished = self.finished or pending < 0
            return b""
        size = min(pending, _OUTPUT_CHUNK)
        chunk = _buffer(_CHARS, size)
        pn.pn_transport_peek(self._transport, chunk, size)
        data: bytes = ffi.unpack(chunk, size)
        pn.pn_transport_pop(self._transport, size)
        return data

    def tick(self, now: float) -> bool:
        """Keep the idle timeouts of both ends at monotonic time `now` (seconds). True when there is output."""
        pn.pn_transport_tick(self._transport, int(now * 1000))
        self._dispatch()
        return bool(pn.pn_transport_pending(self._transport))

    # --- the client's side of opening ---

    def open(self, hostname: str) -> None:
        """Open a connection with one session."""
        pn.pn_connection_set_hostname(self._connection, hostname.encode())
        pn.pn_connection_open(self._connection)
        self._session = pn.pn_session(self._connection)
        self._open_session(self._session)

    def attach_receiver(self, name: str, source: str) -> EngineLink:
        """Propose to receive from the peer's `source`; nothing comes before `open_window`."""
        pointer = pn.pn_receiver(self._session, name.encode())
        pn.pn_terminus_set_address(pn.pn_link_source(pointer), source.encode())
        link = self._links[pointer] = EngineLink(pointer, is_sender=False, ours=True)
        self._open_receiver(link)
        return link

    def attach_sender(self, name: str, target: str) -> EngineLink:
        pointer = pn.pn_sender(self._session, name.encode())
        pn.pn_terminus_set_address(pn.pn_link_target(pointer), target.encode())
        link = self._links[pointer] = EngineLink(pointer, is_sender=True, ours=True)
        pn.pn_link_open(pointer)
        return link

    # --- the answers to what a peer proposes ---

    def open_connection(self) -> None:
        pn.pn_connection_open(self._connection)

    def accept_sender(self, link: EngineLink, source: str) -> None:
        """Agree to send to the peer, from our address `source`."""
        pn.pn_terminus_set_address(pn.pn_link_source(link.pointer), source.encode())
        pn.pn_link_open(link.pointer)

    def accept_receiver(self, link: EngineLink, target: str) -> None:
        """Agree to receive at our address `target`; nothing comes before `open_window`."""
        pn.pn_terminus_set_address(pn.pn_link_target(link.pointer), target.encode())
        self._open_receiver(link)

    def refuse_link(self, link: EngineLink, condition: Condition) -> None:
        """Attach with a null terminus, then detach with the error: the only refusal AMQP knows."""
        pn.pn_link_open(link.pointer)
        self._set_condition(pn.pn_link_condition(link.pointer), condition)
        pn.pn_link_close(link.pointer)

    def _open_receiver(self, link: EngineLink) -> None:
        pn.pn_link_set_max_message_size(link.pointer, self._limits.max_message_size)
        pn.pn_link_open(link.pointer)

    # --- messages ---

    def open_window(self, link: EngineLink, window: int) -> None:
        """Let the peer send on this receiving link, with at most `window` messages unsettled by us."""
        link.window = window
        pn.pn_link_flow(link.pointer, window)

    def sendable(self, link: EngineLink) -> int:
        """How many messages may be sent now on this sending link.

        The peer's credit; none while the engine holds much that the peer's session window keeps back.
        """
        pointer = link.pointer
        if pn.pn_session_outgoing_bytes(pn.pn_link_session(pointer)) > _OUTGOING_BYTES:
            return 0
        return int(pn.pn_link_credit(pointer))

    def send(self, link: EngineLink, data: bytes, *, settled: bool) -> int:
        """Put one message on the wire, if it is `sendable`. The tag comes back in `on_outcome`."""
        self._tag = tag = self._tag + 1
        name = tag.to_bytes(8)
        delivery = pn.pn_delivery(link.pointer, (8, ffi.from_buffer(name)))
        pn.pn_link_send(link.pointer, data, len(data))
        pn.pn_link_advance(link.pointer)
        if settled:
            pn.pn_delivery_settle(delivery)
        else:
            self._outstanding.add(tag)
        return tag

    @property
    def outstanding(self) -> int:
        """How many messages were sent and have no outcome yet."""
        return len(self._outstanding)

    def settle(self, received: Received) -> None:
        """Accept a received message; its credit comes back with the next `replenish`."""
        if received.settled:
            return
        received.settled = True
        received.link.unsettled -= 1
        delivery, received.pointer = received.pointer, None
        if delivery is not None:
            pn.pn_delivery_update(delivery, pn.PN_ACCEPTED)
            pn.pn_delivery_settle(delivery)

    def reject(self, received: Received, condition: Condition) -> None:
        """Refuse a message for good, say why, and give its credit back."""
        delivery, received.pointer = received.pointer, None
        if delivery is not None:
            local = pn.pn_delivery_local(delivery)
            self._set_condition(pn.pn_disposition_condition(local), condition)
            pn.pn_delivery_update(delivery, pn.PN_REJECTED)
            pn.pn_delivery_settle(delivery)
        self.settle(received)
        self.replenish(received.link)

    def replenish(self, link: EngineLink) -> None:
        """Give credit back for what has been settled, once it is a quarter of the window: flow frames cost."""
        due = link.window - link.unsettled - pn.pn_link_credit(link.pointer)
        if due > 0 and due * 4 >= link.window:
            pn.pn_link_flow(link.pointer, due)

    # --- the end ---

    def close(self, condition: Condition | None = None) -> None:
        """Say goodbye; `output` then brings the last bytes."""
        if condition is not None:
            self._set_condition(pn.pn_connection_condition(self._connection), condition)
        pn.pn_connection_close(self._connection)

    def free(self) -> None:
        """Give the memory back. Without the decref of the connection each one leaks 1.9 kB."""
        self._links.clear()
        pn.pn_transport_unbind(self._transport)
        pn.pn_connection_release(self._connection)
        pn.pn_collector_release(self._collector)
        pn.pn_decref(self._connection)
        pn.pn_decref(self._transport)
        pn.pn_collector_free(self._collector)
        self._transport = self._connection = self._collector = None

    # --- events ---

    def _dispatch(self) -> None:
        collector = self._collector
        while (event := pn.pn_collector_peek(collector)) != _NULL:
            handle = _EVENTS.get(pn.pn_event_type(event))
            try:
                if handle is not None:
                    handle(self, event)
            finally:  # an event that raised must not come again
                pn.pn_collector_pop(collector)

    def _on_delivery(self, event: Pointer) -> None:
        delivery = pn.pn_event_delivery(event)
        pointer = pn.pn_delivery_link(delivery)
        if not pn.pn_link_is_receiver(pointer):
            if pn.pn_delivery_updated(delivery):
                self._outcome(delivery)
        elif pn.pn_delivery_aborted(delivery):
            self._aborted(pointer, delivery)
        elif pn.pn_delivery_pending(delivery) > self._limits.max_message_size:
            self._oversized(pointer)
        elif pn.pn_delivery_readable(delivery) and not pn.pn_delivery_partial(delivery):
            self._message(pointer, delivery)

    def _message(self, pointer: Pointer, delivery: Pointer) -> None:
        link = self._links[pointer]
        size = pn.pn_delivery_pending(delivery)
        chunk = _buffer(_CHARS, size)
        pn.pn_link_recv(pointer, chunk, size)
        settled = pn.pn_delivery_settled(delivery)
        pn.pn_link_advance(pointer)
        self._check_credit(link)
        link.unsettled += 1
        if settled:
            pn.pn_delivery_settle(delivery)
        received = Received(link, None if settled else delivery)
        self._handler.on_message(ffi.unpack(chunk, size), received)

    def _check_credit(self, link: EngineLink) -> None:
        if pn.pn_link_credit(link.pointer) < 0:
            raise PeerError("amqp:link:transfer-limit-exceeded", "More messages than credit")

    def _aborted(self, pointer: Pointer, delivery: Pointer) -> None:
        """The sender gave up in mid-message. Reading it would fail; it only used up credit."""
        pn.pn_delivery_settle(delivery)
        link = self._links[pointer]
        self._check_credit(link)
        self.replenish(link)

    def _oversized(self, pointer: Pointer) -> None:
        condition = Condition(
            "amqp:link:message-size-exceeded",
            f"A message may have at most {self._limits.max_message_size} bytes",
        )
        self._set_condition(pn.pn_link_condition(pointer), condition)
        pn.pn_link_close(pointer)
        raise PeerError(condition.name, condition.description)

    def _outcome(self, delivery: Pointer) -> None:
        state = pn.pn_delivery_remote_state(delivery)
        if not pn.pn_delivery_settled(delivery) and state in (0, pn.PN_RECEIVED):
            return  # no final state yet
        tag = pn.pn_delivery_tag(delivery)
        number = int.from_bytes(ffi.unpack(tag.start, tag.size))
        if number not in self._outstanding:
            return  # told twice
        self._outstanding.discard(number)
        pn.pn_delivery_settle(delivery)
        self._handler.on_outcome(number, _OUTCOMES.get(state, Outcome.RELEASED))

    def _on_flow(self, event: Pointer) -> None:
        link = self._links.get(pn.pn_event_link(event))
        if link is None or not link.is_sender:
            return
        self._handler.on_credit(link)
        if pn.pn_link_get_drain(link.pointer):  # (pn_link_draining asserts a receiver)
            pn.pn_link_drained(link.pointer)

    def _on_link_open(self, event: Pointer) -> None:
        pointer = pn.pn_event_link(event)
        link = self._links.get(pointer)
        if link is None:
            if len(self._links) >= self._limits.max_links:
                raise PeerError("amqp:resource-limit-exceeded", "Too many links")
            is_sender = pn.pn_link_is_sender(pointer)
            link = self._links[pointer] = EngineLink(pointer, is_sender=is_sender, ours=False)
        # The terminus that a proposal asks us for, or that the answer to ours grants (null: it refuses).
        of_source = link.is_sender != link.ours
        end = pn.pn_link_remote_source if of_source else pn.pn_link_remote_target
        link.address = _text(pn.pn_terminus_get_address(end(pointer)))
        link.presettled = pn.pn_link_remote_snd_settle_mode(pointer) == pn.PN_SND_SETTLED
        self._handler.on_link(link)

    def _on_link_close(self, event: Pointer) -> None:
        pointer = pn.pn_event_link(event)
        condition = _condition(pn.pn_link_remote_condition(pointer))
        pn.pn_link_close(pointer)
        link = self._links.get(pointer)
        if link is not None:
            self._handler.on_link_closed(link, condition)

    def _on_session_open(self, event: Pointer) -> None:
        session = pn.pn_event_session(event)
        if session == self._session:
            return
        self._sessions += 1
        if self._sessions > self._limits.channel_max + 1:
            raise PeerError("amqp:resource-limit-exceeded", "Too many sessions")
        self._open_session(session)

    def _open_session(self, session: Pointer) -> None:
        pn.pn_session_set_incoming_capacity(session, _INCOMING_BYTES)
        pn.pn_session_open(session)

    def _on_session_close(self, event: Pointer) -> None:
        session = pn.pn_event_session(event)
        condition = _condition(pn.pn_session_remote_condition(session))
        pn.pn_session_close(session)
        for pointer, link in list(self._links.items()):
            if pn.pn_link_session(pointer) == session:
                self._handler.on_link_closed(link, condition)

    def _on_connection_open(self, _event: Pointer) -> None:
        self._handler.on_open()

    def _on_connection_close(self, _event: Pointer) -> None:
        condition = _condition(pn.pn_connection_remote_condition(self._connection))
        pn.pn_connection_close(self._connection)
        self._handler.on_close(condition)

    def _on_transport_error(self, _event: Pointer) -> None:
        self._handler.on_failure(_condition(pn.pn_transport_condition(self._transport)))

    def _set_condition(self, target: Pointer, condition: Condition) -> None:
        pn.pn_condition_set_name(target, condition.name.encode())
        pn.pn_condition_set_description(target, condition.description.encode())


_EVENTS: dict[int, Callable[[Engine, Pointer], None]] = {
    pn.PN_DELIVERY: Engine._on_delivery,
    pn.PN_LINK_FLOW: Engine._on_flow,
    pn.PN_LINK_REMOTE_OPEN: Engine._on_link_open,
    pn.PN_LINK_REMOTE_CLOSE: Engine._on_link_close,
    pn.PN_LINK_REMOTE_DETACH: Engine._on_link_close,
    pn.PN_SESSION_REMOTE_OPEN: Engine._on_session_open,
    pn.PN_SESSION_REMOTE_CLOSE: Engine._on_session_close,
    pn.PN_CONNECTION_REMOTE_OPEN: Engine._on_connection_open,
    pn.PN_CONNECTION_REMOTE_CLOSE: Engine._on_connection_close,
    pn.PN_TRANSPORT_ERROR: Engine._on_transport_error,
}


def _text(pointer: Pointer) -> str | None:
    if pointer == _NULL:
        return None
    try:
        text: str = ffi.string(pointer).decode()
    except UnicodeDecodeError:
        return None
    return text


def _condition(pointer: Pointer) -> Condition | None:
    if pointer == _NULL or not pn.pn_condition_is_set(pointer):
        return None
    name = ffi.string(pn.pn_condition_get_name(pointer)).decode(errors="replace")
    description = pn.pn_condition_get_description(pointer)
    text = "" if description == _NULL else ffi.string(description).decode(errors="replace")
    return Condition(name, text)
