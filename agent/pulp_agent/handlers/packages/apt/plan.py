"""apt's plan: what its JSON hook tells during a simulation, as changes."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from pulp.rmi.interfaces import Action, Change, KeptBack
from pulp_agent.handlers.packages.apt import hook
from pulp_agent.handlers.packages.base import Key, State

_ACTIONS: dict[str, Action] = {
    "install": "install",
    "upgrade": "upgrade",
    "downgrade": "downgrade",
    "reinstall": "reinstall",
    "deinstall": "remove",
    "purge": "remove",
}
_KEPT_BACK = re.compile(r"(?P<how>kept back|deferred due to phasing):\n(?P<names>(?:  .*\n)+)")
_WHY = {"kept back": "dependency", "deferred due to phasing": "phasing"}


class Origin(Struct, frozen=True):
    archive: str = ""
    label: str = ""


class Version(Struct, frozen=True):
    version: str
    architecture: str
    origins: list[Origin] = []


class Versions(Struct, frozen=True):
    current: Version | None = None
    install: Version | None = None


class Item(Struct, frozen=True):
    name: str
    architecture: str
    mode: str
    automatic: bool
    versions: Versions


class Params(Struct, frozen=True, rename="kebab"):
    packages: list[Item] = []
    unknown_packages: list[str] = []


class Message(Struct, frozen=True):
    method: str
    params: Params


def hook_options() -> list[str]:
    """Options that make apt-get call the hook; upgrades have their own list of hooks."""
    system = Path("/usr/bin/python3")
    # -I -S: a bare interpreter starts in half the time, and apt starts it four times
    python = [str(system), "-I", "-S"] if system.exists() else [sys.executable, "-I", "-S"]
    command = shlex.join([*python, str(Path(hook.__file__).resolve())])
    return [
        "-o",
        f"AptCli::Hooks::Install::={command}",
        "-o",
        f"AptCli::Hooks::Upgrade::={command}",
    ]


def read_messages(path: Path) -> list[Message]:
    """What the hook wrote; empty when apt failed before it came to call it."""
    if not path.exists():
        return []
    decoder = msgspec.json.Decoder(Message)
    lines = path.read_bytes().splitlines()
    methods = ("package-list", "fail")
    return [m for m in map(decoder.decode, lines) if m.method.rpartition(".")[2] in methods]


def unknown(messages: Sequence[Message]) -> list[str]:
    return [name for message in messages for name in message.params.unknown_packages]


def changes(
    messages: Sequence[Message], asked: frozenset[Key], labels: Sequence[str]
) -> dict[Key, Change]:
    """The changes of the last list that apt told."""
    items = messages[-1].params.packages if messages else []
    return {
        f"{item.name}:{item.architecture}": _change(item, asked, labels)
        for item in items
        if item.mode in _ACTIONS
    }


def _change(item: Item, asked: frozenset[Key], labels: Sequence[str]) -> Change:
    current, target = item.versions.current, item.versions.install
    version = target or current
    origins = target.origins if target else []
    return Change(
        name=item.name,
        arch=version.architecture if version else item.architecture,
        action=_ACTIONS[item.mode],
        from_=current.version if current else None,
        to=target.version if target else None,
        requested=f"{item.name}:{item.architecture}" in asked,
        automatic=item.automatic and target is not None,
        security=item.mode == "upgrade" and any(o.label in labels for o in origins),
        repo=",".join(sorted({origin.archive for origin in origins if origin.archive})),
    )


def kept_back(text: str, state: State) -> tuple[KeptBack, ...]:
    """What apt says it will not upgrade; the hook does not tell. Ubuntu gives an update to some hosts first (phasing)."""
    held = {package.name for package in state.values() if package.held}
    return tuple(
        KeptBack(name=name, reason=_WHY[found["how"]] if _plain(name) not in held else "held")
        for found in _KEPT_BACK.finditer(text)
        for name in found["names"].split()
    )


def _plain(name: str) -> str:
    """Without the architecture, which apt adds to a foreign package's name."""
    return name.partition(":")[0]
