"""Today's codec reads what every release sent, with the meaning it had, and still writes all that they read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import Struct
from recordings import Recorded, lost, meaning, recorded, releases

from pulp.rmi import codec
from pulp.rmi.checks import check_request, read_value
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.interfaces import METHODS
from pulp.rmi.messages import Rejected, Request, Succeeded, ToAgent, ToServer
from pulp.rmi.versions import ENFORCED_WINDOWS, FEATURES, OVERRIDE, PROFILE_HASH, SINCE


def read(record: Recorded) -> Any:
    decode = codec.decode_for_agent if record.to_agent else codec.decode_for_server
    return decode(record.body, record.encoding)


def typed(message: Request | Succeeded, method: str) -> Any:
    """The arguments as the newest version takes them, the value as its own version gave it."""
    if isinstance(message, Succeeded):
        result = METHODS[method, 1].result
        return read_value(message.value, result, call_id=message.id)
    found = check_request(message, features=FEATURES, methods=METHODS, now=message.issued)
    assert not isinstance(found, Rejected), found
    return found[1]


def test_it_is_read_with_the_meaning_it_had(record: Recorded) -> None:
    message = read(record)
    assert list(lost(record.message, meaning(message))) == []
    if record.method is not None:
        then = meaning(typed(message, record.method))
        assert list(lost(_fields(record.typed), _fields(then))) == []


def _fields(value: Any) -> Any:
    """Arguments of an older version are lifted into another type."""
    return {key: item for key, item in value.items() if key != "is"}


def test_what_is_written_today_has_every_field_of_then(record: Recorded) -> None:
    body, encoding = codec.encode(read(record))
    assert encoding == record.encoding
    today = json.loads(gzip.decompress(body) if encoding else body)
    assert list(lost(record.data, today)) == []


def test_every_message_and_method_of_today_is_recorded() -> None:
    """A new one is recorded with the release that brings it: see README.md. What `SINCE` says comes later has time until then."""
    newest = list(recorded(releases()[-1]))
    types = {m.__name__ for m in (*get_args(ToAgent), *get_args(ToServer))}
    assert (
        types - {r.message["is"] for r in newest} - {n for n in LATER if _is_later(LATER[n])}
        == set()
    )
    methods = {path for path, v in METHODS if not _is_later(f"{path} {v}")}
    assert methods - {r.method for r in newest if r.to_agent} == set()


LATER = {
    "Keep": ENFORCED_WINDOWS,
    "Request.override": OVERRIDE,
    "ProfileHash": PROFILE_HASH,
    "WantProfile": PROFILE_HASH,
}
"""Messages and fields that came with a feature or method: recorded with the release that brings it."""


def _is_later(what: str) -> bool:
    return _numbers(SINCE[what]) > _numbers(releases()[-1].name)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def test_every_field_of_today_is_recorded() -> None:
    found = {r.message["is"]: set(r.message) for r in recorded(releases()[-1])}
    later = {name for name, feature in LATER.items() if _is_later(feature)}
    for type_ in (*get_args(ToAgent), *get_args(ToServer)):
        name = type_.__name__
        if name not in later:
            missing = {
                f"{name}.{field}" for field in type_.__struct_fields__ if field not in found[name]
            }
            assert missing - later == set()


# --- these tests see what they are for ---


class Renamed(Struct, frozen=True):
    """A message with one field renamed, one removed, and one added."""

    identity: str
    added: int = 1


def test_a_renamed_or_removed_field_is_a_loss_and_an_added_one_is_none() -> None:
    then = {"is": "Renamed", "id": "a", "starts": 5}
    assert set(lost(then, meaning(Renamed("a")))) == {"id is gone", "starts is gone"}
    assert list(lost({"is": "Renamed", "identity": "a"}, meaning(Renamed("a")))) == []


def test_a_changed_value_is_a_loss_at_any_depth() -> None:
    then = {"calls": [{"id": "a", "state": "held"}]}
    now = {"calls": [{"id": "a", "state": "ready", "more": 1}]}
    assert list(lost(then, now)) == ["calls[0].state was 'held' and is 'ready'"]
    assert list(lost(then, {"calls": []})) == ["calls was [{'id': 'a', 'state': 'held'}] and is []"]


@pytest.mark.parametrize("field", ["id", "state"])
def test_a_field_that_a_peer_left_out_is_noticed(release: Path, field: str) -> None:
    record = next(r for r in recorded(release) if r.name == "accepted-ready")
    data = {key: value for key, value in record.data.items() if key != field}
    with pytest.raises(RemoteCallError, match=field):
        codec.decode_for_server(json.dumps(data).encode(), None)


def test_fields_and_features_that_are_not_known_yet_are_passed_over(record: Recorded) -> None:
    """As this release will have to read the next one."""
    body = json.dumps(record.data | {"since_version_9": {"x": [1]}}).encode()
    decode = codec.decode_for_agent if record.to_agent else codec.decode_for_server
    assert meaning(decode(body, None)) == meaning(read(record))
