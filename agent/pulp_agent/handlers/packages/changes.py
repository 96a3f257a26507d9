"""What changed, judged by the state before and after. Pure functions; exit codes and the tools' words play no part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set

import msgspec

from pulp.rmi.interfaces import Action, Change, Outcome, PackageSpec
from pulp_agent.handlers.packages.base import Key, Operation, PackageState, Request, State


def differs(before: PackageState | None, after: PackageState | None) -> bool:
    """Whether version or status differ. A hold is a mark on a package, not a change of it."""
    if before is None or after is None:
        return before is not after
    return (before.version, before.status) != (after.version, after.status)


def changed(before: State, after: State) -> bool:
    return any(differs(before.get(key), after.get(key)) for key in before.keys() | after.keys())


def expected(state: State, changes: Mapping[Key, Change]) -> State:
    """The state after `changes` have been made without a fault."""
    result = dict(state)
    for key, change in changes.items():
        if change.to is None:
            result.pop(key, None)
        else:
            result[key] = PackageState(name=change.name, arch=change.arch, version=change.to)
    return result


def unmet(request: Request, state: State, key: Callable[[PackageSpec], Key]) -> list[PackageSpec]:
    """The asked-for packages that are not in the state the request wants."""
    if request.operation is Operation.REMOVE:
        return [spec for spec in request.packages if key(spec) in state]
    return [spec for spec in request.packages if not _present(spec, state.get(key(spec)))]


def _present(spec: PackageSpec, state: PackageState | None) -> bool:
    return state is not None and state.complete and spec.version in (None, state.version)


def unfinished(state: State, asked: Set[Key], earlier: Set[Key]) -> dict[Key, Change]:
    """What is only half set up, of that which was asked for or planned earlier. Other packages that someone left broken are
    tried by the package tool again all the same; that they fail again is no failure of this request."""
    return {
        where: Change(
            name=package.name,
            arch=package.arch,
            action="configure",
            from_=package.version,
            to=package.version,
            requested=where in asked,
        )
        for where, package in state.items()
        if not package.complete and where in asked | earlier
    }


def merge(
    earlier: Mapping[Key, Change], fresh: Mapping[Key, Change], state: State
) -> dict[Key, Change]:
    """One plan out of an earlier one, carried out in part, and the one for what is missing: the earlier changes that `state`
    shows done, and the fresh ones, told as the earlier plan told them."""
    done = {key: change for key, change in earlier.items() if _is_done(change, state.get(key))}
    rest = {
        key: earlier[key] if key in earlier and earlier[key].to == change.to else change
        for key, change in fresh.items()
    }
    return {**done, **rest}


def verify(
    planned: Mapping[Key, Change], before: State, after: State, errors: Mapping[str, str]
) -> list[Change]:
    """Every planned change with its outcome, what was asked for first, then what changed without being planned.

    `errors`: package name → what went wrong with it.
    """
    verdicts = [
        msgspec.structs.replace(
            change,
            from_=_version(before.get(key)),
            outcome=_outcome(change, after.get(key), failed=change.name in errors),
            error=errors.get(change.name, ""),
        )
        for key, change in planned.items()
    ]
    verdicts.sort(key=lambda change: (not change.requested, change.name))
    return verdicts + [
        _unplanned(before.get(key), after.get(key), errors)
        for key in sorted((before.keys() | after.keys()) - planned.keys())
        if differs(before.get(key), after.get(key))
    ]


def _version(state: PackageState | None) -> str | None:
    return state.version if state else None


def _outcome(change: Change, after: PackageState | None, *, failed: bool) -> Outcome:
    if _is_done(change, after):
        return "done"
    if failed:
        return "failed"
    begun = after is not None and (after.version == change.to or not after.complete)
    return "incomplete" if begun else "not-done"


def _is_done(change: Change, after: PackageState | None) -> bool:
    if after is None or change.to is None:
        return after is None and change.to is None
    return after.version == change.to and after.complete


def _unplanned(
    before: PackageState | None, after: PackageState | None, errors: Mapping[str, str]
) -> Change:
    known = after or before
    assert known is not None  # noqa: S101  a difference has at least one side
    return Change(
        name=known.name,
        arch=known.arch,
        action=_action(before, after),
        from_=_version(before),
        to=_version(after),
        outcome="unplanned",
        error=errors.get(known.name, ""),
    )


def _action(before: PackageState | None, after: PackageState | None) -> Action:
    if before is None:
        return "install"
    if after is None:
        return "remove"
    return "configure" if before.version == after.version else "upgrade"
