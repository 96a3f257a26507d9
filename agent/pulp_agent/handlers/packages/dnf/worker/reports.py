"""The failures of single packages: JSON lines in a file for whoever comes after us; the last line of a name counts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

_REASON_LINES = 3
_REASON_LENGTH = 300


def report_failures(path: str, failures: dict[str, str]) -> None:
    """By name; an empty text takes an earlier failure back."""
    with open(path, "a", encoding="utf-8") as report:
        for name, error in failures.items():
            write_failure(report, name, error)


def write_failure(report: TextIO, name: str, error: str) -> None:
    report.write(json.dumps({"name": name, "error": error}) + "\n")
    report.flush()


def with_reason(what: str, said: Iterable[str]) -> str:
    """`said`: the lines that came with it; their last ones follow, without rpm's own if there are others."""
    lines = list(said)
    own = [line for line in lines if not line.startswith(("warning: ", "error: "))]
    reason = "; ".join((own or lines)[-_REASON_LINES:])[:_REASON_LENGTH]
    return f"{what}: {reason}" if reason else what
