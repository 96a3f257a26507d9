"""Applies a planted fault to production code in this process: a piece of a function's source is replaced, compiled anew and put
in the function's place, wherever that was imported."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any

ROOMS = ("pulp", "pulp_agent")


@dataclass(frozen=True, slots=True)
class Edit:
    """`where`: `module:function` or `module:Class.method`. `old` must be found there exactly once; its lines and those of
    `new` are written without the indentation of the place."""

    where: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a table, such as `pulp.rmi.call:MOVES`."""

    where: str
    key: Callable[[ModuleType], Any]
    value: Callable[[ModuleType], Any]


@dataclass(frozen=True, slots=True)
class Mutation:
    """`invariant`: the number it breaks. `elsewhere`: why the simulation cannot find it, and the test that does."""

    name: str
    invariant: int
    changes: tuple[Edit | Entry, ...]
    elsewhere: str = ""


def mutation(invariant: int, name: str, *changes: Edit | Entry, elsewhere: str = "") -> Mutation:
    return Mutation(name, invariant, changes, elsewhere)


@contextmanager
def applied(fault: Mutation) -> Iterator[None]:
    with ExitStack() as stack:
        edits: dict[str, list[Edit]] = {}
        for change in fault.changes:
            if isinstance(change, Entry):
                stack.enter_context(_entered(change))
            else:
                edits.setdefault(change.where, []).append(change)
        for where, changes in edits.items():
            stack.enter_context(_edited(where, changes))
        yield


@contextmanager
def _entered(change: Entry) -> Iterator[None]:
    module_name, name = change.where.split(":")
    module = importlib.import_module(module_name)
    table, key = getattr(module, name), change.key(module)
    before = table[key]
    table[key] = change.value(module)
    try:
        yield
    finally:
        table[key] = before


@contextmanager
def _edited(where: str, edits: Sequence[Edit]) -> Iterator[None]:
    module_name, path = where.split(":")
    module = importlib.import_module(module_name)
    owner: Any = module
    *outer, name = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    found = inspect.getattr_static(owner, name)
    original: Any = found.fget if isinstance(found, property) else found
    if isinstance(original, staticmethod):
        original = original.__func__
    made = _compiled(original, edits, owner if outer else None)
    holders = _holders(original) if not outer else [(owner, name)]
    for holder, at in holders:
        setattr(holder, at, _like(found, made) if outer else made)
    try:
        yield
    finally:
        for holder, at in holders:
            setattr(holder, at, found)


def _like(found: Any, made: FunctionType) -> Any:
    if isinstance(found, property):
        return property(made)
    return staticmethod(made) if isinstance(found, staticmethod) else made


def _compiled(original: Any, edits: Sequence[Edit], cls: Any) -> FunctionType:
    source = textwrap.dedent(inspect.getsource(original))
    for edit in edits:
        source = _replaced(source, edit)
    lines = source.splitlines()
    while lines[0].startswith("@"):
        del lines[0]
    body = textwrap.indent("\n".join(lines), "    ")
    made: dict[str, Any] = {}
    future = "from __future__ import annotations\n"
    text = f"{future}def _outer(__class__):\n{body}\n    return {original.__name__}\n"
    exec(compile(text, f"<mutated {edits[0].where}>", "exec"), original.__globals__, made)
    function: FunctionType = made["_outer"](cls)
    return function


def _replaced(source: str, edit: Edit) -> str:
    pattern = r"\n\s*".join(re.escape(line.strip()) for line in edit.old.splitlines())
    found = list(re.finditer(pattern, source))
    if len(found) != 1:
        raise LookupError(
            f"{edit.where} has {edit.old!r} {len(found)} times, not once: update the mutation"
        )
    start, end = found[0].span()
    line = source[source.rfind("\n", 0, start) + 1 : start]
    indent = line[: len(line) - len(line.lstrip())]
    return source[:start] + edit.new.replace("\n", f"\n{indent}") + source[end:]


def _holders(original: Any) -> list[tuple[ModuleType, str]]:
    """Every module that has imported the function by its name."""
    modules = [m for n, m in sys.modules.items() if n.split(".")[0] in ROOMS and m is not None]
    return [(m, n) for m in modules for n, value in list(vars(m).items()) if value is original]
