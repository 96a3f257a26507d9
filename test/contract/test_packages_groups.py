"""Package groups: dnf's, and the sentence of those who have none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import rpmrepo
from package_hosts import AptHost, Dnf5Host, DnfHost, need
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import handlers
from rpmrepo import Group
from test_packages import change, refused, told

from pulp.rmi import interfaces
from pulp.rmi.interfaces import GroupArgs

SERVER = {
    ("demo", "install", None, "1.1", "done"),
    ("demolib", "install", None, "2.0", "done"),
    ("democonf", "install", None, "2.0", "done"),
}


@pytest.fixture(params=["dnf", "dnf5"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> DnfHost:
    need(request.param)
    return Dnf5Host(tmp_path) if request.param == "dnf5" else DnfHost(tmp_path)


def installed_groups(host: DnfHost) -> set[str]:
    return {group.id for group in host.groups().groups if group.installed}


# --- what there is ---


def test_groups_are_told_with_what_an_installation_brings(host: DnfHost) -> None:
    result = host.groups()
    assert result.backend == host.backend
    server, tools = result.groups
    assert (server.id, server.name, server.installed) == ("demoserver", "Demoserver", False)
    assert (server.mandatory, server.default) == (["demo"], ["democonf"])
    assert tools.id == "demotools"


def test_the_look_at_groups_changes_nothing_and_waits_for_no_lock(host: DnfHost) -> None:
    host.give("demo00")
    before = host.fingerprint()
    with host.locked(), host.locked(metadata=True):
        assert len(host.groups().groups) == 2
    assert host.fingerprint() == before


def test_a_group_that_no_repository_has_any_more_is_still_installed(host: DnfHost) -> None:
    host.install_group("demotools")
    host.repository.set_groups(Group(id="demolast"))
    found = {group.id: group for group in host.groups(refresh=True).groups}
    assert found.keys() == {"demolast", "demotools"}
    assert (found["demotools"].installed, found["demotools"].mandatory) == (True, [])
    host.remove_group("demotools")
    assert host.installed() == {}
    assert installed_groups(host) == set()


# --- installing ---


def test_a_group_brings_what_is_mandatory_and_what_is_default(host: DnfHost) -> None:
    result = host.install_group("demoserver")
    assert told(result) == SERVER
    assert change(result, "demo").requested and change(result, "democonf").requested
    assert not change(result, "demolib").requested and change(result, "demolib").automatic
    assert "demofat" not in host.installed()
    assert installed_groups(host) == {"demoserver"}


def test_a_group_twice_changes_nothing_the_second_time(host: DnfHost) -> None:
    host.install_group("demoserver", "demotools")
    before = host.fingerprint()
    again = host.install_group("demoserver", "demotools")
    assert (again.changed, again.changes) == (False, [])
    assert host.fingerprint()["history"] == before["history"]


def test_a_group_whose_packages_are_there_is_put_down_as_installed(host: DnfHost) -> None:
    host.give("demo", "democonf")
    result = host.install_group("demoserver")
    assert (result.changed, result.changes) == (False, [])
    assert installed_groups(host) == {"demoserver"}


def test_a_group_that_could_not_be_put_down_as_installed_is_a_failure(host: DnfHost) -> None:
    """Though all of its packages are there."""
    host.give("demo", "democonf")
    with refusing_history(host):
        refused("internal", host.install_group, "demoserver")
    assert installed_groups(host) == set()
    host.install_group("demoserver")
    assert installed_groups(host) == {"demoserver"}


@contextmanager
def refusing_history(host: DnfHost) -> Iterator[None]:
    """dnf cannot write down any transaction."""
    with host.history() as history:
        history.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON trans BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    yield
    with host.history() as history:
        history.execute("DROP TRIGGER refuse")


def test_a_package_of_the_group_that_no_repository_has_is_passed_over(host: DnfHost) -> None:
    result = host.install_group("demotools")
    assert {c.name for c in result.changes} == {"demo00", "demo01"}
    assert "no-such-package" in result.log


def test_a_held_package_of_a_group_is_left_as_it_is(host: DnfHost) -> None:
    host.give("demo=1.0", "demolib=1.0")
    host.hold("demo")
    assert told(host.install_group("demoserver")) == {("democonf", "install", None, "2.0", "done")}


@pytest.mark.parametrize("name", ["no-such-group", "demo*", "@demoserver", "Demoserver", "demo"])
def test_an_unknown_group_is_named_and_nothing_is_installed(host: DnfHost, name: str) -> None:
    """A pattern or a group's name for people is no id."""
    error = refused("not-found", raw_install, host, name)
    assert f"no group {name}" in str(error)
    assert error.details.unknown == [name]
    assert host.installed() == {}


