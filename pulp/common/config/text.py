"""Settings as text for people: the commented sample file and the effective settings. Both are TOML."""

from __future__ import annotations

import json
import textwrap
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from pulp.common.config.fields import Effective, Setting, sections_of
from pulp.common.times import format_duration

S = TypeVar("S", bound=Struct)


def sample(type_: type[Struct]) -> str:
    """A TOML file in which every setting is explained and commented out with its default."""
    lines = _comment(_words(type_.__doc__))
    for section, meaning, settings in sections_of(type_):
        lines += ["", *_comment(meaning), f"[{section}]"]
        for setting in settings:
            lines += ["", *_explain(setting), f"#{setting.key} = {_toml(setting, setting.default)}"]
    return "\n".join(lines) + "\n"


def show(effective: Effective[S]) -> str:
    """The settings in force, each with its meaning and the place it came from. Secrets are left out."""
    lines: list[str] = []
    for section, meaning, settings in sections_of(type(effective.settings)):
        lines += ["", *_comment(meaning), f"[{section}]"]
        values = getattr(effective.settings, section)
        for setting in settings:
            origin = effective.origins.get(setting.name, "default")
            text = _toml(setting, getattr(values, setting.key))
            lines += ["", *_explain(setting), f"{setting.key} = {text}  # {origin}"]
    return "\n".join(lines[1:]) + "\n"


_OBVIOUS = ("a text", "a path")


def _explain(setting: Setting) -> list[str]:
    wanted = setting.wanted()
    said = "" if wanted in _OBVIOUS else f" Wanted: {wanted}."
    return _comment(setting.meaning + said + (" Empty: not set." if setting.optional else ""))


def _toml(setting: Setting, value: Any) -> str:
    if value is None:
        return '""'
    if setting.form == "secret":
        return '"(not shown)"' if value else '""'
    if setting.form == "duration":
        return f'"{format_duration(value)}"'
    return _literal(value)


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, Enum):
        return _literal(value.value)
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, 98, initial_indent="# ", subsequent_indent="# ")
