"""Task records to rows and back, by position: this is the store's hottest path."""

# ruff: noqa: S608 - statements are put together from names of columns; values are always bound

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from operator import is_not
from typing import Any

import msgspec
from msgspec.structs import astuple, fields

from pulp.common.windows import Window
from pulp.server.db.sqlite.connection import Row
from pulp.server.domain.task import (
    Call,
    TaskError,
    TaskOverride,
    TaskRecord,
    TaskState,
    WindowRule,
)

COLUMNS = tuple(field.name for field in fields(TaskRecord))
"""One column for each field of the record, in its order."""

_POSITION = {name: position for position, name in enumerate(COLUMNS)}

STATE_OF = {state.value: state for state in TaskState}
TEXT_OF = {state: state.value for state in TaskState}

_encode = msgspec.json.encode
_window = msgspec.json.Decoder(Window).decode
_call = msgspec.json.Decoder(Call).decode
_error = msgspec.json.Decoder(TaskError).decode
_rule = msgspec.json.Decoder(WindowRule).decode
_override = msgspec.json.Decoder(TaskOverride).decode


def _blob(value: object) -> bytes | None:
    return None if value is None else _encode(value)


_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "state": TEXT_OF.__getitem__,
    "window": _blob,
    "call": _blob,
    "error": _blob,
    "rule": _blob,
    "override": _blob,
}


def row_of(record: TaskRecord) -> list[Any]:
    row = list(astuple(record))
    for name, encode in _ENCODERS.items():
        position = _POSITION[name]
        row[position] = encode(row[position])
    return row


@dataclass(frozen=True, slots=True)
class Update:
    """The statement that sets the columns in which two records differ, and how to encode those that need it."""

    sql: str
    encoders: tuple[tuple[int, Callable[[Any], Any]], ...]


def update_of(old: TaskRecord, new: TaskRecord) -> tuple[str, list[Any]]:
    """The statement that makes the row of `old` that of `new`, with its values.

    Only what differs is set: SQLite rewrites every index that a SET names, changed or not. Values that nobody touched are
    the same objects in both, which is cheaper to see than equality; an equal one written again does no harm.
    """
    row = astuple(new)
    differs = tuple(map(is_not, row, astuple(old)))
    update = _update(differs)
    values = list(compress(row, differs))
    for position, encode in update.encoders:
        values[position] = encode(values[position])
    values.append(old.seq)
    return update.sql, values


@lru_cache(maxsize=1_000)
def _update(differs: tuple[bool, ...]) -> Update:
    names = list(compress(COLUMNS, differs))
    setting = ", ".join(f'"{name}" = ?' for name in names)
    encoders = ((position, _ENCODERS.get(name)) for position, name in enumerate(names))
    return Update(
        f"UPDATE task SET {setting} WHERE seq = ?",
        tuple((position, encoder) for position, encoder in encoders if encoder is not None),
    )


def record_of(row: Row) -> TaskRecord:
    """A row of COLUMNS → record. Spelled out: half the time of a dict of keywords."""
    (
        id_,
        kind,
        version,
        args,
        requested_by,
        created_at,
        accept_by,
        expires,
        timeout,
        seq,
        revision,
        state,
        phase,
        consumer_id,
        job_id,
        not_before,
        window,
        plan,
        deadline,
        parked,
        parked_at,
        call,
        sent_at,
        accepted_at,
        starts,
        started_at,
        finished_at,
        progress,
        result,
        error,
        cancel_requested_at,
        cancel_requested_by,
        cancel_refused,
        retry_of,
        answer,
        rule,
        override,
    ) = row
    return TaskRecord(
        id=id_,
        kind=kind,
        version=version,
        args=args,
        requested_by=requested_by,
        created_at=created_at,
        accept_by=accept_by,
        expires=expires,
        timeout=timeout,
        seq=seq,
        revision=revision,
        state=STATE_OF[state],
        phase=phase,
        consumer_id=consumer_id,
        job_id=job_id,
        not_before=not_before,
        window=None if window is None else _window(window),
        plan=plan,
        deadline=deadline,
        parked=parked,
        parked_at=parked_at,
        call=None if call is None else _call(call),
        sent_at=sent_at,
        accepted_at=accepted_at,
        starts=starts,
        started_at=started_at,
        finished_at=finished_at,
        progress=progress,
        result=result,
        error=None if error is None else _error(error),
        cancel_requested_at=cancel_requested_at,
        cancel_requested_by=cancel_requested_by,
        cancel_refused=cancel_refused == 1,
        retry_of=retry_of,
        answer=answer,
        rule=None if rule is None else _rule(rule),
        override=None if override is None else _override(override),
    )
