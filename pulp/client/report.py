"""How a task ended, in a few lines: what changed from which version to which, or why not and what was done all the same."""

from __future__ import annotations

import msgspec

from pulp.client.output import aligned
from pulp.client.text import clean, took
from pulp.client.views import (
    Change,
    Group,
    GroupsResult,
    Package,
    PackagesResult,
    Restart,
    RestartResult,
    Task,
    Update,
    UpdatesResult,
    View,
    read,
)
from pulp.common.times import SECOND, format_duration

_ABSENT = "absent"
_SHOWN = 3  # advisories of an update
_REFRESH = "refresh"  # tells of no packages
_VERBS = {"repair": "repair"}
_NAMED = 5
_AS_IT_SHOULD = ("done", "planned", "")


def ending(task: Task) -> list[str]:
    """The lines for a task in a final state."""
    if task.finished:
        return _success(task)
    lines = [_headline(task)]
    if task.error is None:
        return lines
    lines.append(f"  {clean(task.error.message)} [{clean(task.error.code)}]")
    done = read(task.error.details, PackagesResult) or read(task.result, PackagesResult)
    if done is not None and done.changes:
        lines += ["What was done:", *_result_lines(done)]
    if done is not None and not done.changed:
        lines.append("Nothing was changed on the host.")
    return lines


def action(kind: str) -> str:
    """The name users know a task's kind by: `packages.update_all` is `update-all`."""
    return clean(kind.rpartition(".")[2].replace("_", "-"))


def changes(changed: list[Change]) -> list[str]:
    """One aligned line per package: `nginx:amd64  absent → 1.22.1-9`. Where nothing was asked for by name, as in an update
    of everything, nothing is a mere dependency."""
    named = any(c.requested for c in changed)
    rows = [_change(c, "(dependency)" if named and not c.requested else "") for c in changed]
    return [f"  {line}" for line in aligned(rows)] if rows else []


def _success(task: Task) -> list[str]:
    if (found := read(task.result, UpdatesResult)) is not None:
        remark = "" if found.updates else ", nothing to update"
        return [_headline(task) + remark, *_update_lines(found)]
    if (told := read(task.result, GroupsResult)) is not None:
        remark = "" if told.groups else ", there are none"
        return [_headline(task) + remark, *_group_lines(told)]
    if (decided := read(task.result, RestartResult)) is not None:
        return [_headline(task), *_restart_lines(decided)]
    result = read(task.result, PackagesResult)
    if result is None or action(task.kind) == _REFRESH:
        return [_headline(task)]
    remark = "" if result.changes else f", nothing to {_VERBS.get(action(task.kind), 'change')}"
    if result.dry_run:
        remark = ", dry run: " + ("it would change" if result.changes else "nothing to change")
    return [_headline(task) + remark, *_result_lines(result), *_not_installed(task, result)]


class _Asked(View, frozen=True, kw_only=True):
    packages: list[Package] = msgspec.field(default_factory=list)
    dry_run: bool = False


def is_dry_run(task: Task) -> bool:
    asked = read(task.args, _Asked)
    return asked is not None and asked.dry_run


def _not_installed(task: Task, result: PackagesResult) -> list[str]:
    """Of a removal: what was asked for by a name that the host does not have, which is no failure."""
    asked = read(task.args, _Asked)
    if asked is None or action(task.kind) != "remove":
        return []
    left = {c.name for c in result.changes} | {k.name for k in result.kept_back}
    names = [p.name for p in asked.packages if p.name not in {*left, *result.unknown}]
    return [f"  not installed: {clean(name)}" for name in names]


def _headline(task: Task) -> str:
    where = f"{clean(task.consumer_id)}: " if task.consumer_id else ""
    spent = took(task)
    return f"{where}{action(task.kind)} {clean(task.state)}" + (f" after {spent}" if spent else "")


def _result_lines(result: PackagesResult) -> list[str]:
    lines = changes(result.changes)
    lines += [f"  unknown package: {clean(name)}" for name in result.unknown]
    for kept in result.kept_back:
        reason = f" ({clean(kept.reason)})" if kept.reason else ""
        lines.append(f"  kept back: {clean(kept.name)}{reason}")
    lines += [f"  script failed: {clean(name)}" for name in result.scripts_failed]
    if result.repaired:
        lines.append("  The package database was repaired first.")
    lines += _outside(result)
    if result.restart is not None:
        lines.append(_back(result.restart))
    if result.restart_late:
        lines.append("  The host was not restarted: its window had closed.")
    if result.restart is None and result.reboot_needed:
        reasons = f" for {name_list(result.reboot_reasons)}" if result.reboot_reasons else ""
        lines.append(f"  The host needs a reboot{reasons}.")
    return lines


def _outside(result: PackagesResult) -> list[str]:
    """Where it did not keep to windows."""
    lines = []
    if result.override_used:
        lines.append("  It began outside the host's enforced windows, by an override.")
    if result.overrun:
        lines.append(f"  It went on for {duration(result.overrun)} after the end of its window.")
    return lines


def _restart_lines(decided: RestartResult) -> list[str]:
    if decided.restart is not None:
        return [_back(decided.restart)]
    return ["  No restart is needed."]


def _back(restart: Restart) -> str:
    reasons = f" It was needed for {name_list(restart.reasons)}." if restart.reasons else ""
    return f"  The host was restarted and is back after {duration(restart.took)}.{reasons}"


def duration(ms: int) -> str:
    """In whole seconds, and one at least."""
    return format_duration(max(ms // SECOND, 1) * SECOND)


def name_list(names: list[str]) -> str:
    """Some of them, if they are many."""
    shown = ", ".join(clean(name) for name in names[:_NAMED])
    more = len(names) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _update_lines(found: UpdatesResult) -> list[str]:
    rows = [_update(update) for update in found.updates]
    return [f"  {line}" for line in aligned(rows)] if rows else []


def _update(update: Update) -> list[str]:
    name = update.name + (f":{update.arch}" if update.arch else "")
    remarks = []
    if update.security:
        other = f" by {update.fix}" if update.fix != update.to else ""
        remarks.append(f"(security{other})")
    if update.advisories:
        remarks.append(_some(update.advisories))
    if update.kept_back:
        remarks.append(f"kept back: {update.kept_back}")
    versions = f"{update.from_} → {update.to or '?'}"
    return [clean(name), clean(versions), clean(" ".join(remarks))]


def _group_lines(told: GroupsResult) -> list[str]:
    return [f"  {line}" for line in aligned([_group(group) for group in told.groups])]


def _group(group: Group) -> list[str]:
    count = len(group.mandatory) + len(group.default)
    brings = f"{count} packages" if count != 1 else "1 package"
    return [clean(group.id), clean(group.name), brings, "installed" if group.installed else ""]


def _some(names: list[str]) -> str:
    """`a, b, c and 4 more`."""
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _change(change: Change, remark: str) -> list[str]:
    name = change.name + (f":{change.arch}" if change.arch else "")
    if change.outcome not in _AS_IT_SHOULD:
        remark = f"{change.outcome}: {change.error}" if change.error else change.outcome
    versions = f"{change.from_ or _ABSENT} → {change.to or _ABSENT}"
    return [clean(name), clean(versions), clean(remark)]
