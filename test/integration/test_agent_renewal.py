"""Certificate renewal and refused identities, with the real listener."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_world import UID, AgentProcess, FakeServer, make_home, request, until
from pulp_agent.home import Home
from pulp_agent.renewal import due, prepare

from pulp.common.times import DAY
from pulp.crypto.ca import Authority
from pulp.crypto.keys import csr_key_fingerprint, make_csr, new_key, read_certificate
from pulp.rmi.messages import Hello, Renew, Renewed, Succeeded


def own_home(path: Path, authority: Authority) -> tuple[Home, int]:
    """An identity of the product's own CA; and when two thirds of its life are over."""
    home = Home(path)
    home.make()
    key = new_key()
    certificate = authority.issue_client(make_csr(key, common_name=UID), common_name=UID)
    home.identity.write_text(key + certificate)
    facts = read_certificate(certificate)
    return home, facts.not_before + 2 * (facts.not_after - facts.not_before) // 3


def test_it_is_due_at_two_thirds_of_the_certificates_life(tmp_path: Path) -> None:
    home, when = own_home(tmp_path, Authority.create())
    pem = home.identity.read_text()
    certificate = pem[pem.index("-----BEGIN CERTIFICATE") :]
    assert not due(certificate, when - DAY) and due(certificate, when + DAY)
    assert not prepare(home, when - DAY) and not home.next_key.exists()


def test_the_same_key_is_used_until_it_is_certified(tmp_path: Path) -> None:
    home, when = own_home(tmp_path, Authority.create())
    assert prepare(home, when + DAY)
    first = home.next_csr.read_text()
    assert prepare(home, when + DAY)
    assert csr_key_fingerprint(home.next_csr.read_text()) == csr_key_fingerprint(first)
    assert home.next_key.stat().st_mode & 0o077 == 0


def test_the_errand_runs_by_itself(tmp_path: Path) -> None:
    home, _ = own_home(tmp_path, Authority.create())
    command = [sys.executable, "-m", "pulp_agent.renewal", str(home.path)]
    assert subprocess.run(command, check=True).returncode == 0
    assert not home.next_csr.exists()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    folder = tmp_path / "pki"
    folder.mkdir()
    server = FakeServer(folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def agent(tmp_path: Path, server: FakeServer) -> Iterator[AgentProcess]:
    """Its certificate (two days long, one of them over) is not due, so a request is put there as if it were."""
    home, _ = make_home(tmp_path / "agent", server)
    key = new_key()
    home.next_key.write_text(key)
    home.next_csr.write_text(make_csr(key, common_name=UID))
    agent = AgentProcess(home, tmp_path / "agent.log")
    agent.start()
    yield agent
    if agent.process is not None and agent.process.poll() is None:
        agent.kill()


def renewed(server: FakeServer, home: Home) -> tuple[str, str]:
    """(certificate, fingerprint) for the key the agent has ready."""
    return server.authority.certify(home.next_key.read_text(), UID)


def answers(server: FakeServer) -> bool:
    asked = request()
    server.say(asked)
    return isinstance(server.final(asked.id), Succeeded)


def test_a_renewed_certificate_replaces_the_old_one_once_it_works(
    server: FakeServer, agent: AgentProcess
) -> None:
    old = agent.home.identity.read_text()
    assert server.waits_for(Renew).csr == agent.home.next_csr.read_text()
    certificate, fingerprint = renewed(server, agent.home)
    server.allowed = {fingerprint}
    server.say(Renewed(certificate=certificate, ca=[]))
    server.waits_for(Hello, count=2)
    home = agent.home
    left = (home.next_identity, home.next_key, home.next_csr)
    until(lambda: not any(path.exists() for path in left))
    assert home.identity.read_text() != old
    assert answers(server)


def test_a_renewed_certificate_that_is_refused_leaves_the_old_one_in_use(
    server: FakeServer, agent: AgentProcess
) -> None:
    server.waits_for(Renew)
    certificate, _ = renewed(server, agent.home)
    server.say(Renewed(certificate=certificate, ca=[]))
    server.waits_for(Hello, count=2)
    assert answers(server)
    assert not agent.home.next_identity.exists() and not agent.home.next_csr.exists()


def test_a_certificate_for_another_key_is_dropped(server: FakeServer, agent: AgentProcess) -> None:
    server.waits_for(Renew)
    certificate, _ = server.authority.certify(new_key(), UID)
    server.say(Renewed(certificate=certificate, ca=[]))
    server.waits_for(Hello, count=2)
    assert not agent.home.next_identity.exists()
    assert "cannot be used" in agent.log.read_text()
    assert answers(server)


def test_a_refused_identity_is_explained(tmp_path: Path, server: FakeServer) -> None:
    home, identity = make_home(tmp_path / "other", server, uid="uid-2")
    server.allowed.discard(identity.fingerprint)
    agent = AgentProcess(home, tmp_path / "other.log")
    agent.start()
    until(lambda: "register it again" in agent.log.read_text())
    until(lambda: home.status.exists() and b"refused" in home.status.read_bytes())
    agent.stop()
