"""Connections that live, freeze, come in crowds and go; the listener's start and stop; the client's failures."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from bus_pki import Authority
from bus_worlds import Events, ListenerWorld, Recorder, eventually, message
from rogue import Rogue

from pulp.messaging.amqp.driver import Ended
from pulp.messaging.amqp.server import ServerConnection
from pulp.messaging.base import MessagingError
from pulp.messaging.listener import Limits, ListenerBus

IDLE = 1.2


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ListenerWorld]:
    world = ListenerWorld(tmp_path)
    yield world
    world.end()


@pytest.fixture
def nervous(tmp_path: Path) -> Iterator[ListenerWorld]:
    """Both ends give the other up after a short silence."""
    world = ListenerWorld(tmp_path, Limits(idle_timeout=IDLE), client_idle=IDLE)
    yield world
    world.end()


class Proxy:
    """A TCP hop on the clients' loop that can stop forwarding, as a frozen host or a dead network does."""

    def __init__(self, world: ListenerWorld) -> None:
        self._loop, self._target = world.loop, world.bus.port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()
        start = asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._server = self._loop.run_until_complete(start)
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.add(self._loop.create_task(self._copy(source, sink)))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                await self._flowing.wait()
                sink.write(data)
        sink.close()

    def freeze(self) -> None:
        self._flowing.clear()

    def end(self) -> None:
        self._flowing.set()
        self._server.close()
        self._loop.run_until_complete(asyncio.wait(self._tasks, timeout=5))
        self._loop.run_until_complete(self._server.wait_closed())


# --- heartbeats ---


def test_quiet_connections_stay_up_by_heartbeats(nervous: ListenerWorld) -> None:
    events = nervous.up("web1")
    began = time.monotonic()
    nervous.until(lambda: events.end or time.monotonic() - began > 4 * IDLE)
    assert events.end is None and nervous.receiver.of("web1")


def test_a_silent_peer_is_given_up(nervous: ListenerWorld) -> None:
    context = nervous.authority.client_context(nervous.certificate("frozen"))
    with Rogue(nervous.bus.port, context) as peer:
        peer.amqp()
        peer.attach("frozen")
        nervous.until(lambda: nervous.receiver.of("frozen"))
        began = time.monotonic()
        nervous.until(lambda: not nervous.receiver.of("frozen"), 10 * IDLE)
        assert time.monotonic() - began > IDLE / 2
        peer.until_closed()
    assert nervous.receiver.gone[0][1] == "idle-timeout"


def test_both_ends_notice_a_dead_network(nervous: ListenerWorld) -> None:
    proxy = Proxy(nervous)
    events = nervous.connect("web1", port=proxy.port)
    nervous.until(lambda: events.is_open and nervous.receiver.of("web1"))
    proxy.freeze()
    nervous.until(lambda: events.end and nervous.receiver.gone, 10 * IDLE)
    assert events.end is not None and "silent for too long" in events.end[0]
    assert nervous.receiver.gone[0][1] == "idle-timeout"
    proxy.end()


# --- crowds and churn ---


def test_five_hundred_agents_at_once(world: ListenerWorld) -> None:
    crowd = world.connect_many("web", 500)
    world.until(lambda: all(events.is_open for events in crowd), 30.0)
    world.until(lambda: world.bus.snapshot().peers == 500)
    for events in crowd:
        events.link.send(message(1))
    world.until(lambda: all(events.outcomes for events in crowd), 30.0)
    assert world.bus.snapshot().messages_in == 500


def test_connections_that_come_and_go_leave_nothing_behind(world: ListenerWorld) -> None:
    def churn(count: int) -> None:
        crowd = world.connect_many("web", count)
        world.until(lambda: all(events.is_open for events in crowd), 30.0)
        for events in crowd:
            events.link.send(message(1, b"x" * 1000))
        world.until(lambda: all(events.outcomes for events in crowd), 30.0)
        for number, events in enumerate(crowd):
            events.link.shut() if number % 2 else events.link.abort(Ended.LOST)
        world.until(lambda: all(events.end for events in crowd), 30.0)
        world.until(lambda: world.bus.snapshot().connections == 0)
        world.forget_links()
        world.receiver.deliveries.clear()
        world.receiver.gone.clear()

    def growth() -> int:
        before = psutil.Process().memory_info().rss
        for _ in range(10):
            churn(60)
        gc.collect()
        assert not [thing for thing in gc.get_objects() if isinstance(thing, ServerConnection)]
        return psutil.Process().memory_info().rss - before

    for _ in range(3):
        churn(60)
    # A leak grows each time; a heap that other tests left full of holes does not.
    assert any(growth() < 3 << 20 for _ in range(3))


@contextlib.contextmanager
def no_descriptors_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    fillers: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.dup(0))
        yield
    finally:
        for filler in fillers:
            os.close(filler)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_it_waits_and_then_goes_on(
    world: ListenerWorld, caplog: pytest.LogCaptureFixture
) -> None:
    events = world.up("web1")
    crowd = [socket.socket() for _ in range(20)]

    async def starve() -> None:
        with no_descriptors_left():
            for member in crowd:
                member.connect(("127.0.0.1", world.bus.port))
            tag = events.link.send(message(1))
            await eventually(lambda: tag in events.outcomes)
            await eventually(lambda: "Cannot accept connections for now" in caplog.text)

    try:
        world.loop.run_until_complete(starve())
    finally:
        for member in crowd:
            member.close()
    world.until(lambda: world.bus.snapshot().accepted == 21)
    assert world.up("web2").end is None


