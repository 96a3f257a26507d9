"""Reads settings: a TOML file, then the environment, then flags. Everything wrong is told at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import msgspec
from msgspec import Struct

from pulp.common import failpoints
from pulp.common.config.fields import Effective, Setting, SettingsError, settings_of
from pulp.common.times import parse_duration

S = TypeVar("S", bound=Struct)

_OTHERS = {
    "PULP": ("PULP_AGENT_", "PULP_ADMIN_", failpoints.VARIABLE),
    "PULP_AGENT": ("PULP_AGENT_TOKEN",),
}
"""Variables that begin like settings and are none: other programs', secrets that never stand in a file, and what is for tests."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A raw value and its place. `words`: it came as text, so that numbers are texts too."""

    value: object
    place: str
    words: bool


def load(
    type_: type[S],
    *,
    file: Path | None,
    prefix: str,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
) -> S:
    """The settings alone; see `read`."""
    return read(type_, file=file, prefix=prefix, environ=environ, overrides=overrides).settings


def read(
    type_: type[S],
    *,
    file: Path | None,
    prefix: str,
    environ: Mapping[str, str],
    overrides: Mapping[str, object],
) -> Effective[S]:
    """`file` None: no file. Environment: `PREFIX_SECTION_KEY`. `overrides`: `section.key` → value; None = flag not given.

    Raises SettingsError that holds every problem of all three sources.
    """
    known = {setting.name: setting for setting in settings_of(type_)}
    problems: list[str] = []
    found = _from_file(file, known, problems) if file else {}
    found |= _from_environ(prefix, environ, known, problems)
    found |= _from_flags(overrides, known)
    values = {name: _value(known[name], item, problems) for name, item in found.items()}
    if problems:
        raise SettingsError(problems)
    return Effective(_build(type_, values), {name: item.place for name, item in found.items()})


def _from_file(file: Path, known: dict[str, Setting], problems: list[str]) -> dict[str, _Found]:
    document = _parse(file, problems)
    sections = sorted({setting.section for setting in known.values()})
    found: dict[str, _Found] = {}
    for section, table in document.items():
        if section not in sections:
            problems.append(f"{file}: [{section}] is not known{_nearest(section, sections)}")
        elif not isinstance(table, dict):
            problems.append(
                f"{file}: {section} must be a section: write [{section}] on its own line"
            )
        else:
            for key, value in table.items():
                if f"{section}.{key}" in known:
                    found[f"{section}.{key}"] = _Found(value, f"{file}: [{section}] {key}", False)
                else:
                    keys = [s.key for s in known.values() if s.section == section]
                    problems.append(f"{file}: [{section}] {key} is not known{_nearest(key, keys)}")
    return found


def _parse(file: Path, problems: list[str]) -> dict[str, Any]:
    try:
        raw = file.read_bytes()
        return tomllib.loads(raw.decode())
    except OSError as error:
        problems.append(f"{file}: cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        problems.append(f"{file}: line {line} is not UTF-8")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"{file}: is not TOML: {error}")
    return {}


def _from_environ(
    prefix: str, environ: Mapping[str, str], known: dict[str, Setting], problems: list[str]
) -> dict[str, _Found]:
    names = {f"{prefix}_{s.section}_{s.key}".upper(): s.name for s in known.values()}
    found: dict[str, _Found] = {}
    for variable, text in _ours(prefix, environ):
        if variable in names:
            found[names[variable]] = _Found(text, f"environment variable {variable}", True)
        else:
            nearest = _nearest(variable, list(names))
            problems.append(f"environment variable {variable} is not a known setting{nearest}")
    return found


def _ours(prefix: str, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    others = _OTHERS.get(prefix, ())
    for variable in sorted(environ):
        if variable.startswith(f"{prefix}_") and not variable.startswith(others):
            yield variable, environ[variable]


def _from_flags(overrides: Mapping[str, object], known: dict[str, Setting]) -> dict[str, _Found]:
    unknown = [name for name in overrides if name not in known]
    if unknown:
        raise LookupError(f"flags for settings that do not exist: {unknown}")
    return {
        name: _Found(value, f"flag for {name}", isinstance(value, str))
        for name, value in overrides.items()
        if value is not None
    }


def _value(setting: Setting, found: _Found, problems: list[str]) -> Any:
    try:
        return _convert(setting, found)
    except (ValueError, TypeError):  # msgspec.ValidationError is a ValueError
        shown = "" if setting.form == "secret" else f" is {found.value!r}"
        problems.append(f"{found.place}{shown}, wanted: {setting.wanted()}")
        return None


def _convert(setting: Setting, found: _Found) -> Any:
    raw = found.value
    if raw == "" and setting.optional:
        return None
    if setting.form == "duration":
        if not isinstance(raw, str):
            raise TypeError("a duration is a text")
        raw = parse_duration(raw)
    elif found.words and isinstance(raw, str) and isinstance(setting.default, list | tuple):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    return msgspec.convert(raw, setting.hint, strict=not found.words, dec_hook=_decode)


def _decode(type_: type, raw: object) -> object:
    if type_ is Path and isinstance(raw, str) and raw and "\0" not in raw:
        return Path(raw)
    if isinstance(raw, type_):
        return raw
    raise ValueError(f"no {type_.__name__}")


def _build(type_: type[S], values: dict[str, Any]) -> S:
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, key = name.split(".", 1)
        sections.setdefault(section, {})[key] = value
    hints = get_type_hints(type_)
    return type_(**{name: hints[name](**fields) for name, fields in sections.items()})


def _nearest(word: str, words: list[str]) -> str:
    close = get_close_matches(word, words, n=1, cutoff=0.0)
    return f"; the nearest known one is {close[0]}" if close else ""
