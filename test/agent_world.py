"""A server's end that only records and asks, for tests of whole agents: the real listener, no store, no REST."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bus_pki import Authority, Identity
from msgspec import Raw
from pulp_agent.home import Home, Registration

from pulp.common.ids import new_id
from pulp.messaging.base import Delivery, Grant, Message, Peer, PeerCertificate
from pulp.messaging.listener import ListenerBus
from pulp.rmi.codec import decode_for_server, encode
from pulp.rmi.messages import FINALS, Final, Hello, Request, ToAgent, ToServer, Welcome

UID = "uid-1"
PATIENCE = 20.0  # s
T = TypeVar("T")


def now() -> int:
    return time.time_ns() // 1_000_000


def until(condition: Callable[[], T], patience: float = PATIENCE) -> T:
    """The first true value of `condition`."""
    end = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.01)
    return value


def request(call_id: str | None = None, **changes: Any) -> Request:
    values: dict[str, Any] = {
        "id": call_id or new_id(),
        "consumer": "web1",
        "class_": "System",
        "method": "info",
        "version": 1,
        "args": Raw(b"{}"),
        "by": "ann",
        "issued": now(),
        "needs": [],
        "window": None,
        "plan": 1,
        "accept_by": now() + 600_000,
        "expires": now() + 600_000,
        "timeout": 60_000,
    }
    return Request(**(values | changes))


class FakeServer:
    """Welcomes everybody with its certificate; `hold` leaves finals unsettled, so that they stay unconfirmed."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self._tls = self.authority.server_context(self.authority.issue("localhost"))
        self.allowed: set[str] = set()
        self.got: list[ToServer] = []
        self.peers: list[Peer] = []
        self.hold = False
        self.offset = 0
        self.port = 0
        self._lock = threading.Lock()
        self._bus: ListenerBus | None = None

    def start(self) -> None:
        self._bus = ListenerBus(
            host="127.0.0.1", port=self.port, tls=self._tls, authenticate=self._authenticate
        )
        self._bus.start(self)
        self.port = self._bus.port

    def stop(self) -> None:
        if self._bus is not None:
            self._bus.stop(grace=1.0)
            self._bus = None

    def _authenticate(self, certificate: PeerCertificate) -> Grant | None:
        if certificate.fingerprint not in self.allowed:
            return None
        uid = certificate.common_name
        return Grant(identity=uid, source=f"agent.{uid}", target="replies")

    # --- Receiver ---

    def attached(self, peer: Peer) -> None:
        with self._lock:
            self.peers.append(peer)

    def detached(self, peer: Peer, reason: str) -> None:
        with self._lock:
            self.peers.remove(peer)

    def received(self, delivery: Delivery) -> None:
        message = decode_for_server(delivery.message.body, delivery.message.content_encoding)
        with self._lock:
            self.got.append(message)
        if isinstance(message, Hello):
            self._welcome(delivery.peer)
        if self._bus and not (self.hold and isinstance(message, FINALS)):
            self._bus.settle([delivery])

    def _welcome(self, peer: Peer) -> None:
        welcome = Welcome(
            now=now() + self.offset,
            features=[],
            ca=[],
            signing_keys=[],
            urls=[],
            progress_every=100,
        )
        self._send(peer, welcome)

    def _send(self, peer: Peer, message: ToAgent) -> None:
        encoded = encode(message)
        assert self._bus is not None
        self._bus.send(
            peer,
            [
                Message(
                    body=encoded.body,
                    id=new_id(),
                    subject="t",
                    content_encoding=encoded.content_encoding,
                )
            ],
        )

    # --- the test's side ---

    def say(self, message: ToAgent) -> None:
        self._send(until(lambda: self.peers)[-1], message)

    def say_to(self, peer: Peer, message: ToAgent) -> None:
        self._send(peer, message)

    def of(self, type_: type[T]) -> list[T]:
        with self._lock:
            return [m for m in self.got if isinstance(m, type_)]

    def waits_for(self, type_: type[T], call_id: str | None = None, count: int = 1) -> T:
        """The newest of at least `count` such messages (about that call)."""

        def found() -> list[T]:
            all_ = self.of(type_)
            mine = [m for m in all_ if call_id is None or getattr(m, "id", None) == call_id]
            return mine if len(mine) >= count else []

        return until(found)[-1]

    def final(self, call_id: str) -> Final:
        def found() -> list[Final]:
            with self._lock:
                return [m for m in self.got if isinstance(m, FINALS) and m.id == call_id]

        return until(found)[-1]


def make_home(path: Path, server: FakeServer, *, uid: str = UID) -> tuple[Home, Identity]:
    """A data directory as a registration leaves it."""
    home = Home(path)
    home.make()
    identity = server.authority.issue(uid)
    server.allowed.add(identity.fingerprint)
    home.identity.write_bytes(identity.file.read_bytes())
    home.save_ca([server.authority.file.read_text()])
    home.save_registration(
        Registration(
            consumer_id="web1",
            uid=uid,
            server="https://localhost:1",
            urls=[f"amqps://localhost:{server.port}"],
            source=f"agent.{uid}",
            target="replies",
            confirm="outcome",
            heartbeat=30,
            signing_keys=[],
        )
    )
    return home, identity


@dataclass
class AgentProcess:
    """`pulp-agent run` on a data directory; `log` collects what it says."""

    home: Home
    log: Path
    environ: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "pulp_agent.main", "run", "--data", str(self.home.path)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, env=os.environ | self.environ)

    def kill(self) -> None:
        """SIGKILL: nothing of it is orderly."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(PATIENCE)
