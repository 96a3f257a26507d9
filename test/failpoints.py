"""The product's failpoints and durable steps, read from its code, so that a new step without a test is noticed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from pulp_agent.records import AnyRecord

ROOT = Path(__file__).parent.parent
SOURCES = (ROOT / "pulp" / "server", ROOT / "agent" / "pulp_agent")

PLACEHOLDERS = {"record": [str(kind.__struct_config__.tag) for kind in get_args(AnyRecord)]}
"""What stands for the variable part of a failpoint's name."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method that stands in no other one; `name` as `path/to/module.py:Class.method`."""

    name: str
    body: ast.AST

    def failpoints(self) -> Iterator[str]:
        for call in _calls(self.body):
            if isinstance(call.func, ast.Name) and call.func.id == "failpoint":
                yield from _expanded(call.args[0])

    def steps(self) -> list[str]:
        """What it does that lasts, or that tells others of what lasts."""
        return [step for call in _calls(self.body) if (step := _step(call))]


def functions() -> list[Function]:
    found: list[Function] = []
    for source in SOURCES:
        for path in sorted(source.rglob("*.py")):
            tree = ast.parse(path.read_text())
            found += _functions(tree, f"{path.relative_to(ROOT)}:")
    return found


def names() -> list[str]:
    """Every failpoint, in the order of the code."""
    return list(dict.fromkeys(name for f in functions() for name in f.failpoints()))


def _functions(node: ast.AST, prefix: str) -> Iterator[Function]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield Function(prefix + child.name, child)
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{prefix}{child.name}.")


def _calls(body: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(body) if isinstance(node, ast.Call))


def _expanded(name: ast.expr) -> list[str]:
    """A literal, or one with a placeholder that has a list."""
    if isinstance(name, ast.Constant):
        return [str(name.value)]
    assert isinstance(name, ast.JoinedStr), f"{ast.unparse(name)} is no literal"
    expanded = [""]
    for part in name.values:
        words = [part.value] if isinstance(part, ast.Constant) else PLACEHOLDERS[_variable(part)]
        expanded = [begin + word for begin in expanded for word in words]
    return expanded


def _variable(part: ast.expr) -> str:
    assert isinstance(part, ast.FormattedValue)
    return ast.unparse(part.value)


_OF_OS = ("os.replace", "os.rename", "os.link", "os.fsync", "os.fdatasync")
_OF_FILES = ("rename", "unlink", "rmtree")
_OF_OTHERS = {
    "store": ("write", "submit"),
    "bus": ("send", "settle"),
    "journal": ("append", "compact", "recover"),
    "db": ("commit",),
}


def _step(call: ast.Call) -> str:
    """The name of the primitive, empty where it is none."""
    text = ast.unparse(call.func)
    if text in ("write_atomically", *_OF_OS):
        return text
    if not isinstance(call.func, ast.Attribute):
        return ""
    method, owner = call.func.attr, ast.unparse(call.func.value).rpartition(".")[2].strip("_")
    if method in _OF_FILES or method in _OF_OTHERS.get(owner, ()):
        return text
    is_path = method == "replace" and len(call.args) == 1 and not call.keywords
    return text if is_path else ""
