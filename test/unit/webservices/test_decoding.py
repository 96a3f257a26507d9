"""Bodies and queries: every bad field is named with its path and its fix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from pulp.common.errors import InvalidInput
from pulp.server.api.types import PackagesActionBody, PatchConsumerBody, RegisterBody, UserBody
from pulp.server.webservices.decoding import MOST_FAULTS, decode_body, decode_query
from pulp.server.webservices.problems import HttpError, UnsupportedMediaType
from pulp.server.webservices.queries import ConsumersQuery, PageQuery, TaskQuery, TasksQuery

JSON = "application/json"


def faults(raw: bytes, type_: type[Struct] = PackagesActionBody) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        decode_body(raw, JSON, type_)
    return {e.field: e.message for e in refused.value.errors}


def query_faults(query: str, type_: type[Struct]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        decode_query(query, type_)
    return {e.field: e.message for e in refused.value.errors}


@pytest.mark.parametrize("field", ["version", "arch"])
def test_no_pattern_reaches_who_asks(field: str) -> None:
    body = b'{"packages":[{"name":"a","%s":"X y"}]}' % field.encode()
    with pytest.raises(InvalidInput) as refused:
        decode_body(body, "application/json", PackagesActionBody)
    [fault] = refused.value.errors
    assert fault.field == f"packages[0].{field}"
    assert fault.message.startswith("must be a") and "regex" not in fault.message


def test_every_bad_field_of_a_body_is_named() -> None:
    found = faults(
        b'{"packages":["ng inx",{"name":"*","vers":1},3],"foo":1,"timeout":"x",'
        b'"window":{"ende":1},"policy":{"allow_remove":"yes"}}'
    )
    assert set(found) == {
        "packages[0]",
        "packages[1].name",
        "packages[1].vers",
        "packages[2]",
        "foo",
        "timeout",
        "window.begin",
        "window.ende",
        "policy.allow_remove",
    }
    assert found["window.begin"] == "is missing"
    assert "known are: begin, end, duration" in found["window.ende"]
    assert "90s, 30m, 2h" in found["timeout"]
    assert "package name" in found["packages[0]"]


@pytest.mark.parametrize(
    ("raw", "type_", "fields"),
    [
        (b"{}", PackagesActionBody, ["packages"]),
        (b"", PackagesActionBody, ["packages"]),
        (b'{"packages":[]}', PackagesActionBody, ["packages"]),
        (b"[]", PackagesActionBody, [""]),
        (b"null", PackagesActionBody, [""]),
        (b'{"login":"A","password":"x","role":"root"}', UserBody, ["login", "password", "role"]),
        (b'{"notes":{"a b":"x","c":5}}', PatchConsumerBody, ["notes.a b", "notes.c"]),
        (b'{"id":"a\\n","csr":"","token":""}', RegisterBody, ["id"]),
        (b'{"id":"..","csr":1}', RegisterBody, ["id", "csr", "token"]),
        (
            b'{"packages":["a"],"not_before":"2026-01-01T00:00:00"}',
            PackagesActionBody,
            ["not_before"],
        ),
    ],
)
def test_fields_that_are_named(raw: bytes, type_: type[Struct], fields: list[str]) -> None:
    assert list(faults(raw, type_)) == fields


def test_choices_are_told() -> None:
    found = faults(b'{"login":"a","password":"12345678","role":"root"}', UserBody)
    assert found["role"] == "must be one of viewer, operator, admin, found 'root'"


def test_a_thousand_bad_items_do_not_make_an_endless_answer() -> None:
    assert len(faults(b'{"packages":[' + b",".join([b'"!"'] * 1000) + b"]}")) == MOST_FAULTS


@pytest.mark.parametrize(
    "raw",
    [b"{", b'{"a":', b"nonsense", b'{"display_name":"\xff"}', b"[" * 100_000, b'{"a":1}x'],
)
def test_what_is_no_json_is_malformed(raw: bytes) -> None:
    with pytest.raises(HttpError) as refused:
        decode_body(raw, JSON, PatchConsumerBody)
    assert refused.value.code == "malformed"


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(raw: bytes) -> None:
    try:
        decode_body(raw, JSON, PackagesActionBody)
    except (InvalidInput, HttpError) as refused:
        assert str(refused)


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json;charset=x"]
)
def test_other_media_are_refused(kind: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        decode_body(b"{}", kind, PatchConsumerBody)


@pytest.mark.parametrize("kind", [JSON, "Application/JSON; charset=UTF-8"])
def test_json_is_taken(kind: str) -> None:
    decode_body(b"{}", kind, PatchConsumerBody)


@pytest.mark.parametrize(
    ("query", "type_", "fields"),
    [
        ("limit=0", PageQuery, ["limit"]),
        ("limit=1001&foo=1&bar=", PageQuery, ["limit", "foo", "bar"]),
        ("limit=1&limit=2", PageQuery, ["limit"]),
        ("online=maybe", ConsumersQuery, ["online"]),
        ("notes=x", ConsumersQuery, ["notes"]),
        ("note.a%20b=x", ConsumersQuery, ["notes.a b"]),
        ("state=held&state=foo", TasksQuery, ["state[1]"]),
        ("wait=31&after=-1", TaskQuery, ["wait", "after"]),
        ("wait=nan", TaskQuery, ["wait"]),
        ("wait=1e999", TaskQuery, ["wait"]),
    ],
)
def test_bad_parameters_are_named(query: str, type_: type[Struct], fields: list[str]) -> None:
    assert list(query_faults(query, type_)) == fields


def test_good_parameters() -> None:
    found = decode_query("online=true&note.site=north&note.x=&q=a%20b&limit=5", ConsumersQuery)
    assert (found.online, found.notes, found.q, found.limit) == (
        True,
        {"site": "north", "x": ""},
        "a b",
        5,
    )
    assert decode_query("state=held&state=error", TasksQuery).state == ["held", "error"]


def test_too_many_parameters_are_malformed() -> None:
    with pytest.raises(HttpError):
        decode_query("&".join("a=1" for _ in range(1000)), PageQuery)
