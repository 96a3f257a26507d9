"""Features, method versions, and arguments carried between versions; proved with a second version made for these tests."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import Struct

from pulp.common.windows import Window
from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import INSTALL, METHODS, Lane, Method, NoArgs, PackagesArgs
from pulp.rmi.messages import WireWindow
from pulp.rmi.versions import (
    ARGS_VERSIONS,
    FEATURES,
    SINCE,
    ArgsVersions,
    choose,
    lacking_method,
    missing,
    needs_of,
    newest,
    offer,
    since,
)


class InstallArgs2(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A made-up second version: `dry_run` became `mode`, and `channel` is new."""

    packages: list[dict[str, str]]
    mode: str
    channel: str = "stable"


INSTALL_2 = Method("Packages", "install", 2, InstallArgs2, NoArgs, Lane.HOST)
BOTH = {**METHODS, ("Packages.install", 2): INSTALL_2}
ONLY_2 = {("Packages.install", 2): INSTALL_2}


def up(args: dict[str, Any]) -> dict[str, Any]:
    args["mode"] = "plan" if args.pop("dry_run", False) else "apply"
    return args


def down(args: dict[str, Any]) -> dict[str, Any]:
    if args.pop("channel", "stable") != "stable":
        raise Unsupported("unsupported-version", "args.channel", expected="stable", found="beta")
    args["dry_run"] = args.pop("mode") == "plan"
    return args


VERSIONS = ArgsVersions(up={("Packages.install", 1): up}, down={("Packages.install", 2): down})


def test_a_window_must_be_understood_by_the_agent() -> None:
    assert needs_of(window=Window(1, 2)) == ["window"]
    assert needs_of(window=WireWindow(begin=1, end=2)) == ["window"]
    assert needs_of(window=WireWindow(begin=1, end=2, cutoff_at=2)) == ["window", "window-rule"]
    assert needs_of(window=None) == []


def test_a_wish_to_fetch_ahead_may_be_ignored() -> None:
    assert needs_of(window=WireWindow(begin=1, end=2, predownload=True)) == ["window"]


def test_this_release_can_do_what_it_needs() -> None:
    assert missing(needs_of(window=Window(1, 2)), FEATURES) == []


def test_missing_keeps_the_order_of_the_needs() -> None:
    assert missing(["z", "window", "a"], {"window"}) == ["z", "a"]


def test_the_offer_names_every_method_with_its_versions() -> None:
    offered = offer(BOTH)
    assert offered["Packages.install"] == [1, 2]
    assert offered["System.ping"] == [1]
    assert {(path, v) for path, versions in offered.items() for v in versions} == set(BOTH)


@pytest.mark.parametrize(
    ("offered", "known", "chosen"),
    [
        ([1], METHODS, INSTALL),
        ([1], BOTH, INSTALL),
        ([1, 2], METHODS, INSTALL),
        ([2, 1], BOTH, INSTALL_2),
        ([1, 2, 3], BOTH, INSTALL_2),
        ([3], BOTH, None),
        ([1], ONLY_2, None),
        ([], BOTH, None),
    ],
)
def test_the_newest_version_both_know_is_chosen(
    offered: list[int], known: dict[tuple[str, int], Method], chosen: Method | None
) -> None:
    assert choose("Packages.install", {"Packages.install": offered}, known) is chosen


def test_a_method_that_is_not_offered_is_not_chosen() -> None:
    assert choose("Packages.install", {"Packages.remove": [1]}) is None
    assert choose("Packages.explode", {"Packages.explode": [1]}) is None


INTRODUCED = {"Packages.install 1": "0.1.0", "Packages.install 2": "0.7.0"}