# --- threads ---


def test_many_threads_send_at_once(world: ListenerWorld) -> None:
    events = world.up("web1")
    (peer,) = world.receiver.of("web1")

    def send(thread: int) -> None:
        for number in range(100):
            world.bus.send(peer, [message(thread * 1000 + number)])

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    world.until(lambda: len(events.incoming) == 800)
    for thread in threads:
        thread.join()
    for number in range(8):
        ids = [m.id for m in events.messages if int(m.id[1:]) // 1000 == number]
        assert ids == [f"m{number * 1000 + count}" for count in range(100)]


# --- start and stop ---


def test_stopping_waits_no_longer_than_its_grace_for_a_peer_that_hangs(tmp_path: Path) -> None:
    world = ListenerWorld(tmp_path)
    context = world.authority.client_context(world.certificate("hung"))
    with Rogue(world.bus.port, context) as peer, Rogue(world.bus.port, None):
        peer.amqp()
        peer.attach("hung")
        world.until(lambda: world.receiver.of("hung"))
        began = time.monotonic()
        world.bus.stop(grace=0.3)
        assert time.monotonic() - began < 2.0
    assert [reason for _, reason in world.receiver.gone] == ["closed-here"]
    assert not [thread for thread in threading.enumerate() if thread.name == "pulp-messaging"]
    world.end()


def test_what_is_asked_of_a_stopped_bus_is_harmless(world: ListenerWorld) -> None:
    world.up("web1")
    (peer,) = world.receiver.of("web1")
    world.stop()
    world.bus.send(peer, [message(1)])
    world.bus.settle(world.receiver.deliveries)
    world.bus.close_identity("web1", "amqp:not-allowed", "")
    world.bus.stop()


def test_limits_that_make_no_sense_are_named() -> None:
    with pytest.raises(ValueError, match="idle_timeout must be more than 0"):
        Limits(idle_timeout=0)


def test_a_port_that_is_taken_is_named(world: ListenerWorld) -> None:
    other = ListenerBus(
        host="127.0.0.1",
        port=world.bus.port,
        tls=world.authority.server_context(world.server_identity),
        authenticate=world.authenticate,
    )
    with pytest.raises(MessagingError, match=f"127.0.0.1:{world.bus.port}"):
        other.start(Recorder())


def test_without_uvloop_it_works_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "uvloop", None)
        world = ListenerWorld(tmp_path)
    assert type(world.bus._loop).__module__.startswith("asyncio")
    events = world.up("web1")
    tag = events.link.send(message(1, b"x" * 500_000))
    (peer,) = world.receiver.of("web1")
    world.bus.send(peer, [message(2, b"y" * 500_000)])
    world.until(lambda: tag in events.outcomes and events.incoming)
    world.end()


# --- the client's failures ---


def refused(world: ListenerWorld, context: ssl.SSLContext, **target: object) -> str:
    with pytest.raises(MessagingError) as caught:
        world.connect_with(context, source="agent.web1", **target)
    return str(caught.value)


def test_a_server_that_is_not_there(world: ListenerWorld) -> None:
    context = world.authority.client_context(world.certificate("web1"))
    assert "127.0.0.1:1" in refused(world, context, port=1)


def test_a_server_that_is_not_trusted(world: ListenerWorld, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "foreign").client_context(world.certificate("web1"))
    assert "certificate verify failed" in refused(world, foreign)
    context = world.authority.client_context(world.certificate("web1"))
    assert "match" in refused(world, context, server_hostname="elsewhere.example")


def silent_server(world: ListenerWorld, tls: ssl.SSLContext | None) -> asyncio.Server:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    return world.loop.run_until_complete(asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls))


def test_a_server_that_says_nothing(world: ListenerWorld) -> None:
    context = world.authority.client_context(world.certificate("web1"))
    server = silent_server(world, None)
    port = server.sockets[0].getsockname()[1]
    assert "Cannot connect" in refused(world, context, port=port, timeout=0.3)
    server.close()
    world.loop.run_until_complete(server.wait_closed())

    server = silent_server(world, world.authority.server_context(world.server_identity))
    port = server.sockets[0].getsockname()[1]
    events = world.connect_with(context, source="agent.web1", port=port, timeout=0.3)
    world.until(lambda: events.end)
    assert events.end == ("The server did not open the links in time", None)
    server.close()
    world.loop.run_until_complete(server.wait_closed())


def test_a_bug_in_the_agent_ends_its_link(world: ListenerWorld) -> None:
    class Broken(Events):
        def received(self, incoming: object) -> None:
            raise RuntimeError("a bug in the agent")

    events = world.connect("web1", events=Broken())
    world.until(lambda: events.is_open and world.receiver.of("web1"))
    world.bus.send(world.receiver.of("web1")[0], [message(1)])
    world.until(lambda: events.end and not world.receiver.of("web1"))
    assert events.end is not None and "internal error" in events.end[0]
