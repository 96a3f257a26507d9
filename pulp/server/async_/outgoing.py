"""Stored tasks and plain values to messages for an agent."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from msgspec import UNSET, Raw, Struct

from pulp.common.ids import new_id
from pulp.messaging.base import Message
from pulp.rmi import codec
from pulp.rmi.interfaces import Method
from pulp.rmi.messages import Cancel, Query, Replan, Request, ToAgent, WireWindow
from pulp.rmi.versions import WINDOW_RULE
from pulp.server.domain.task import TaskRecord
from pulp.server.tasking.wire import needs, wire_override, wire_window


def message(value: ToAgent, correlation_id: str | None = None) -> Message:
    body, encoding = codec.encode(value)
    subject = str(type(value).__struct_config__.tag)
    return Message(
        body=body,
        id=new_id(),
        subject=subject,
        correlation_id=correlation_id,
        content_encoding=encoding,
    )


def request(record: TaskRecord) -> Message:
    """The call of a stored task by its newest plan. It is the same however often it is made: the id is the task's."""
    call = record.call
    if call is None or record.consumer_id is None:
        raise ValueError(f"task {record.id} has no call to send")
    value = Request(
        id=record.id,
        consumer=record.consumer_id,
        class_=call.class_,
        method=call.method,
        version=call.version,
        args=Raw(call.args),
        by=record.requested_by,
        issued=record.sent_at or record.created_at,
        needs=needs(record.window, record.rule, record.override),
        window=wire_window(record.window, record.rule),
        plan=record.plan,
        accept_by=record.accept_by,
        expires=record.expires,
        timeout=record.timeout,
        override=wire_override(record.override) or UNSET,
    )
    return message(value, record.id)


def immediate(consumer_id: str, call_id: str, method: Method, args: Struct, now: int) -> Message:
    """A call that is no task and is answered at once or not at all."""
    soon = now + 60_000
    value = Request(
        id=call_id,
        consumer=consumer_id,
        class_=method.interface,
        method=method.name,
        version=method.version,
        args=Raw(msgspec.json.encode(args)),
        by="server",
        issued=now,
        needs=[],
        window=None,
        plan=1,
        accept_by=soon,
        expires=soon,
        timeout=60_000,
    )
    return message(value, call_id)


def replan(record: TaskRecord, features: Collection[str]) -> Message:
    """The newest plan of a call that its agent may have. One that knows no rules is told the opening alone, to its cutoff."""
    window = wire_window(record.window, record.rule)
    if window is not None and WINDOW_RULE not in features:
        window = WireWindow(begin=window.begin, end=window.cutoff_at or window.end)
    value = Replan(id=record.id, plan=record.plan, window=window, expires=record.expires)
    return message(value, record.id)


def cancel(call_id: str) -> Message:
    return message(Cancel(id=call_id), call_id)


def query(call_id: str) -> Message:
    return message(Query(id=call_id), call_id)