@pytest.mark.parametrize(
    ("offered", "known", "words"),
    [
        ({"Packages.install": [1]}, BOTH, ""),
        ({"Packages.install": [2, 3]}, BOTH, ""),
        ({}, BOTH, "it does not have it; agents have it from version 0.1.0 on"),
        ({"Packages.remove": [1]}, ONLY_2, "agents have it from version 0.7.0 on"),
        ({"Packages.install": [1]}, ONLY_2, "only versions [1] of it, and this server calls"),
        ({"Packages.install": [1]}, ONLY_2, "agents take them from version 0.7.0 on"),
        ({"Packages.install": [3]}, BOTH, "takes only versions [3]"),
        ({"Packages.install": [3]}, BOTH, "update the server"),
    ],
)
def test_what_an_agent_lacks_is_said_with_the_version_that_has_it(
    offered: dict[str, list[int]], known: dict[tuple[str, int], Method], words: str
) -> None:
    lack = lacking_method("Packages.install", offered, known, INTRODUCED)
    assert words in lack
    assert bool(lack) == bool(words)


def test_features_are_told_with_the_version_that_has_them() -> None:
    assert since(["window"]) == f"window (agents have it from version {SINCE['window']} on)"


def test_everything_that_can_be_lacking_says_since_when_there_is_it() -> None:
    methods = {f"{path} {version}" for path, version in METHODS}
    assert set(SINCE) == methods | FEATURES


def test_newest_names_what_it_expected_and_found() -> None:
    assert newest("Packages.install", 1, BOTH) is INSTALL_2
    with pytest.raises(Unsupported) as caught:
        newest("Packages.install", 3, BOTH)
    error = caught.value
    assert (error.code, error.found) == ("unsupported-version", "3")
    assert error.expected == "Packages.install at most version 2"
    with pytest.raises(Unsupported) as caught:
        newest("Packages.explode", 1, BOTH)
    assert (caught.value.code, caught.value.found) == ("unknown-method", "Packages.explode")


def test_older_arguments_are_lifted_and_left_as_they_were() -> None:
    stored = {"packages": [{"name": "nginx"}], "dry_run": True}
    version, args = VERSIONS.lift("Packages.install", 1, stored, BOTH)
    assert version == 2
    assert args == {"packages": [{"name": "nginx"}], "mode": "plan"}
    assert stored == {"packages": [{"name": "nginx"}], "dry_run": True}


def test_current_arguments_need_no_step() -> None:
    args = {"packages": [{"name": "nginx"}]}
    assert ARGS_VERSIONS.lift("Packages.install", 1, args) == (1, args)


def test_several_steps_are_taken_one_at_a_time() -> None:
    steps = {("M.m", n): lambda args, n=n: {**args, "way": [*args["way"], n]} for n in (1, 2, 3)}
    versions = ArgsVersions(up=steps, down={})
    assert versions.convert("M.m", 1, {"way": []}, to=4) == {"way": [1, 2, 3]}
    assert versions.convert("M.m", 3, {"way": []}, to=4) == {"way": [3]}


def test_newer_arguments_are_lowered_for_an_older_agent() -> None:
    args = {"packages": [{"name": "nginx"}], "mode": "plan"}
    lowered = VERSIONS.convert("Packages.install", 2, args, to=1)
    assert lowered == {"packages": [{"name": "nginx"}], "dry_run": True}


def test_what_an_older_version_cannot_say_is_refused() -> None:
    args = {"packages": [{"name": "nginx"}], "mode": "plan", "channel": "beta"}
    with pytest.raises(Unsupported, match=r"args\.channel should be stable, found beta"):
        VERSIONS.convert("Packages.install", 2, args, to=1)


@pytest.mark.parametrize(("version", "to"), [(1, 2), (2, 1), (1, 3)])
def test_a_missing_step_is_named(version: int, to: int) -> None:
    with pytest.raises(Unsupported) as caught:
        ARGS_VERSIONS.convert("Packages.install", version, {}, to=to)
    error = caught.value
    assert (error.code, error.found) == ("unsupported-version", str(version))
    assert error.expected == f"Packages.install version {to}"


def test_the_methods_are_registered_under_their_own_path_and_version() -> None:
    assert all((m.path, m.version) == key for key, m in METHODS.items())
    assert METHODS["Packages.install", 1].args is PackagesArgs
