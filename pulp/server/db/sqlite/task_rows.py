"""Task records to rows and back, by position: this is the store's hottest path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import astuple, fields

from pulp.common.windows import Window
from pulp.server.db.sqlite.connection import Row
from pulp.server.domain.task import Call, TaskError, TaskRecord, TaskState

COLUMNS = tuple(field.name for field in fields(TaskRecord))
"""One column for each field of the record, in its order."""

STATE_OF = {state.value: state for state in TaskState}
TEXT_OF = {state: state.value for state in TaskState}

_encode = msgspec.json.encode
_window = msgspec.json.Decoder(Window).decode
_call = msgspec.json.Decoder(Call).decode
_error = msgspec.json.Decoder(TaskError).decode


def _blob(value: object) -> bytes | None:
    return None if value is None else _encode(value)


_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "state": TEXT_OF.__getitem__,
    "window": _blob,
    "call": _blob,
    "error": _blob,
}


def column_value(name: str, value: Any) -> Any:
    encoder = _ENCODERS.get(name)
    return value if encoder is None else encoder(value)


def row_of(record: TaskRecord) -> list[Any]:
    return list(map(column_value, COLUMNS, astuple(record)))


def changes(old: TaskRecord, new: TaskRecord) -> tuple[tuple[str, ...], list[Any]]:
    """The columns in which `new` differs, and their new values. Values that were not touched are the same objects in
    both, which is cheaper to see than equality; an equal one that is written again does no harm."""
    differing = [
        (name, value)
        for name, value, before in zip(COLUMNS, astuple(new), astuple(old), strict=True)
        if value is not before
    ]
    names = tuple([name for name, _ in differing])
    return names, [column_value(name, value) for name, value in differing]


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
    )