def raw_install(host: DnfHost, name: str) -> object:
    """Past what the wire refuses; the handler does not rely on it."""
    handler = handlers(host.settings)[interfaces.INSTALL_GROUP]
    return handler(GroupArgs(groups=[name, "demoserver"]), host.job())


def test_an_environment_is_told_as_one(host: DnfHost) -> None:
    error = refused("not-found", host.install_group, "demoworld")
    assert "its groups are demoserver, demotools" in str(error)


def test_a_dry_run_of_a_group_changes_nothing(host: DnfHost) -> None:
    host.give("demo00")
    before = host.fingerprint()
    result = host.install_group("demoserver", dry_run=True)
    assert {(c.name, c.outcome) for c in result.changes} == {
        (name, "planned") for name in ("demo", "demolib", "democonf")
    }
    assert host.fingerprint() == before
    assert installed_groups(host) == set()


def test_a_group_is_installed_with_the_policy_of_packages(host: DnfHost) -> None:
    host.repository.set_groups(Group(id="demorivals", mandatory=["democonflict"]))
    host.give("demo")
    refused("would-remove", host.install_group, "demorivals")
    assert host.install_group("demorivals", allow_remove=True).changed


# --- removing ---


def test_a_groups_removal_takes_what_it_brought_and_leaves_what_was_there(host: DnfHost) -> None:
    host.give("democonf")
    host.install_group("demoserver")
    result = host.remove_group("demoserver")
    assert told(result) == {("demo", "remove", "1.1", None, "done")}
    assert change(result, "demo").requested
    assert host.installed() == {"demolib": "2.0", "democonf": "2.0"}
    assert installed_groups(host) == set()


def test_a_groups_removal_takes_its_dependencies_on_autoremove(host: DnfHost) -> None:
    host.install_group("demoserver")
    host.remove_group("demoserver", autoremove=True)
    assert host.installed() == {}


def test_the_removal_of_a_group_that_is_not_installed_changes_nothing(host: DnfHost) -> None:
    host.give("demo")
    assert host.remove_group("demoserver", "no-such-group").changes == []
    assert host.installed().keys() == {"demo", "demolib"}


def test_what_two_groups_have_goes_with_the_second(host: DnfHost) -> None:
    host.repository.set_groups(
        Group(id="one", mandatory=["demo00", "demo01"]), Group(id="two", mandatory=["demo00"])
    )
    host.install_group("one", "two")
    host.remove_group("one")
    assert host.installed() == {"demo00": "1.0"}
    host.remove_group("two")
    assert host.installed() == {}


def test_a_held_package_keeps_its_group(host: DnfHost) -> None:
    host.install_group("demoserver")
    host.hold("demo")
    error = refused("held", host.remove_group, "demoserver")
    assert "demo" in str(error)
    assert installed_groups(host) == {"demoserver"}
    assert host.remove_group("demoserver", allow_held=True).changed


def test_a_removal_that_would_take_others_along_leaves_their_need(host: DnfHost) -> None:
    """dnf keeps what another installed package needs, as a dependency."""
    host.install_group("demoserver")
    host.install("demosuite")
    result = host.remove_group("demoserver")
    assert result.changes == []
    assert host.installed().keys() == {"demo", "demolib", "democonf", "demosuite"}
    assert installed_groups(host) == set()


def test_groups_survive_a_repositorys_loss_of_its_comps_file(host: DnfHost) -> None:
    host.repository.index()
    rpmrepo.run(
        "modifyrepo_c", "--remove", "group", str(host.repository.path / "repodata"), home=host.root
    )
    assert host.groups().groups == []


# --- apt ---


def test_apt_refuses_groups_and_names_the_way(tmp_path: Path) -> None:
    host = AptHost(tmp_path)
    for verb in (host.install_group, host.remove_group):
        for dry_run in (False, True):
            error = refused("unsupported", verb, "demoserver", dry_run=dry_run)
            assert "metapackage" in str(error)
    with pytest.raises(HandlerError, match="metapackage") as caught:
        host.groups()
    assert caught.value.code == "unsupported"
    assert not host.job().reports
