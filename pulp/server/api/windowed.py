"""From what a request says of times to the times of a task of one host: its opening, and whether the host and its agent can."""

from __future__ import annotations

from dataclasses import replace

from msgspec import Struct

from pulp.common.times import DAY, HOUR, MINUTE, format_duration, format_time
from pulp.common.windows import Window
from pulp.rmi.interfaces import Method
from pulp.rmi.versions import lacking_method, missing, needs_of_args, since
from pulp.server.api.errors import OutsideWindows, Unsupported, invalid
from pulp.server.api.keeping import cannot_enforce
from pulp.server.api.planning import Asked
from pulp.server.db.base import UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.task import TaskOverride
from pulp.server.domain.window import WindowRole
from pulp.server.tasking.deadlines import Timing
from pulp.server.tasking.opening import Opened, Refused, open_for, shares_opening
from pulp.server.tasking.wanted import NEXT, Wanted
from pulp.server.tasking.wire import needs

USUALLY = 10 * MINUTE
"""What work that changes a host is expected to take, until the host has measured it."""


def for_host(
    uow: UnitOfWork,
    consumer: Consumer,
    asked: Asked,
    method: Method,
    args: Struct,
    *,
    by: str,
    now: int,
) -> Timing:
    """The times of a call of this method with these arguments. by: who answers for an override.

    InvalidInput where no opening is there for it; OutsideWindows where the host's windows are enforced and it has none;
    Unsupported where the agent's last hello cannot take it (one that never said hello is given the chance).
    """
    _check_method(consumer, method)
    changes = method.changes_host(args)
    start = max(now, asked.not_before or now)
    until = now + asked.override_for if asked.override_reason else None
    opened = _opened(
        uow, consumer, asked, start=start, until=until, usually=USUALLY if changes else 0
    )
    timing = Timing(
        not_before=asked.not_before,
        window=opened.window if opened else None,
        rule=opened.rule if opened else None,
        expires=opened.expires if opened else None,
        override=_override(
            asked, by, until, begins=max(start, opened.window.begin if opened else 0)
        ),
        deliver_within=asked.deliver_within,
        timeout=asked.timeout,
    )
    if consumer.enforced and changes:
        _check_keeper(consumer)
    if consumer.enforced and changes and timing.override is None:
        _check_enforced(uow, consumer, asked.wanted, start)
    _check_features(consumer, timing, args)
    return timing


def anywhere(asked: Asked) -> Timing:
    """The times of work that is no host's."""
    return Timing(
        not_before=asked.not_before,
        window=asked.wanted.window if asked.wanted else None,
        deliver_within=asked.deliver_within,
        timeout=asked.timeout,
    )


def _opened(
    uow: UnitOfWork,
    consumer: Consumer,
    asked: Asked,
    *,
    start: int,
    until: int | None,
    usually: int,
) -> Opened | None:
    """until: the end of an override (ms UTC), if there is one."""
    wanted = asked.wanted
    if wanted is None:
        return None
    check_window(uow, wanted.asked)
    expected = asked.expected
    if expected is None:
        expected = usually if _admits(consumer, wanted) else 0
    wanted = replace(wanted, expected=expected, unfrozen_until=until)
    opened = open_for(wanted, consumer, uow.windows.of(consumer), at=start)
    if isinstance(opened, Refused):
        raise invalid(opened.field, opened.message)
    if asked.insists and asked.expected:
        _check_length(opened, asked.expected, start)
    return opened


def check_window(uow: UnitOfWork, asked: str) -> None:
    """InvalidInput for a name that no window has."""
    if asked in ("", NEXT):
        return
    window = uow.windows.get(asked)
    if window is None:
        raise invalid("window", f"is {asked}, and there is no window of this name")
    if window.role is WindowRole.FREEZE:
        raise invalid("window", f"is {asked}, a freeze, in which nothing starts: name a window")


def _admits(consumer: Consumer, wanted: Wanted) -> bool:
    """Whether its agent can look at how long work takes; from one that cannot, nobody asked for it, it is not asked."""
    agent = consumer.agent
    return agent is None or bool(wanted.asked) or not missing(["window-rule"], agent.features)


def _check_length(opened: Opened, expected: int, start: int) -> None:
    closes = opened.rule.cutoff_at or opened.window.end
    left = closes - max(opened.window.begin, start)
    if left < expected:
        raise invalid(
            "expected",
            f"is {format_duration(expected)}, and no opening that comes has room for it: that of "
            f"{format_time(opened.window.begin)} leaves {format_duration(left)}; use a longer window",
        )


def _override(asked: Asked, by: str, until: int | None, *, begins: int) -> TaskOverride | None:
    if until is None:
        return None
    if until <= begins:
        raise invalid(
            "override.for",
            f"is over at {format_time(until)}, before the work may start at {format_time(begins)}: "
            f"give a longer one, at most {DAY // HOUR}h",
        )
    return TaskOverride(reason=asked.override_reason, by=by, until=until)


def _check_keeper(consumer: Consumer) -> None:
    """An agent that cannot keep to them was put in the place of one that could."""
    if lack := cannot_enforce(consumer):
        raise Unsupported(lack)


def _check_enforced(uow: UnitOfWork, consumer: Consumer, wanted: Wanted | None, start: int) -> None:
    fix = (
        "ask for its next opening (--window next), or, as an admin, override it (--override REASON)"
    )
    host = f"the windows of {consumer.id} are enforced"
    if wanted is None:
        raise OutsideWindows(f"{host}, and nothing may change it outside of them: {fix}")
    window = wanted.window
    if window is None or shares_opening(
        Window(max(start, window.begin), window.end), consumer, uow.windows.of(consumer)
    ):
        return
    raise OutsideWindows(f"{host}, and none of them is open in the window that was given: {fix}")


def _check_method(consumer: Consumer, method: Method) -> None:
    agent = consumer.agent
    lack = lacking_method(method.path, agent.methods) if agent else ""
    if agent and lack:
        raise Unsupported(
            f"the agent of {consumer.id}, version {agent.version}, cannot take {method.path}: {lack}"
        )


def _check_features(consumer: Consumer, timing: Timing, args: Struct) -> None:
    agent = consumer.agent
    if agent is None:
        return
    wanted = needs(timing.window, timing.rule, timing.override) + needs_of_args(args)
    lacking = missing(wanted, agent.features)
    if lacking:
        raise Unsupported(
            f"the agent of {consumer.id}, version {agent.version}, lacks what this request needs: {since(lacking)}"
        )
