"""Today's agent, the real process, against a server of every earlier release that says what was recorded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_world import AgentProcess, FakeServer, make_home, now, until
from msgspec.structs import replace
from recordings import Recorded, lost, named

from pulp.common.ids import new_id
from pulp.messaging.base import Delivery, Message, Peer

HOUR = 3_600_000


class OldServer(FakeServer):
    """Welcomes as recorded, and keeps what it is told as JSON: it reads no more than that release knew."""

    def __init__(self, folder: Path, release: Path) -> None:
        super().__init__(folder)
        self.release = release
        self.heard: list[dict[str, Any]] = []
        self._late: Peer | None = None

    def received(self, delivery: Delivery) -> None:
        body = delivery.message.body
        data = json.loads(gzip.decompress(body) if delivery.message.content_encoding else body)
        assert data["type"] == delivery.message.subject
        self.heard.append(data)
        if data["type"] == "hello":
            self.says_to(delivery.peer, "welcome", now=now(), urls=[], ca=[], signing_keys=[])
        if self._bus is not None:
            self._bus.settle([delivery])

    def says_to(self, peer: Peer, name: str, **changes: Any) -> None:
        """The recorded message, with times of today and another call's id."""
        data = named(self.release, name).data | changes
        body = json.dumps(data).encode()
        assert self._bus is not None
        subject = data["type"]
        self._bus.send(
            peer, [Message(body=body, id=new_id(), subject=subject, correlation_id=data.get("id"))]
        )

    def says(self, name: str, **changes: Any) -> None:
        self.says_to(until(lambda: self.peers)[-1], name, **changes)

    def hears(self, name: str, call_id: str | None = None) -> dict[str, Any]:
        """The newest such message of the agent; it has every field that the recorded one of this name has."""
        record = named(self.release, name)

        def found() -> dict[str, Any] | None:
            mine = [m for m in list(self.heard) if m["type"] == record.data["type"]]
            return next((m for m in reversed(mine) if call_id in (None, m.get("id"))), None)

        message = until(found)
        assert set(record.data) - set(message) == set()
        assert {f: _kind(v) for f, v in record.data.items()} == {
            f: _kind(message[f]) for f in record.data
        }
        return message


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) else type(value).__name__


@pytest.fixture
def server(tmp_path: Path, release: Path) -> Iterator[OldServer]:
    folder = tmp_path / "pki"
    folder.mkdir()
    made = OldServer(folder, release)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def agent(tmp_path: Path, server: OldServer) -> Iterator[AgentProcess]:
    home, _ = make_home(tmp_path / "agent", server)
    made = AgentProcess(home, tmp_path / "agent.log")
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def times() -> dict[str, int]:
    return {"issued": now(), "accept_by": now() + HOUR, "expires": now() + HOUR}


def test_it_offers_all_that_the_old_server_may_call(server: OldServer, agent: AgentProcess) -> None:
    then, hello = named(server.release, "hello").data, server.hears("hello")
    assert set(then["protocols"]) <= set(hello["protocols"])
    assert set(then["features"]) <= set(hello["features"])
    for path, versions in then["methods"].items():
        if path.startswith("System."):  # packages: where this machine has their tools
            assert set(versions) <= set(hello["methods"].get(path, [])), path


def test_it_does_what_is_asked_and_its_value_is_read(
    server: OldServer, agent: AgentProcess
) -> None:
    server.hears("hello")
    task_id = new_id()
    server.says("request-System.info", id=task_id, **times())
    server.hears("accepted-ready", task_id)
    server.hears("started", task_id)
    value = server.hears("succeeded-System.info", task_id)["value"]
    recorded = named(server.release, "succeeded-System.info").data["value"]
    assert set(recorded) <= set(value)


def test_windows_plans_cancels_and_queries_are_as_they_were(
    server: OldServer, agent: AgentProcess
) -> None:
    server.hears("hello")
    task_id, opens = new_id(), now() + HOUR
    window = {"begin": opens, "end": opens + HOUR}
    info = named(server.release, "request-System.info").data
    asked = {f: info[f] for f in ("class", "method", "args")} | times()
    server.says("request-windowed", id=task_id, **asked | {"window": window})
    assert server.hears("accepted-held", task_id)["starts"] == opens
    later = {"begin": opens + HOUR, "end": opens + 2 * HOUR}
    server.says("replan", id=task_id, window=later, expires=later["end"])
    until(lambda: server.hears("accepted-held", task_id)["starts"] == later["begin"])
    server.says("cancel", id=task_id)
    server.hears("canceled", task_id)
    server.says("query", id=new_id())
    server.hears("unknown")


def test_a_server_that_asks_for_what_the_agent_lacks_is_refused(
    server: OldServer, agent: AgentProcess
) -> None:
    server.hears("hello")
    task_id = new_id()
    server.says("request-System.info", id=task_id, needs=["telepathy"], **times())
    rejected = server.hears("rejected", task_id)
    assert (rejected["code"], rejected["found"]) == ("unsupported-feature", "telepathy")


def test_finals_confirmed_by_message_are_forgotten(tmp_path: Path, server: OldServer) -> None:
    """Behind a broker that is how it is said, and the agent gives signs of life and takes its leave."""
    home, _ = make_home(tmp_path / "other", server, uid="uid-2")
    home.save_registration(replace(home.registration(), confirm="message", heartbeat=1))
    agent = AgentProcess(home, tmp_path / "other.log")
    agent.start()
    server.hears("hello")
    task_id = new_id()
    server.says("request-System.info", id=task_id, **times())
    server.hears("succeeded-System.info", task_id)
    assert (home.jobs / task_id).exists()
    server.says("confirm", ids=[task_id])
    until(lambda: not (home.jobs / task_id).exists())
    server.hears("alive")
    assert agent.stop() == 0
    server.hears("bye")


def test_a_profile_is_told_as_it_was(server: OldServer, agent: AgentProcess) -> None:
    profile = server.hears("profile")
    record: Recorded = named(server.release, "profile")
    keys = dict.fromkeys(record.data["packages"][0])
    for package in profile["packages"][:20]:
        assert set(package) <= set(keys)
        assert {"name", "version"} <= set(package)
    assert list(lost({"v": record.data["v"]}, profile)) == []
