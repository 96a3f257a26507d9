"""Today's server opens the store of every release, with all that was in it, and goes on with its tasks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from msgspec import Raw
from record_store import PASSWORD, call_id, known
from recordings import lost
from server_world import START, World

from pulp.common.times import HOUR
from pulp.rmi.messages import Accepted, CallStatus, Cancel, Request, Started, Succeeded
from pulp.server.api.packages import TASK_CLASSES, InstallPackages
from pulp.server.check import check
from pulp.server.db.sqlite import SqliteStore
from pulp.server.domain.task import TaskState as S


@pytest.fixture
def data(release: Path, tmp_path: Path) -> Path:
    shutil.copy(release / "store" / "pulp.db", tmp_path)
    return tmp_path


def test_all_that_was_stored_is_there(release: Path, data: Path) -> None:
    then = json.loads((release / "store.json").read_text())
    with closing(SqliteStore(data)) as store:
        assert list(lost(then, store.read(known))) == []


def test_nothing_stored_breaks_a_rule(data: Path) -> None:
    with closing(SqliteStore(data)) as store:
        assert list(check(store)) == []


def test_passwords_still_open(data: Path) -> None:
    with closing(SqliteStore(data)) as store:
        users = store.read(lambda uow: uow.users.list())
    for user in users:
        assert PasswordHasher().verify(user.password_hash, PASSWORD)


class PurgePackages(InstallPackages):
    """The kind that the release did not know."""

    kind = "packages.purge"
    version = 3


@pytest.fixture
def world(data: Path) -> Iterator[World]:
    made = World(data, TASK_CLASSES)
    yield made
    made.close()


CALLS = [CallStatus(call_id("held"), "held"), CallStatus(call_id("running"), "running")]


def come(world: World) -> Any:
    """The agent of web1 comes back with what it had accepted."""
    return world.hello(journal="journal-1", seq=17, calls=CALLS)


def states(world: World, *names: str) -> list[S]:
    return [world.task(call_id(name)).state for name in names]


def test_open_tasks_go_on_where_they_were(world: World) -> None:
    come(world)
    sent = world.take_sent()
    requests = {m.id: m for m in sent if isinstance(m, Request)}
    assert set(requests) == {call_id("sent"), call_id("queued")}
    assert requests[call_id("sent")].plan == 2
    assert call_id("canceling") in {m.id for m in sent if isinstance(m, Cancel)}
    assert states(world, "held", "running", "scheduled") == [S.HELD, S.RUNNING, S.SCHEDULED]
    world.pass_time(HOUR)
    assert call_id("scheduled") in world.requests()


def test_a_call_of_then_ends_with_history(world: World, release: Path) -> None:
    peer = come(world)
    for name in ("sent", "held", "running"):
        task_id = call_id(name)
        value = (release / "to_server" / "succeeded-Packages.install.json").read_bytes()
        final = Raw(json.dumps(json.loads(value)["value"]).encode())
        world.reply(
            peer,
            Accepted(id=task_id, state="ready"),
            Started(id=task_id, at=START + 10),
            Succeeded(id=task_id, value=final, started=START + 10, finished=START + 20),
        )
        task = world.task(task_id)
        installed = json.loads(task.args)["dry_run"]
        assert (task.state, installed) == (S.FINISHED, True)
    assert states(world, "finished", "error", "canceled") == [S.FINISHED, S.ERROR, S.CANCELED]


def test_what_the_release_did_not_know_waits_or_runs(world: World) -> None:
    assert world.waits_for(call_id("unknown")) == "unsupported-version"
    world.build([*TASK_CLASSES, PurgePackages])
    come(world)
    world.step()
    assert call_id("unknown") in world.requests()


def test_an_answer_that_was_kept_ends_its_task(world: World) -> None:
    task = world.task(call_id("answered"))
    if task.answer is None:
        pytest.skip("not kept by that release")
    world.step()
    assert world.task(task.id).state is S.FINISHED
