"""Failpoints: off they are nothing, on they kill once, and no durable step of the product is without one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from failpoints import functions, names

from pulp.common import failpoints
from pulp.common.failpoints import VARIABLE, failpoint

ALONE = "one commit and nothing after it; store.commit.* stand around it"
WAITED = "the commit is waited for by the step that settles: server.reply.committed"
LOWER = "a building block: the steps made of it have failpoints of their own"
REDONE = "nothing depends on it: it is written anew at the next start or the next time"
NO_ROW = "no stored row stands behind it"

EXEMPT = {
    "pulp/server/api/consumer.py:ConsumerApi.patch": ALONE,
    "pulp/server/api/housekeeping.py:Housekeeper.step": ALONE,
    "pulp/server/api/schedule_runs.py:ScheduleRunner._mend": REDONE,
    "pulp/server/api/schedules.py:ScheduleApi.change": ALONE,
    "pulp/server/api/schedules.py:ScheduleApi.create": ALONE,
    "pulp/server/api/schedules.py:ScheduleApi.delete": ALONE,
    "pulp/server/api/sessions.py:Sessions.end": ALONE,
    "pulp/server/api/tokens.py:RegistrationTokenApi.create": ALONE,
    "pulp/server/api/tokens.py:RegistrationTokenApi.revoke": ALONE,
    "pulp/server/api/window_bindings.py:Bindings._changed": ALONE,
    "pulp/server/api/windows.py:WindowApi.change": ALONE,
    "pulp/server/api/windows.py:WindowApi.create": ALONE,
    "pulp/server/api/windows.py:WindowApi.delete": "server.window.unbound, before its one commit",
    "pulp/server/api/users.py:UserApi.change": ALONE,
    "pulp/server/api/users.py:UserApi.create": ALONE,
    "pulp/server/api/users.py:UserApi.create_first": ALONE,
    "pulp/server/api/users.py:UserApi.delete": ALONE,
    "pulp/server/api/users.py:UserApi.login": ALONE,
    "pulp/server/async_/gateway.py:Gateway.call_now": NO_ROW,
    "pulp/server/async_/gateway.py:Gateway.query": NO_ROW,
    "pulp/server/async_/inbox.py:Inbox._resolve": NO_ROW,
    "pulp/server/async_/kept.py:KeptAnswers._resume": ALONE,
    "pulp/server/async_/reception.py:Reception._refuse_copy": ALONE,
    "pulp/server/async_/reception.py:Reception._outcome": "server.hello.committed, when its commit is done",
    "pulp/server/async_/reception.py:Reception.renew": "server.renew.committed, when its commit is done",
    "pulp/server/async_/reception.py:Reception.confirm_profile": WAITED,
    "pulp/server/async_/reception.py:Reception._want_profile": "asked for again after the next hash",
    "pulp/server/async_/reception.py:Reception.save_profile": WAITED,
    "pulp/server/async_/reception.py:Reception.welcome": "server.hello.committed, when its commit is done",
    "pulp/server/async_/replies.py:ReplyListener._keep_unreadable": WAITED,
    "pulp/server/async_/replies.py:ReplyListener._outcome": WAITED,
    "pulp/server/backup.py:_pack": "a backup that was not finished has no name yet",
    "pulp/server/backup.py:back_up": "a backup that was not finished has no name yet",
    "pulp/server/async_/planner.py:Planner._outcome": "server.replan.committed",
    "pulp/server/bootstrap.py:_Joining._ready": NO_ROW,
    "pulp/server/bootstrap.py:_outrun": "home.restored",
    "pulp/server/db/sqlite/store.py:SqliteStore.backup": "a copy; the store is not touched",
    "pulp/server/db/sqlite/migrations/__init__.py:_copy_once": "a copy that is there is as good",
    "pulp/server/home.py:Home._clear": "home.begun; what is left is cleared by the next one",
    "pulp/server/home.py:sync_directory": LOWER,
    "pulp/server/tasking/scheduler.py:Scheduler._outcome": "server.deadline.committed",
    "agent/pulp_agent/bootstrap.py:run": REDONE,
    "agent/pulp_agent/daemon.py:Agent._compact": "agent.journal.rewritten and agent.journal.replaced",
    "agent/pulp_agent/daemon.py:Agent._recover": "agent.journal.rewritten and agent.journal.replaced",
    "agent/pulp_agent/files.py:sync_directory": LOWER,
    "agent/pulp_agent/handlers/packages/apt/planning.py:Planning._simulate": REDONE,
    "agent/pulp_agent/handlers/packages/dnf/worker/config_files.py:_replace": "after the commit; the rest is told as kept",
    "agent/pulp_agent/handlers/packages/dnf/worker/dnf4/holds.py:Holds.renew": "an old lock holds its package all the same",
    "agent/pulp_agent/home.py:Home.drop_renewal": "agent.renewal.promoted; what is left over is asked for anew",
    "agent/pulp_agent/jobs.py:ProcessExecutor.sweep": REDONE,
    "agent/pulp_agent/journal.py:FileJournal.sync": "agent.journal.*, around the append that it belongs to",
    "agent/pulp_agent/journal.py:_make": "agent.file.written; an agent without a journal makes one",
    "agent/pulp_agent/journal.py:_put_aside": "before the journal is in use; cut at every byte in test_agent_journal.py",
    "agent/pulp_agent/journal.py:_rewrite": "before the journal is in use; cut at every byte in test_agent_journal.py",
    "agent/pulp_agent/simulation.py:ExecutionLog.write": "of the fleet simulator",
    "agent/pulp_agent/spool.py:Spool.decide": "job.commit.decided and agent.cancel.decided",
    "agent/pulp_agent/spool.py:Spool.prepare": "agent.job.prepared",
    "agent/pulp_agent/spool.py:Spool.write_progress": "it may be lost",
    "agent/pulp_agent/spool.py:Spool.write_result": "job.ended and job.result.written",
    "agent/pulp_agent/status.py:StatusFile.write": REDONE,
}
"""Functions with a durable step and no failpoint of their own, and why."""


def test_no_durable_step_is_without_a_failpoint() -> None:
    lacking = {f.name: f.steps() for f in functions() if f.steps() and not list(f.failpoints())}
    new = {name: steps for name, steps in lacking.items() if name not in EXEMPT}
    assert new == {}, "give each a failpoint with a way past it in test/system, or a reason here"
    assert sorted(EXEMPT.keys() - lacking.keys()) == [], (
        "these have a failpoint now, or are no more"
    )


def test_the_walk_sees_the_steps_it_is_there_for() -> None:
    """A walk that finds nothing would be content with anything."""
    found = {f.name.rpartition(":")[2]: f for f in functions()}
    assert found["ReplyListener.step"].steps() == ["self._bus.settle"]
    assert list(found["ReplyListener.step"].failpoints()) == [
        "server.reply.committed",
        "server.reply.settled",
    ]
    assert "self.journal.append" in found["Agent._write"].steps()
    assert "agent.journal.took.before" in names()
    assert len(names()) > 60


@pytest.fixture
def armed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(failpoints, "_folder", None)
    return tmp_path


def run(folder: Path, script: str, **environ: str) -> int:
    code = f"import os; from pulp.common.failpoints import *; arm(os.environ)\n{script}"
    env = {**os.environ, **environ}
    return subprocess.run([sys.executable, "-c", code], env=env, check=False).returncode


def test_off_they_return(armed: Path) -> None:
    (armed / "a").touch()
    failpoint("a")
    assert run(armed, "failpoint('a')") == 0
    assert (armed / "a").exists()


def test_on_it_kills_once(armed: Path) -> None:
    (armed / "a").touch()
    script = "failpoint('b'); failpoint('a')"
    assert run(armed, script, **{VARIABLE: str(armed)}) == -signal.SIGKILL
    (left,) = armed.iterdir()
    assert left.name.startswith(".a.")
    assert run(armed, script, **{VARIABLE: str(armed)}) == 0


def test_it_kills_at_the_pass_that_is_asked_for(armed: Path) -> None:
    (armed / "a").write_text("3")
    script = "failpoint('a'); failpoint('a'); print(1, flush=True); failpoint('a'); print(2)"
    assert run(armed, script, **{VARIABLE: str(armed)}) == -signal.SIGKILL
