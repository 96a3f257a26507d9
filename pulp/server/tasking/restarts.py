"""A host's restart as the end of a task: noticed by another boot id, noted in the result and in the history."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec import Raw, Struct

from pulp.common.times import MINUTE, format_time
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import Json, TaskError, TaskRecord

BACK_WITHIN = 30 * MINUTE
"""So long a host gets to come back, unless the request says otherwise."""
NOT_BACK = "not-back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarting:
    """The host goes down and is to come back within so many ms; `boot_id`: of the start that ends with it."""

    boot_id: str
    reasons: list[str]
    back_within: int = BACK_WITHIN


class Restart(Struct, frozen=True, kw_only=True):
    """`from` and `to`: boot ids. `took`: ms from the decision, by the agent's clock, to the new hello, by the server's."""

    from_: str = msgspec.field(name="from")
    to: str
    took: int
    reasons: list[str] = []


def with_restart(result: Json | None, restart: Restart) -> Json:
    """The agent's result, an object, with the restart that came after it."""
    told = msgspec.json.decode(result or b"{}", type=dict[str, Raw])
    told["restart"] = Raw(msgspec.json.encode(restart))
    return msgspec.json.encode(told)


def not_back(record: TaskRecord, consumer: Consumer | None) -> TaskError:
    """The error of a task whose host has not been seen with another boot id in time. Its result says what was done before."""
    by = format_time(record.deadline or 0)
    if consumer is not None and consumer.online:
        message = f"The host has not restarted by {by}: its agent is connected and has not seen another start; its log says why."
    else:
        message = f"The host did not come back from its restart by {by}."
    return TaskError(code=NOT_BACK, message=message)
