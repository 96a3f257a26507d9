"""The pins of a security-only update: a preferences file that prefers the security suites and adds to the administrator's own.

Filtering a plain upgrade by origin misses fixes that a newer, ordinary version hides; so the candidates themselves are moved.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_LOWERED = 50
"""Never upgrades an installed package (that has 100), and still gives a new dependency."""
_ALL_REPOSITORIES = ('origin "*"', "release l=*", "release o=*", "release n=*")
"""Each fits repositories that lack another's field. None fits dpkg's own status file, as `release a=*`, `c=*` and `*` would:
then every installed package had 50 too, and was upgraded by anything newer."""


def security_preferences(labels: Sequence[str], preferences: Path, preferences_parts: Path) -> str:
    """The whole text for `Dir::Etc::Preferences`, which it replaces.

    The first pin of all packages that fits a repository wins in apt, and a pin of one package beats those. So: the
    administrator's pins that keep repositories out come first, then ours, then the rest of the administrator's file.
    """
    own = _read(preferences)
    parts = sorted(preferences_parts.iterdir()) if preferences_parts.is_dir() else []
    texts = [own, *(_read(part) for part in parts if _is_preferences(part))]
    barred = [stanza for text in texts for stanza in _stanzas(text) if _bars(stanza)]
    pins = [_pin(f"release l={label}", 990) for label in labels]
    lowered = [_pin(every, _LOWERED) for every in _ALL_REPOSITORIES]
    return "\n\n".join([*barred, *pins, *lowered, own])


def _is_preferences(path: Path) -> bool:
    """apt's rule for the names of the files in preferences.d."""
    return path.suffix in ("", ".pref") and re.fullmatch(r"[\w.-]+", path.name) is not None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _stanzas(text: str) -> Iterable[str]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return filter(None, (part.strip() for part in re.split(r"\n\s*\n", "\n".join(lines))))


def _bars(stanza: str) -> bool:
    """Whether it pins every package of some repository lower than we would."""
    fields = dict(re.findall(r"^([\w-]+):\s*(.*?)\s*$", stanza, re.MULTILINE))
    priority = fields.get("Pin-Priority", "")
    is_number = re.fullmatch(r"-?\d+", priority) is not None
    return fields.get("Package") == "*" and is_number and int(priority) < _LOWERED


def _pin(what: str, priority: int) -> str:
    return f"Package: *\nPin: {what}\nPin-Priority: {priority}"
