"""Jobs as real processes: their outcomes, cancels, deaths at every point, and agents that die while they run."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from agent_world import until
from pulp_agent import jobs as jobs_module
from pulp_agent.events import (
    LATE,
    CancelDecided,
    CancelJob,
    Event,
    Failure,
    JobEnded,
    JobLost,
    JobProgressed,
    StartJob,
    Success,
)
from pulp_agent.host import instant
from pulp_agent.jobs import ProcessExecutor
from pulp_agent.launch import Unit
from pulp_agent.spool import Spool

SCRIPT = Path(__file__).parents[1] / "agent_job.py"


def command(spool: str) -> list[str]:
    return [sys.executable, str(SCRIPT), spool]


class Bench:
    """An executor on a loop, and the events it gave."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.events: list[Event] = []
        self.executor = ProcessExecutor(root, command=command)
        self.executor.bind(self.events.append)

    def start(
        self,
        method: str,
        call_id: str = "a",
        *,
        resumed: bool = False,
        commit_before: int | None = None,
    ) -> Spool:
        job = StartJob(
            call_id,
            method,
            1,
            b"{}",
            timeout=60_000,
            resumed=resumed,
            commit_before=commit_before,
        )
        self.executor.start(job)
        return Spool(self.root / call_id)

    async def sees(self, condition: Callable[[], Any]) -> Any:
        async with asyncio.timeout(20):
            while not (value := condition()):
                await asyncio.sleep(0.01)
        return value

    async def gets(self, type_: type) -> Any:
        """The one event of this type."""
        found = await self.sees(lambda: [e for e in self.events if isinstance(e, type_)])
        assert len(found) == 1
        return found[0]

    async def begun(self, spool: Spool, attempt: int = 1) -> str:
        path = spool.path / f"here-{attempt}"
        return await self.sees(lambda: path.exists() and path.read_text())


