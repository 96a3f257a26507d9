"""What an agent answers to a request it must refuse, and the reading of results."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from message_strategies import json_values, messages
from msgspec import Raw
from test_versions import BOTH, INSTALL_2, ONLY_2, VERSIONS, InstallArgs2

from pulp.common.times import DAY
from pulp.rmi.checks import TOMBSTONE, check_request, read_value
from pulp.rmi.codec import decode_for_agent, encode
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.interfaces import INSTALL, METHODS, PackagesArgs, PackageSpec, PackagesResult, Policy
from pulp.rmi.messages import Rejected, Request, WireWindow
from pulp.rmi.versions import FEATURES

NOW = 1_800_000_000_000
GOOD = Request(
    id="5f0c8e0a-1f0e-4c57-9f5e-0d6f8a3b2c1d",
    consumer="web1",
    class_="Packages",
    method="install",
    version=1,
    args=Raw(b'{"packages":[{"name":"nginx"}]}'),
    by="admin",
    issued=NOW,
    needs=[],
    window=None,
    plan=1,
    accept_by=NOW + DAY,
    expires=NOW + 2 * DAY,
    timeout=1000,
)


def check(*, now: int = NOW, **changes: Any) -> Any:
    """Check the good request with these fields changed, as it comes off the wire."""
    request = decode_for_agent(*encode(msgspec.structs.replace(GOOD, **changes)))
    assert isinstance(request, Request)
    return check_request(request, features=FEATURES, methods=METHODS, now=now)


def refusal(**changes: Any) -> Rejected:
    answer = check(**changes)
    assert isinstance(answer, Rejected)
    assert answer.id == GOOD.id
    return answer


def bad_args(text: str) -> Rejected:
    answer = refusal(args=Raw(text.encode()))
    assert answer.code == "bad-arguments"
    return answer


def test_a_good_request_gives_its_method_and_typed_arguments() -> None:
    assert check() == (INSTALL, PackagesArgs(packages=[PackageSpec(name="nginx")]))


def test_arguments_are_read_whole() -> None:
    args = PackagesArgs(
        packages=[PackageSpec(name="zlib1g", version="1:1.2.13", arch="amd64")],
        policy=Policy(allow_remove=True, config_files="new"),
        dry_run=True,
    )
    assert check(args=Raw(msgspec.json.encode(args))) == (INSTALL, args)


def test_another_protocol() -> None:
    request = msgspec.structs.replace(GOOD, v=2)
    answer = check_request(request, features=FEATURES, methods=METHODS, now=NOW)
    assert answer == Rejected(id=GOOD.id, code="unknown-protocol", expected="v: 1", found="2")


def test_an_unknown_method() -> None:
    answer = refusal(class_="Packages", method="explode")
    assert (answer.code, answer.found) == ("unknown-method", "Packages.explode")


def test_a_method_name_from_the_wire_reaches_no_attribute() -> None:
    assert refusal(class_="Method", method="__init__").code == "unknown-method"
    assert refusal(class_="", method="Packages.install").code == "unknown-method"


def test_an_unknown_method_is_named_before_its_arguments() -> None:
    assert refusal(method="explode", args=Raw(b"7")).code == "unknown-method"


def test_a_newer_version() -> None:
    answer = refusal(version=9)
    assert (answer.code, answer.found) == ("unsupported-version", "9")
    assert answer.expected == "version: Packages.install at most version 1"


def test_an_older_version_is_lifted() -> None:
    answer = check_request(GOOD, features=FEATURES, methods=ONLY_2, now=NOW, upgrades=VERSIONS)
    assert answer == (INSTALL_2, InstallArgs2(packages=[{"name": "nginx"}], mode="apply"))


def test_a_version_that_is_still_known_is_not_lifted() -> None:
    answer = check_request(GOOD, features=FEATURES, methods=BOTH, now=NOW, upgrades=VERSIONS)
    assert answer == (INSTALL, PackagesArgs(packages=[PackageSpec(name="nginx")]))


def test_an_older_version_without_an_upgrader() -> None:
    answer = check_request(GOOD, features=FEATURES, methods=ONLY_2, now=NOW)
    assert isinstance(answer, Rejected)
    assert (answer.code, answer.found) == ("unsupported-version", "1")


def test_a_need_the_agent_lacks() -> None:
    answer = refusal(needs=["window", "moon-phase"])
    assert (answer.code, answer.found) == ("unsupported-feature", "moon-phase")
    assert "window" in answer.expected


@pytest.mark.parametrize(
    ("args", "expected", "found"),
    [
        ("7", "args: object", "int"),
        ("{}", "args.packages: a value", "none"),
        ('{"packages":[]}', "args.packages: array of length >= 1", "[]"),
        ('{"packages":[{"name":"a"},{"name":7}]}', "args.packages[1].name: str", "int"),
        ('{"packages":[{"nam":"a"}]}', "args.packages[0].nam: no such field", "an unknown field"),
        ('{"packages":[{"name":"a"}],"dry":1}', "args.dry: no such field", "an unknown field"),
        (
            '{"packages":[{"name":"a"}],"policy":{"allow_all":true}}',
            "args.policy.allow_all: no such field",
            "an unknown field",
        ),
        (
            '{"packages":[{"name":"a"}],"policy":{"config_files":"ask"}}',
            "args.policy.config_files: a known value",
            "'ask'",
        ),
    ],
)
def test_a_bad_argument_is_named(args: str, expected: str, found: str) -> None:
    answer = bad_args(args)
    assert (answer.expected, answer.found) == (expected, found)


@pytest.mark.parametrize(
    "name",
    ["", "nginx*", "/etc/passwd", "-o", "a b", "nginx\n", "http://x", "@group", "a;b", "n" * 201],
)
def test_a_package_name_that_is_more_than_a_name_is_refused(name: str) -> None:
    text = msgspec.json.encode({"packages": [{"name": name}]}).decode()
    assert bad_args(text).expected.startswith("args.packages[0].name: str")


def test_a_package_name_that_is_refused_is_shown() -> None:
    assert bad_args('{"packages":[{"name":"nginx;reboot"}]}').found == "'nginx;reboot'"


def test_an_endless_argument_is_not_sent_back_whole() -> None:
    answer = bad_args('{"packages":[{"name":"%s"}]}' % ("x" * 100_000))
    assert len(encode(answer).body) < 1_000


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"accept_by": NOW - 1}, "accept_by"),
        ({"expires": NOW - 1}, "expires"),
        ({"issued": NOW - TOMBSTONE - 1}, "issued"),
    ],
)
def test_a_request_that_comes_too_late(changes: dict[str, int], field: str) -> None:
    answer = refusal(**changes)
    assert (answer.code, answer.found) == ("expired", str(NOW))
    assert answer.expected.startswith(f"{field}: ")


def test_a_request_that_comes_in_its_last_moment_is_taken() -> None:
    assert check(accept_by=NOW, expires=NOW, issued=NOW - TOMBSTONE)[0] is INSTALL


@pytest.mark.parametrize(("begin", "end"), [(5, 5), (6, 5)])
def test_a_window_that_ends_before_it_begins(begin: int, end: int) -> None:
    answer = refusal(window=WireWindow(begin=begin, end=end), needs=["window"])
    assert (answer.code, answer.found) == ("bad-arguments", "5")
    assert answer.expected.startswith("window.end: ")


def test_a_call_without_time_to_run() -> None:
    assert refusal(timeout=0).expected == "timeout: more than 0 ms"


@given(messages(Request), st.integers(0, 2 * NOW))
def test_every_request_gets_a_method_or_a_refusal_that_can_be_sent(
    request_: Request, now: int
) -> None:
    answer = check_request(request_, features=FEATURES, methods=METHODS, now=now)
    if isinstance(answer, Rejected):
        assert answer.id == request_.id
        assert answer.expected
        encode(answer)
    else:
        assert isinstance(answer[1], answer[0].args)


def unreadable(raw: bytes) -> RemoteCallError:
    with pytest.raises(RemoteCallError) as caught:
        read_value(Raw(raw), PackagesResult, call_id="a")
    error = caught.value
    assert (error.reason, error.call_id) == ("unreadable-result", "a")
    return error


def test_a_result_is_read_as_the_methods_type() -> None:
    value = read_value(
        Raw(b'{"backend":"apt","changes":[{"name":"a","action":"install","to":"1"}]}'),
        INSTALL.result,
        call_id="a",
    )
    assert value.changes[0].to == "1"


def test_a_newer_agents_extra_fields_are_ignored() -> None:
    value = read_value(Raw(b'{"backend":"apt","mood":"good"}'), PackagesResult, call_id="a")
    assert value == PackagesResult(backend="apt")


def test_a_bad_result_names_the_field() -> None:
    error = unreadable(b'{"backend":"apt","changes":[{"name":"a","action":"explode"}]}')
    assert (error.expected, error.found) == ("changes[0].action: a known value", "'explode'")
    assert "changes[0].action" in str(error)


def test_a_result_that_is_no_json_is_an_error_of_the_peer() -> None:
    assert unreadable(b'{"backend":"\\ud800"}').expected
    assert unreadable(b'{"backend":"apt","log":' + b"[" * 90_000).expected


@given(json_values)
def test_no_value_breaks_the_reading(value: Any) -> None:
    try:
        read_value(Raw(msgspec.json.encode(value)), PackagesResult, call_id="a")
    except RemoteCallError as error:
        assert error.reason == "unreadable-result"
