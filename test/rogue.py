"""A peer that need not behave: a plain TLS socket, with our own client pieces to get as far as a test wants."""

from __future__ import annotations

import socket
import ssl
import time
from typing import Any

import psutil

from pulp.messaging.amqp.engine import Engine
from pulp.messaging.amqp.link import Outcome
from pulp.messaging.amqp.model import Condition, EngineLimits, EngineLink, Received
from pulp.messaging.amqp.primitives import NULL, binary, described_list, string
from pulp.messaging.amqp.sasl import ClientSasl

HUGE = 1 << 20


class Rogue:
    """`engine` is there after `amqp`; use it and call `exchange`."""

    def __init__(self, port: int, context: ssl.SSLContext | None, *, timeout: float = 5.0) -> None:
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = (
            raw if context is None else context.wrap_socket(raw, server_hostname="localhost")
        )
        self.engine: Any = None
        self.closed: Condition | None = None
        self.links_closed: list[Condition | None] = []
        self.messages: list[bytes] = []
        self.eof = False

    def __enter__(self) -> Rogue:
        return self

    def __exit__(self, *_: object) -> None:
        if self.engine is not None:
            self.engine.free()
        self.socket.close()

    def read_to_end(self, seconds: float = 5.0) -> bytes:
        """Everything until the server ends the connection; fails when it does not."""
        self.socket.settimeout(seconds)
        data = b""
        try:
            while chunk := self.socket.recv(65536):
                data += chunk
        except (ConnectionError, ssl.SSLError):
            pass
        self.eof = True
        return data

    def authenticate(self) -> None:
        sasl = ClientSasl()
        rest = None
        while rest is None:
            self.socket.sendall(sasl.output)
            sasl.output = b""
            data = self.socket.recv(4096)
            if not data:
                raise ConnectionError("the server closed the connection")
            rest = sasl.feed(data)

    def amqp(self, *, container: str = "rogue") -> None:
        """Authenticated, with a connection and a session open."""
        self.authenticate()
        limits = EngineLimits(idle_timeout=60, max_links=HUGE, channel_max=100)
        self.engine = Engine(self, container=container, limits=limits, server=False)
        self.engine.open("localhost")
        self.exchange()

    def attach(self, identity: str, *, credit: int = 32) -> tuple[EngineLink, EngineLink]:
        receiver = self.engine.attach_receiver("in", f"agent.{identity}")
        sender = self.engine.attach_sender("out", "replies")
        self.exchange()
        self.engine.open_window(receiver, credit)
        self.exchange()
        return receiver, sender

    def flush(self) -> None:
        while data := self.engine.output():
            self.socket.sendall(data)

    def exchange(self, seconds: float = 0.2) -> None:
        """Send what the engine has, and take what comes within `seconds` of silence."""
        self.socket.settimeout(seconds)
        try:
            self.flush()
            while data := self.socket.recv(65536):
                self.engine.feed(data)
                self.flush()
            self.eof = True
        except TimeoutError:
            return
        except (ConnectionError, ssl.SSLError):
            self.eof = True

    def until_closed(self, seconds: float = 10.0) -> None:
        end = time.monotonic() + seconds
        while not self.eof:
            assert time.monotonic() < end, "the server does not close the connection"
            self.exchange()

    # --- the engine's handler ---

    def on_open(self) -> None: ...

    def on_link(self, link: EngineLink) -> None: ...

    def on_link_closed(self, link: EngineLink, condition: Condition | None) -> None:
        self.links_closed.append(condition)

    def on_credit(self, link: EngineLink) -> None: ...

    def on_message(self, data: bytes, received: Received) -> None:
        self.messages.append(data)

    def on_outcome(self, tag: int, outcome: Outcome) -> None: ...

    def on_close(self, condition: Condition | None) -> None:
        self.closed = condition

    def on_failure(self, condition: Condition | None) -> None:
        self.closed = condition


def resident() -> int:
    """Bytes of memory this process holds."""
    return int(psutil.Process().memory_info().rss)


def frame(
    performative: int, *fields: bytes, payload: bytes = b"", channel: int = 0, kind: int = 0
) -> bytes:
    body = described_list(performative, *fields) + payload
    return (len(body) + 8).to_bytes(4) + b"\x02%c" % kind + channel.to_bytes(2) + body


def attach(handle: int, target: str) -> bytes:
    """A sending link to `target`, by hand."""
    number = b"\x70" + handle.to_bytes(4)
    ends = described_list(0x28), described_list(0x29, string(target))
    name = string(f"link-{handle}")
    nulls = [NULL, NULL]
    return frame(0x12, name, number, b"\x42", *nulls, *ends, *nulls, b"\x43")


def transfer(handle: int, number: int, payload: bytes, *, more: bool = False) -> bytes:
    """One transfer frame, by hand: Proton's own sender keeps to its credit."""
    return frame(
        0x14,
        b"\x52%c" % handle,
        b"\x70" + number.to_bytes(4),
        binary(number.to_bytes(4)),
        b"\x43",
        b"\x42",
        b"\x41" if more else b"\x42",
        payload=payload,
    )
