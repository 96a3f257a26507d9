"""From a request to a new or changed schedule: every bad field is found before anything is stored. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from msgspec import UNSET, Struct

from pulp.common.calendar import HOST, Recurrence, Recurring, recurrence_problems, window_problems
from pulp.common.ids import new_id
from pulp.common.times import DAY, MINUTE, parse_duration
from pulp.common.windows import Window
from pulp.server.api.arguments import group_arguments, package_arguments, update_all_arguments
from pulp.server.api.faults import Faults
from pulp.server.api.package_groups import InstallGroups, RemoveGroups
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.api.packages import (
    InstallPackages,
    NoArguments,
    RefreshProfile,
    RemovePackages,
    UpdateAll,
    UpdatePackages,
)
from pulp.server.api.planning import asked_of, expected_of, with_rule
from pulp.server.api.restart_tasks import RestartArguments, RestartHost
from pulp.server.api.schedule_types import ActionName, PatchScheduleBody, ScheduleBody
from pulp.server.api.types import ActionBody, OpeningBody
from pulp.server.api.upkeep import (
    RefreshArguments,
    RefreshMetadata,
    RepairArguments,
    RepairPackages,
)
from pulp.server.domain.schedule import Missed, Schedule, disabled, enabled, next_after
from pulp.server.tasking.wanted import Wanted

LONGEST_WINDOW = 31 * DAY

_CLASSES: dict[ActionName, type[ConsumerTask]] = {
    "install": InstallPackages,
    "update": UpdatePackages,
    "remove": RemovePackages,
    "update-all": UpdateAll,
    "install-group": InstallGroups,
    "remove-group": RemoveGroups,
    "repair": RepairPackages,
    "refresh": RefreshMetadata,
    "refresh-profile": RefreshProfile,
    "reboot": RestartHost,
}
_WITH_PACKAGES = ("install", "update", "remove")
_WITH_GROUPS = ("install-group", "remove-group")
_READS = ("refresh", "refresh-profile")
ACTIONS = {task.kind: action for action, task in _CLASSES.items()}
"""The action of a stored kind."""


class _DryRun(Struct, frozen=True):
    dry_run: bool = False


def changes_host(schedule: Schedule) -> bool:
    """Whether the hosts' own windows are about its work: reads and dry runs change nothing."""
    method = _CLASSES[ACTIONS[schedule.kind]].method if schedule.kind in ACTIONS else None
    args = msgspec.json.decode(schedule.args, type=_DryRun)
    return method is None or method.changes_host(args)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keeping:
    """expected: ms; None: what is usual."""

    wanted: Wanted | None = None
    expected: int | None = None


def new_schedule(login: str, body: ScheduleBody, now: int) -> Schedule:
    """InvalidInput with every bad field."""
    faults = Faults()
    times = ActionBody(deliver_within=body.deliver_within, timeout=body.timeout)
    asked = asked_of(times, now, faults)
    args, task = _arguments(body, faults), _CLASSES[body.action]
    open_for = _open_for(body, faults)
    keeping = _keeping(body, open_for, faults)
    recurrence = Recurrence(
        rrule=body.rrule, dtstart=body.dtstart, zone=body.zone, offset_days=body.offset_days
    )
    _check_consumers(body.consumers, faults)
    _check_recurrence(recurrence, open_for, now, faults)
    faults.check()
    made = Schedule(
        id=new_id(),
        name=body.name,
        created_by=login,
        created_at=now,
        recurrence=recurrence,
        consumers=body.consumers,
        kind=task.kind,
        version=task.version,
        args=msgspec.json.encode(args),
        deliver_within=asked.deliver_within,
        timeout=asked.timeout,
        open_for=open_for,
        window=body.window if isinstance(body.window, str) else "",
        window_missed=keeping.wanted.missed if keeping.wanted else None,
        grace=keeping.wanted.grace if keeping.wanted else 0,
        expected=keeping.expected,
        predownload=body.predownload,
        missed=Missed(body.missed),
        runs_left=body.runs,
        failure_threshold=body.failure_threshold,
    )
    return enabled(made, now) if body.enabled else disabled(made, _by(login))


def changed_schedule(schedule: Schedule, login: str, body: PatchScheduleBody, now: int) -> Schedule:
    """Absent fields stay. InvalidInput with every bad field."""
    faults = Faults()
    changed = _with_fields(schedule, body)
    on = schedule.enabled if body.enabled is None else body.enabled
    begins, moved = on and not schedule.enabled, changed.recurrence != schedule.recurrence
    _check_consumers(changed.consumers, faults)
    if begins or moved:
        _check_recurrence(changed.recurrence, changed.open_for, now, faults)
    if on and changed.runs_left == 0:
        faults.add("runs", "none are left: give a number, or null for as many as come")
    faults.check()
    if begins:
        return enabled(changed, now)
    if not on:
        return disabled(changed, _by(login)) if schedule.enabled else changed
    return changed.replace(next_due=next_after(changed.recurrence, now)) if moved else changed


