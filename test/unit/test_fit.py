"""A final always fits the wire, and gives up what matters least first."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from message_strategies import messages
from msgspec import UNSET, Raw

from pulp.rmi.codec import MAX_WIRE, decode_for_server, encode
from pulp.rmi.fit import fit
from pulp.rmi.interfaces import Change, PackagesResult
from pulp.rmi.messages import FINALS, Canceled, Failed, Final, Rejected, Succeeded

_random = random.Random(7)


def noise(size: int) -> str:
    """Text that gzip cannot shorten below half."""
    return _random.randbytes(size // 2).hex()


def change(name: str, error: str = "") -> Change:
    return Change(
        name=name, action="upgrade", from_="1.0", to="2.0", outcome="done", repo="main", error=error
    )


def succeeded(result: PackagesResult) -> Succeeded:
    return Succeeded(id="a", value=Raw(msgspec.json.encode(result)), started=1, finished=2)


def result_of(final: Final) -> PackagesResult:
    """What the server reads of a final that went over the wire."""
    again = decode_for_server(*encode(final))
    assert isinstance(again, Succeeded | Failed)
    raw = again.value if isinstance(again, Succeeded) else again.details
    return msgspec.json.decode(raw, type=PackagesResult)


@given(messages(*FINALS))
def test_what_fits_is_left_alone(final: Final) -> None:
    assert fit(final) is final


def test_the_log_goes_first_and_nothing_else_does() -> None:
    result = PackagesResult(
        backend="apt", changes=[change("nginx", "x" * 500)], log=noise(4_000_000)
    )
    final = fit(succeeded(result))
    assert result_of(final) == msgspec.structs.replace(result, log="")
    assert isinstance(final, Succeeded)
    assert final.truncated is UNSET


def test_a_failures_details_lose_their_log_too() -> None:
    result = PackagesResult(backend="apt", changes=[change("nginx")], log=noise(4_000_000))
    details = Raw(msgspec.json.encode(result))
    final = fit(Failed(id="a", code="partial", message="Half done.", details=details))
    assert result_of(final).changes == result.changes
    assert isinstance(final, Failed)
    assert (final.code, final.message, final.truncated) == ("partial", "Half done.", UNSET)


def test_the_largest_part_goes_next_and_the_changes_stay_whole() -> None:
    result = PackagesResult(
        backend="apt",
        changes=[change(f"p{i}", "why") for i in range(100)],
        unknown=["small"],
        scripts_failed=[noise(4_000_000)],
    )
    final = fit(succeeded(result))
    assert isinstance(final, Succeeded)
    assert final.truncated is True
    assert result_of(final) == msgspec.structs.replace(result, scripts_failed=[])


def test_changes_keep_names_and_versions_when_their_errors_have_no_room() -> None:
    changes = [change(f"p{i}", noise(4_000)) for i in range(1_000)]
    final = fit(succeeded(PackagesResult(backend="apt", changed=True, changes=changes)))
    kept = result_of(final)
    assert [(c.name, c.from_, c.to, c.outcome) for c in kept.changes] == [
        (f"p{i}", "1.0", "2.0", "done") for i in range(1_000)
    ]
    assert kept.changed
    assert {c.error for c in kept.changes} == {""}


def test_the_tail_of_the_changes_goes_last() -> None:
    names = [noise(100) for _ in range(40_000)]
    final = fit(succeeded(PackagesResult(backend="apt", changes=[change(n) for n in names])))
    kept = [c.name for c in result_of(final).changes]
    assert kept == names[: len(kept)]
    assert len(kept) >= 10_000


@pytest.mark.parametrize(
    "final",
    [
        Rejected(id="a", code="bad-arguments", expected=noise(3_000_000), found="\udcff"),
        Failed(id="a", code="script", message=noise(4_000_000)),
        Failed(id="a", code="script", message="the log says \udcff"),
        Failed(
            id="a", code="script", message="m", details=Raw(msgspec.json.encode(noise(4_000_000)))
        ),
        Failed(id="a", code="x", message="m", details=Raw(b"[" + b"1," * 9_000_000 + b"1]")),
    ],
)
def test_any_other_final_fits_too(final: Rejected | Failed) -> None:
    again = decode_for_server(*encode(fit(final)))
    assert isinstance(again, type(final))
    assert (again.id, again.code) == (final.id, final.code)


def test_a_value_of_endless_keys_is_dropped_whole() -> None:
    value = Raw(msgspec.json.encode({noise(40): 1 for _ in range(100_000)}))
    final = fit(Succeeded(id="a", value=value, started=1, finished=2))
    assert isinstance(final, Succeeded)
    assert bytes(final.value) == b"null"
    assert final.truncated is True


def test_a_cancellation_is_never_too_large() -> None:
    assert len(encode(Canceled(id="x" * 128)).body) < MAX_WIRE


LARGE = noise(3_000_000)
_parts = st.fixed_dictionaries(
    {},
    optional={
        "log": st.just(LARGE),
        "unknown": st.sampled_from(["x", LARGE]),
        "kept_back": st.sampled_from(["x", LARGE]),
        "changes": st.sampled_from([1, 30_000]),
    },
)


@settings(max_examples=12, deadline=None)
@given(_parts)
def test_every_mixture_fits_and_stays_a_result(parts: dict[str, Any]) -> None:
    value: dict[str, Any] = {"backend": "apt"}
    if "log" in parts:
        value["log"] = parts["log"]
    if "unknown" in parts:
        value["unknown"] = [parts["unknown"]]
    if "kept_back" in parts:
        value["kept_back"] = [{"name": parts["kept_back"]}]
    if "changes" in parts:
        value["changes"] = [
            {"name": noise(80), "action": "install"} for _ in range(parts["changes"])
        ]
    final = fit(Succeeded(id="a", value=Raw(msgspec.json.encode(value)), started=1, finished=2))
    assert result_of(final).backend == "apt"
