"""Agents of another age. A second version of a method lives here only, to prove the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct
from server_world import HOUR, START, Install, Names, World
from skew import (
    sent,
    succeeded,
)

from pulp.common.windows import Window
from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import METHODS, Lane, Method, PackageSpec
from pulp.rmi.messages import (
    Rejected,
    Succeeded,
)
from pulp.rmi.remotes import Packages
from pulp.rmi.versions import ArgsVersions, Repertoire
from pulp.server.domain.task import TaskState as S
from pulp.server.tasking.context import Context
from pulp.server.tasking.task import Args, AsyncTask

# --- agents of another age ---


class Args2(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A second version of Packages.install: `mode` in place of `dry_run`, and a channel that version 1 cannot say."""

    packages: list[PackageSpec]
    mode: str = "apply"
    channel: str = "stable"


class Result2(Struct, frozen=True, kw_only=True):
    installed: int


INSTALL_2 = Method("Packages", "install", 2, Args2, Result2, Lane.HOST)


def up(args: Args) -> Args:
    args.pop("policy", None)
    args["mode"] = "plan" if args.pop("dry_run", False) else "apply"
    return args


def down(args: Args) -> Args:
    if args.pop("channel", "stable") != "stable":
        raise Unsupported("unsupported-version", "args.channel", expected="stable", found="beta")
    args["dry_run"] = args.pop("mode") == "plan"
    return args


TOMORROW = Repertoire(
    {**METHODS, ("Packages.install", 2): INSTALL_2},
    ArgsVersions(up={("Packages.install", 1): up}, down={("Packages.install", 2): down}),
)


class InstallBy2(AsyncTask):
    """Asks by the second version; `names` holds a channel and the packages."""

    kind = "test.install2"
    arguments = Names

    def run(self, ctx: Context) -> None:
        assert ctx.agent is not None
        channel, *names = self.args.names
        packages = [PackageSpec(name=n) for n in names]
        _invoke(ctx.agent.packages)(INSTALL_2, Args2(packages=packages, channel=channel))

    def succeeded(self, ctx: Context, result: Any) -> None:
        super().succeeded(ctx, result)
        ctx.history.packages_installed(self.record, {"read_as": type(result).__name__})


def _invoke(packages: Packages[None]) -> Callable[[Method, Struct], None]:
    return packages._invoke


@pytest.fixture
def tomorrow(tmp_path: Path) -> Iterator[World]:
    """A server that knows two versions of Packages.install."""
    made = World(tmp_path, [InstallBy2, Install], TOMORROW)
    yield made
    made.close()


def offering(*versions: int) -> dict[str, Any]:
    return {"methods": {"Packages.install": list(versions)}}


def read_as(world: World) -> str:
    return str(msgspec.json.decode(world.history()[0].details)["read_as"])


def test_an_agent_gets_the_newest_version_that_both_know(tomorrow: World):
    tomorrow.consumer()
    peer = tomorrow.hello(**offering(1, 2, 3))
    task_id = tomorrow.enqueue(InstallBy2, "web1", "beta", "nginx")
    tomorrow.step()
    request = sent(tomorrow)
    assert request.version == 2
    assert msgspec.json.decode(request.args) == {
        "packages": [{"name": "nginx"}],
        "mode": "apply",
        "channel": "beta",
    }
    value = Raw(b'{"installed": 1}')
    tomorrow.reply(peer, Succeeded(id=task_id, value=value, started=START, finished=START))
    assert read_as(tomorrow) == "Result2"


def test_an_old_agent_gets_the_old_version_with_lowered_arguments(tomorrow: World):
    tomorrow.consumer()
    peer = tomorrow.hello(**offering(1))
    task_id = tomorrow.enqueue(InstallBy2, "web1", "stable", "nginx")
    tomorrow.step()
    request = sent(tomorrow)
    assert request.version == 1
    assert msgspec.json.decode(request.args) == {"packages": [{"name": "nginx"}], "dry_run": False}
    tomorrow.reply(peer, succeeded(task_id))
    assert read_as(tomorrow) == "PackagesResult"  # as that version answers


def test_a_caller_of_the_old_version_is_lifted_to_the_newest_both_know(tomorrow: World):
    tomorrow.consumer()
    tomorrow.hello(**offering(2))
    tomorrow.install()
    tomorrow.step()
    request = sent(tomorrow)
    assert request.version == 2
    assert msgspec.json.decode(request.args) == {"packages": [{"name": "nginx"}], "mode": "apply"}


def test_what_the_old_version_cannot_say_is_not_sent_to_an_old_agent(tomorrow: World):
    tomorrow.consumer()
    tomorrow.hello(**offering(1))
    task_id = tomorrow.enqueue(InstallBy2, "web1", "beta", "nginx")
    tomorrow.step()
    error = tomorrow.task(task_id).error
    assert error is not None and error.code == "unsupported-version"
    assert "args.channel should be stable, found beta" in error.message
    assert tomorrow.requests() == []


def test_a_restriction_is_never_sent_to_an_agent_that_came_back_older(world: World):
    """Planned for an agent that keeps windows, and taken back to one that does not: refused here, and said in `needs` where it
    was sent already."""
    world.consumer()
    world.hello()
    window = Window(START + HOUR, START + 2 * HOUR)
    was_sent = world.install(window=window)
    world.step()
    assert sent(world).needs == ["window"]
    world.build()
    waits = world.install(window=window)
    peer = world.hello(features=["cancel", "query"])
    world.step()
    again = sent(world)
    assert (again.id, again.needs) == (was_sent, ["window"])
    error = world.task(waits).error
    assert error is not None and error.code == "unsupported-feature"
    refusal = Rejected(id=was_sent, code="unsupported-feature", expected="cancel", found="window")
    world.reply(peer, refusal)
    assert world.task(was_sent).state is S.ERROR
    assert world.events() == ["action_failed", "action_failed"]