def _with_fields(schedule: Schedule, body: PatchScheduleBody) -> Schedule:
    rule = {"rrule": body.rrule, "dtstart": body.dtstart, "zone": body.zone}
    rule_changes = {name: text for name, text in rule.items() if text is not None}
    offset = body.offset_days
    recurrence = msgspec.structs.replace(
        schedule.recurrence,
        offset_days=schedule.recurrence.offset_days if offset is None else offset,
        **rule_changes,
    )
    consumers = schedule.consumers if body.consumers is None else body.consumers
    threshold = body.failure_threshold
    return schedule.replace(
        recurrence=recurrence,
        consumers=consumers,
        missed=schedule.missed if body.missed is None else Missed(body.missed),
        runs_left=schedule.runs_left if body.runs is UNSET else body.runs,
        failure_threshold=schedule.failure_threshold if threshold is UNSET else threshold,
        last_tasks={c: task for c, task in schedule.last_tasks.items() if c in consumers},
        problems={c: why for c, why in schedule.problems.items() if c in consumers},
    )


def _by(login: str) -> str:
    return f"Disabled by {login}."


def _arguments(body: ScheduleBody, faults: Faults) -> Struct:
    _check_fields(body, faults)
    if body.action == "update-all":
        return update_all_arguments(
            security_only=body.security_only,
            advisories=body.advisories,
            policy=body.policy,
            dry_run=body.dry_run,
            faults=faults,
        )
    if body.action in _WITH_GROUPS:
        return group_arguments(body.groups, body.policy, dry_run=body.dry_run, faults=faults)
    if body.action == "repair":
        return RepairArguments(config_files=body.policy.config_files)
    if body.action == "reboot":
        return RestartArguments(if_needed=body.if_needed)
    if body.action in _READS:
        return RefreshArguments() if body.action == "refresh" else NoArguments()
    task = _CLASSES[body.action]
    return package_arguments(task, body.packages, body.policy, dry_run=body.dry_run, faults=faults)


def _check_fields(body: ScheduleBody, faults: Faults) -> None:
    """What the action does not take is refused, as by the action's own route."""
    _check_list("packages", body.packages, body.action, body.action in _WITH_PACKAGES, faults)
    _check_list("groups", body.groups, body.action, body.action in _WITH_GROUPS, faults)
    if body.security_only and body.action != "update-all":
        faults.add("security_only", "is only for update-all: leave it out")
    if body.advisories and body.action != "update-all":
        faults.add("advisories", "is only for update-all: leave it out")
    if body.if_needed and body.action != "reboot":
        faults.add("if_needed", "is only for reboot: leave it out")
    if body.dry_run and body.action in (*_READS, "repair", "reboot"):
        faults.add("dry_run", f"is not for {body.action}: leave it out")


def _check_list(
    field: str, given: Sequence[object], action: ActionName, wanted: bool, faults: Faults
) -> None:
    if wanted and not given:
        faults.add(field, f"is missing: {action} needs at least one {field.removesuffix('s')}")
    if given and not wanted:
        faults.add(field, f"is not for {action}: leave it out")


def _check_consumers(consumers: list[str], faults: Faults) -> None:
    for index, name in enumerate(consumers):
        first = consumers.index(name)
        if first != index:
            faults.add(
                f"consumers[{index}]", f"names {name} again, after consumers[{first}]: drop one"
            )


def _check_recurrence(
    recurrence: Recurrence, open_for: int | None, now: int, faults: Faults
) -> None:
    if recurrence.zone == HOST:
        faults.add(
            "zone", "is host: the server starts the runs, so name a zone such as Europe/Berlin"
        )
        return
    if open_for is None:
        problems = recurrence_problems(recurrence, now=now)
    else:
        fields = msgspec.structs.asdict(recurrence)
        window = Recurring(name="window", duration=f"{open_for // MINUTE}m", **fields)
        problems = window_problems(window, now=now)
    for problem in problems:
        field = "window.duration" if problem.field == "duration" else problem.field
        faults.add(field, problem.message)


def _keeping(body: ScheduleBody, open_for: int | None, faults: Faults) -> _Keeping:
    """How the work of a run keeps to its window."""
    if body.window is not None and open_for is None and not isinstance(body.window, str):
        return _Keeping()  # a bad one, which is told already
    given = Wanted(asked=body.window) if isinstance(body.window, str) else None
    if open_for is not None:
        given = Wanted(window=Window(0, open_for))
    rule = OpeningBody(missed=body.window_missed, grace=body.grace, expected=body.expected)
    own = Faults()
    wanted = with_rule(rule, given, body.predownload, own)
    expected = None if body.expected is None else expected_of(body.expected, own)
    for error in own.errors:
        field = "window_missed" if error.field == "missed" else error.field
        faults.add(field, error.message)
    return _Keeping(wanted=wanted, expected=expected)


def _open_for(body: ScheduleBody, faults: Faults) -> int | None:
    """ms; None without a window of its own or with a bad one."""
    if body.window is None or isinstance(body.window, str):
        return None
    text = body.window.duration
    try:
        length = parse_duration(text)
    except ValueError as error:
        faults.add("window.duration", str(error))
        return None
    if length % MINUTE or not MINUTE <= length <= LONGEST_WINDOW:
        faults.add("window.duration", f"is {text}: it must be whole minutes, from 1m to 31d")
        return None
    return length