def play(tmp_path: Path, script: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        try:
            await script(bench)
        finally:
            bench.executor.close()

    asyncio.run(run())


def test_a_job_reports_progress_and_its_outcome(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        progress = await bench.gets(JobProgressed)
        assert (progress.phase, progress.percent) == ("plan", 10.0)
        (spool.path / "go").touch()
        ended = await bench.gets(JobEnded)
        assert isinstance(ended.outcome, Success) and ended.outcome.changed
        bench.executor.forget(["a"])
        assert not spool.path.exists()

    play(tmp_path, script)


def test_a_job_that_is_ready_when_its_window_has_closed_changes_nothing(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient", commit_before=instant().wall + 1)
        await bench.begun(spool)
        (spool.path / "go").touch()
        outcome = (await bench.gets(JobEnded)).outcome
        assert isinstance(outcome, Failure) and outcome.code == LATE and not outcome.changed
        assert spool.decision() == "late"

    play(tmp_path, script)


def test_a_job_that_is_ready_in_its_window_commits(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient", commit_before=instant().wall + 3_600_000)
        await bench.begun(spool)
        (spool.path / "go").touch()
        assert isinstance((await bench.gets(JobEnded)).outcome, Success)
        assert spool.decision() == "commit"

    play(tmp_path, script)


def test_a_begun_commit_goes_on_after_the_window(tmp_path: Path) -> None:
    """Resumed when the window has closed: what was decided stays decided."""

    async def script(bench: Bench) -> None:
        first = Spool(tmp_path / "a")
        first.path.mkdir()
        assert first.decide("commit") == "commit"
        spool = bench.start("obedient", resumed=True, commit_before=1)
        await bench.begun(spool)
        (spool.path / "go").touch()
        assert isinstance((await bench.gets(JobEnded)).outcome, Success)

    play(tmp_path, script)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("failing", "script"),
        ("broken", "internal"),
        ("exiting", "internal"),
        ("unwritable", "internal"),
    ],
)
def test_whatever_a_handler_does_there_is_one_outcome(
    tmp_path: Path, method: str, code: str
) -> None:
    async def script(bench: Bench) -> None:
        bench.start(method)
        outcome = (await bench.gets(JobEnded)).outcome
        assert isinstance(outcome, Failure) and outcome.code == code
        assert "secret" not in outcome.message
        assert outcome.changed == (method == "failing")

    play(tmp_path, script)


def test_a_cancel_before_the_commit_wins(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.begun(spool)
        bench.executor.cancel(CancelJob("a", "cancel"))
        assert bench.events[-1] == CancelDecided("a", won=True, reason="cancel")
        assert (await bench.gets(JobEnded)).outcome.code == "canceled"

    play(tmp_path, script)


def test_a_timeout_before_the_commit_is_told_as_such(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.begun(spool)
        bench.executor.cancel(CancelJob("a", "timeout"))
        assert (await bench.gets(JobEnded)).outcome.code == "timeout"

    play(tmp_path, script)


def test_a_cancel_after_the_commit_loses(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("committed")
        await bench.sees((spool.path / "committed").exists)
        bench.executor.cancel(CancelJob("a", "cancel"))
        assert bench.events[-1] == CancelDecided("a", won=False, reason="cancel")
        (spool.path / "go").touch()
        assert isinstance((await bench.gets(JobEnded)).outcome, Success)

    play(tmp_path, script)


def test_a_cancel_before_the_job_looks_counts(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        bench.start("obedient")
        bench.executor.cancel(CancelJob("a", "cancel"))
        assert (await bench.gets(JobEnded)).outcome.code == "canceled"

    play(tmp_path, script)


def test_a_given_up_job_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "STOP_PATIENCE", 0.0)

    async def script(bench: Bench) -> None:
        spool = bench.start("deaf")
        await bench.begun(spool)
        bench.executor.cancel(CancelJob("a", "cancel"))
        assert await bench.gets(JobLost) == JobLost("a", began=True, decision="cancel")

    play(tmp_path, script)


def test_a_job_killed_in_its_commit_is_lost_and_can_be_resumed(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("committed")
        await bench.sees((spool.path / "committed").exists)
        os.kill(spool.holder() or 0, signal.SIGKILL)
        assert await bench.gets(JobLost) == JobLost("a", began=True, decision="commit")
        bench.start("committed", resumed=True)
        assert await bench.begun(spool, 2) == "resumed"
        (spool.path / "go").touch()
        assert isinstance((await bench.gets(JobEnded)).outcome, Success)

    play(tmp_path, script)


def test_a_job_that_dies_at_once_is_lost(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        bench.start("dying")
        assert await bench.gets(JobLost)

    play(tmp_path, script)


def test_starting_a_living_or_finished_job_again_runs_nothing(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.begun(spool)
        other = Bench(bench.root)
        other.start("obedient")
        (spool.path / "go").touch()
        assert (await other.gets(JobEnded)).outcome == (await bench.gets(JobEnded)).outcome
        bench.events.clear()
        bench.start("obedient")
        assert isinstance((await bench.gets(JobEnded)).outcome, Success)
        assert not (spool.path / "here-2").exists()
        other.executor.close()

    play(tmp_path, script)


def test_two_processes_of_one_execution_are_never_alive_together(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.begun(spool)
        second = await asyncio.create_subprocess_exec(*command(str(spool.path)))
        assert await second.wait() == 3
        (spool.path / "go").touch()
        await bench.gets(JobEnded)
        assert not (spool.path / "here-2").exists()

    play(tmp_path, script)


STARTER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_agent_jobs import Bench
async def main():
    Bench(Path({root!r})).start("obedient")
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("ends", ["while it is away", "after it is back", "by a kill"])
def test_a_job_outlives_its_agent_and_is_picked_up(tmp_path: Path, ends: str) -> None:
    starter = STARTER.format(tests=str(Path(__file__).parent), root=str(tmp_path))
    environ = os.environ | {"PYTHONPATH": str(SCRIPT.parent)}
    agent = subprocess.Popen([sys.executable, "-c", starter], env=environ)
    spool = Spool(tmp_path / "a")
    until((spool.path / "here-1").exists)
    agent.kill()
    agent.wait()
    assert spool.alive()
    if ends == "while it is away":
        (spool.path / "go").touch()
        until(lambda: not spool.alive())

    async def script(bench: Bench) -> None:
        bench.executor.adopt("a")
        await bench.gets(JobProgressed)
        if ends == "by a kill":
            os.kill(spool.holder() or 0, signal.SIGKILL)
            assert await bench.gets(JobLost) == JobLost("a", began=True, decision=None)
        else:
            (spool.path / "go").touch()
            assert isinstance((await bench.gets(JobEnded)).outcome, Success)
        assert not (spool.path / "here-2").exists()

    play(tmp_path, script)


def test_a_job_that_was_never_started_is_lost(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        bench.executor.adopt("a")
        assert await bench.gets(JobLost) == JobLost("a", began=False, decision=None)

    play(tmp_path, script)


def test_a_disk_that_takes_no_job_gives_a_failed_answer(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where the folder should be")

    async def script(bench: Bench) -> None:
        bench.start("obedient")
        outcome = (await bench.gets(JobEnded)).outcome
        assert isinstance(outcome, Failure) and "could not start" in outcome.message

    play(tmp_path, script)


def test_what_is_left_of_finished_calls_is_swept_but_nothing_that_lives(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        living = bench.start("obedient", "living")
        await bench.begun(living)
        for name in ("open", "over"):
            (tmp_path / name).mkdir()
        (tmp_path / ".settings.json").touch()
        bench.executor.sweep(keep={"open"})
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == [".settings.json", "living", "open"]
        (living.path / "go").touch()
        await bench.gets(JobEnded)

    play(tmp_path, script)


def fake_unit(kind: Unit, name: str, spool: Path, environ: Any) -> list[str]:
    """As systemd-run: it returns at once, and the job is nobody's child. Its process id is in `main-pid`."""
    script = '[ "$1" = fail ] && exit 1; cd "$2"; shift 2; setsid "$@" >/dev/null 2>&1 & echo $! > main-pid'
    word = "fail" if (spool.parent / "fail").exists() else "run"
    deaf = (spool.parent / "deaf").exists()  # it never comes to take its lock
    job = ["sleep", "60"] if deaf else command(str(spool))
    return ["/bin/sh", "-c", script, "sh", word, str(spool.parent), *job]


@pytest.fixture
def under_systemd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jobs_module, "uses_systemd", lambda environ: True)
    monkeypatch.setattr(jobs_module, "unit_command", fake_unit)
    ask = ["/bin/cat", str(tmp_path / "main-pid")]
    monkeypatch.setattr(jobs_module, "main_process_command", lambda name: ask)


@pytest.mark.usefixtures("under_systemd")
def test_a_job_in_a_unit_is_watched_by_its_lock_also_when_resumed(tmp_path: Path) -> None:
    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.begun(spool)
        os.kill(spool.holder() or 0, signal.SIGKILL)
        assert await bench.gets(JobLost) == JobLost("a", began=True, decision=None)
        bench.start("obedient", resumed=True)
        assert await bench.begun(spool, 2) == "resumed"
        (spool.path / "go").touch()
        assert isinstance((await bench.gets(JobEnded)).outcome, Success)
        assert len([e for e in bench.events if isinstance(e, JobLost)]) == 1

    play(tmp_path, script)


@pytest.mark.usefixtures("under_systemd")
def test_a_unit_that_cannot_be_made_is_noticed_at_once(tmp_path: Path) -> None:
    (tmp_path / "fail").touch()

    async def script(bench: Bench) -> None:
        bench.start("obedient")
        assert await bench.gets(JobLost) == JobLost("a", began=False, decision=None)

    play(tmp_path, script)


@pytest.mark.usefixtures("under_systemd")
def test_a_unit_that_dies_before_it_takes_its_lock_is_noticed_at_once(tmp_path: Path) -> None:
    (tmp_path / "deaf").touch()

    async def script(bench: Bench) -> None:
        bench.start("obedient")
        pid = await bench.sees(lambda: _number(tmp_path / "main-pid"))
        await asyncio.sleep(0.3)  # in which nothing is told: it may still begin
        assert bench.events == []
        begin = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        assert await bench.gets(JobLost) == JobLost("a", began=False, decision=None)
        assert time.monotonic() - begin < jobs_module.START_PATIENCE / 3

    play(tmp_path, script)


@pytest.mark.usefixtures("under_systemd")
@pytest.mark.parametrize("answer", ["", "no such thing"])
def test_where_systemd_tells_nothing_a_unit_gets_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(jobs_module, "main_process_command", lambda _: ["/bin/echo", answer])

    async def script(bench: Bench) -> None:
        spool = bench.start("obedient")
        await bench.begun(spool)
        (spool.path / "go").touch()
        assert isinstance((await bench.gets(JobEnded)).outcome, Success)
        assert not any(isinstance(event, JobLost) for event in bench.events)

    play(tmp_path, script)


@pytest.mark.usefixtures("under_systemd")
def test_a_unit_that_has_no_process_any_more_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deaf").touch()
    monkeypatch.setattr(jobs_module, "main_process_command", lambda _: ["/bin/echo", "0"])

    async def script(bench: Bench) -> None:
        bench.start("obedient")
        assert await bench.gets(JobLost) == JobLost("a", began=False, decision=None)
        os.kill(await bench.sees(lambda: _number(tmp_path / "main-pid")), signal.SIGKILL)

    play(tmp_path, script)


def _number(path: Path) -> int:
    return int(path.read_text() or 0) if path.exists() else 0
