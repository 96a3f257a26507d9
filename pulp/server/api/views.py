"""From stored values to answers. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import cast, overload

import msgspec
from msgspec import Raw

from pulp.common.times import format_duration, to_datetime
from pulp.common.windows import Window
from pulp.server.api.abridging import without_log
from pulp.server.api.keeping import cannot_enforce
from pulp.server.api.types import (
    AgentView,
    ConsumerView,
    HistoryEventView,
    OverrideView,
    ProfileView,
    RegistrationTokenView,
    RoleName,
    TaskErrorView,
    TaskView,
    UserView,
    WaitingForView,
    WindowView,
)
from pulp.server.domain.consumer import AgentInfo, Consumer, StoredProfile
from pulp.server.domain.history import HistoryEvent
from pulp.server.domain.task import TaskError, TaskOverride, TaskRecord, WindowRule
from pulp.server.domain.user import RegistrationToken, Role, User
from pulp.server.tasking.wanted import missed_of


@overload
def moment(ms: int) -> datetime: ...
@overload
def moment(ms: int | None) -> datetime | None: ...
def moment(ms: int | None) -> datetime | None:
    return None if ms is None else to_datetime(ms)


def role_name(role: Role) -> RoleName:
    return cast(RoleName, role.label)


def task_view(record: TaskRecord, waiting_for: WaitingForView | None) -> TaskView:
    return TaskView(
        id=record.id,
        revision=record.revision,
        kind=record.kind,
        version=record.version,
        state=record.state.value,
        phase=record.phase,
        consumer_id=record.consumer_id,
        job_id=record.job_id,
        args=Raw(record.args),
        requested_by=record.requested_by,
        created_at=to_datetime(record.created_at),
        not_before=moment(record.not_before),
        window=_window_view(record.window, record.rule),
        override=_override_view(record.override),
        plan=record.plan,
        accepted_at=moment(record.accepted_at),
        started_at=moment(record.started_at),
        finished_at=moment(record.finished_at),
        deadline=moment(record.deadline),
        progress=_raw(record.progress),
        result=_raw(record.result),
        error=_error_view(record.error),
        waiting_for=waiting_for,
        cancel_requested=record.cancel_requested_at is not None,
        retry_of=record.retry_of,
    )


def _raw(json: bytes | None) -> Raw | None:
    return None if json is None else Raw(json)


def _window_view(window: Window | None, rule: WindowRule | None) -> WindowView | None:
    if window is None:
        return None
    rule = rule or WindowRule()
    return WindowView(
        begin=to_datetime(window.begin),
        end=to_datetime(window.end),
        asked=rule.asked,
        cutoff_at=moment(rule.cutoff_at),
        missed=missed_of(rule),
        grace=format_duration(rule.grace) if rule.grace else None,
        late=moment(rule.late),
        expected=format_duration(rule.expected) if rule.expected else None,
        predownload=rule.predownload,
    )


def _override_view(override: TaskOverride | None) -> OverrideView | None:
    if override is None:
        return None
    until = to_datetime(override.until)
    return OverrideView(reason=override.reason, by=override.by, until=until)


def _error_view(error: TaskError | None) -> TaskErrorView | None:
    if error is None:
        return None
    return TaskErrorView(code=error.code, message=error.message, details=Raw(error.details))


def consumer_view(consumer: Consumer) -> ConsumerView:
    return ConsumerView(
        id=consumer.id,
        uid=consumer.uid,
        display_name=consumer.display_name,
        notes=consumer.notes,
        registered_at=to_datetime(consumer.registered_at),
        online=consumer.online,
        last_seen=moment(consumer.last_seen),
        clock_offset=consumer.clock_offset,
        agent=_agent_view(consumer.agent),
        flags=consumer.flags,
        windows=consumer.windows,
        enforced=consumer.enforced,
        problems=[lack] if (lack := cannot_enforce(consumer)) else [],
    )


def _agent_view(agent: AgentInfo | None) -> AgentView | None:
    if agent is None:
        return None
    return AgentView(
        version=agent.version,
        protocols=agent.protocols,
        methods=agent.methods,
        features=agent.features,
        boot_id=agent.boot_id,
        timezone=agent.timezone,
        os=agent.os,
    )


def profile_view(profile: StoredProfile) -> ProfileView:
    return ProfileView(
        consumer_id=profile.consumer_id,
        hash=profile.hash,
        at=to_datetime(profile.at),
        packages=Raw(profile.packages),
    )


def history_item(event: HistoryEvent) -> HistoryEventView:
    """In a list."""
    details, abridged = without_log(event.details)
    return msgspec.structs.replace(history_view(event), details=Raw(details), abridged=abridged)


def history_view(event: HistoryEvent) -> HistoryEventView:
    return HistoryEventView(
        id=str(event.id),
        consumer_id=event.consumer_id,
        type=event.type.value,
        at=to_datetime(event.at),
        originator=event.originator,
        task_id=event.task_id,
        details=Raw(event.details),
    )


def user_view(user: User) -> UserView:
    return UserView(
        login=user.login, role=role_name(user.role), created_at=to_datetime(user.created_at)
    )


def token_view(token: RegistrationToken, secret: str | None = None) -> RegistrationTokenView:
    """`secret`: the token itself, only in the answer that makes it."""
    return RegistrationTokenView(
        id=token.id,
        created_by=token.created_by,
        created_at=to_datetime(token.created_at),
        expires_at=to_datetime(token.expires_at),
        uses_left=token.uses_left,
        consumer_id=token.consumer_id,
        token=secret,
    )
