"""What a job leaves for its agent, and so for the server, has no password of a repository's address in it."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest
from mirror import Mirror
from package_host import Host
from package_hosts import HOSTS, need
from pulp_agent import job
from pulp_agent.events import Failure, Outcome, StartJob, Success
from pulp_agent.spool import Spool

from pulp.rmi.interfaces import INSTALL, UPDATES, Method, PackagesArgs, PackageSpec

_NUMBERS = itertools.count(1)
_INSTALL = msgspec.json.encode(PackagesArgs(packages=[PackageSpec(name="demo00")]))


@pytest.fixture(params=sorted(HOSTS))
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Host]:
    need(request.param)
    return partial(HOSTS[request.param], tmp_path)


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "repository")
    yield mirror
    mirror.close()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[Outcome, str]]]:
    """Runs a job as its process does; its outcome, and all that it left for the agent."""

    def run(host: Host, method: Method, args: bytes = b"{}") -> tuple[Outcome, str]:
        monkeypatch.setattr("pulp_agent.handlers.settings.read_settings", lambda _: host.settings)
        spool = Spool(host.folder / f"jobs/{next(_NUMBERS)}")
        spool.prepare(StartJob(spool.id, method.path, 1, args, timeout=60_000, resumed=False))
        assert job.main([str(spool.path)]) == 0
        outcome = spool.result()
        assert outcome is not None
        told = [spool.path / name for name in ("result.json", "progress")]
        return outcome, "".join(path.read_text() for path in told)

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # the job's process outlives them
    before = [signal.getsignal(number) for number in numbers]
    yield run
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


def _with_password(uri: str) -> str:
    return uri.replace("://", "://pulp:hunter2%21@")


def test_a_password_is_told_neither_by_success_nor_by_failure(
    make: Callable[..., Host], mirror: Mirror, run: Callable[..., tuple[Outcome, str]]
) -> None:
    host = make(uri=_with_password(mirror.uri))
    for file in host.repository.path.rglob("demo00*"):
        file.unlink()
    seen, told = run(host, UPDATES, b'{"refresh": true}')
    assert isinstance(seen, Success)
    assert "hunter2" not in told
    gone, told = run(host, INSTALL, _INSTALL)
    assert isinstance(gone, Failure) and gone.code == "fetch"
    assert "demo00" in told and "hunter2" not in told
