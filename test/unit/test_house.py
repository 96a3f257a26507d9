"""The house's own rules: imports do nothing, every module says what it is for, and nothing private lies in the tree."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from pulp.common.config import sample
from pulp.common.config.fields import settings_of
from pulp.rmi.interfaces import METHODS, PACKAGE_ERRORS
from pulp.rmi.messages import ToAgent, ToServer
from pulp.rmi.versions import FEATURES
from tools import samples

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("pulp/**/*.py"), *ROOT.glob("agent/pulp_agent/**/*.py")])

IMPORT_ALL = """
import json, sys, threading
effects = []

def watch(event, args):
    if event == "open":
        flags = args[2] or 0
        if flags & 3 and str(args[0]) != "/dev/null" and "__pycache__" not in str(args[0]):
            effects.append([event, str(args[0])])
    elif event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn",
                           "os.mkdir", "os.remove", "os.rename", "os.rmdir", "shutil.", "signal.",
                           "sqlite3.")):
        effects.append([event, repr(args)])

def start(thread):  # Python 3.11 has no audit event for it
    effects.append(["thread", repr(thread)])


for module in sys.argv[1].split(","):
    __import__(module)
threading.Thread.start = start
sys.addaudithook(watch)
for module in json.loads(sys.stdin.read()):
    __import__(module)
print(json.dumps(effects))
"""

# Libraries whose own import does something; ours is measured after them.
THIRD_PARTY = "msgspec,dateutil,cryptography,cproton_ffi,uvloop,web,cheroot,argon2,httpx,typer,rich"


FOREIGN = "pulp_agent.handlers.packages.dnf.worker"
"""A program for the host's own Python beside python3-dnf; nothing of ours imports it."""


def module_name(path: Path) -> str:
    base = ROOT / "agent" if "pulp_agent" in path.parts else ROOT
    parts = path.relative_to(base).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def committed_files() -> list[Path]:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def effects_of_importing(modules: list[str], path: Path) -> list[list[str]]:
    done = subprocess.run(
        [sys.executable, "-B", "-c", IMPORT_ALL, THIRD_PARTY],
        input=json.dumps(modules),
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(path)},
    )
    assert done.returncode == 0, done.stderr
    effects: list[list[str]] = json.loads(done.stdout)
    return effects


def test_importing_any_module_has_no_effect() -> None:
    modules = [m for m in map(module_name, SOURCES) if not m.startswith(FOREIGN)]
    assert "pulp.messaging.base" in modules
    assert "pulp_agent.handlers.base" in modules
    assert effects_of_importing(modules, ROOT) == []


@pytest.mark.parametrize(
    ("statement", "event"),
    [
        ("import socket; socket.socket().close()", "socket.__new__"),
        ("import threading; threading.Thread(target=int).start()", "thread"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("open('written', 'w').close()", "open"),
        ("import sqlite3; sqlite3.connect(':memory:').close()", "sqlite3.connect"),
    ],
)
def test_an_effect_would_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, statement: str, event: str
) -> None:
    (tmp_path / "has_an_effect.py").write_text(statement)
    monkeypatch.chdir(tmp_path)
    assert event in [seen for seen, _ in effects_of_importing(["has_an_effect"], tmp_path)]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == [], "these open without the one to three lines that say what they are for"


def test_nothing_private_lies_in_the_tree() -> None:
    """Neither keys nor paths of the machine it was written on."""
    private = [str(ROOT).encode(), b"/home" + b"/", b"PRIVATE KEY-----" + b"\nM"]
    found = [
        f"{path.relative_to(ROOT)} has {word.decode()!r}"
        for path in committed_files()
        for word in private
        if word in path.read_bytes()
    ]
    assert found == []


def test_the_sample_settings_are_those_of_the_types() -> None:
    assert sorted(path.name for path in samples.ETC.iterdir()) == sorted(samples.SAMPLES)
    for name, type_ in samples.SAMPLES.items():
        assert (samples.ETC / name).read_text() == sample(type_), "run ./dev samples"


def test_every_setting_says_what_it_means() -> None:
    for type_ in samples.SAMPLES.values():
        assert [s.name for s in settings_of(type_) if not s.meaning.endswith(".")] == []


@pytest.mark.parametrize(
    "page", ["README.md", "ARCHITECTURE.md", "docs/README.md", "docs/operations.md"]
)
def test_what_the_pages_point_to_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    links = [(ROOT / page).parent / target for target in re.findall(r"\]\(([^)#:]+)\)", text)]
    named = re.findall(r"`((?:test|tools|etc|pulp|agent|docs)/[\w./-]+)`", text)
    places = [*links, *(ROOT / name for name in named)]
    assert places
    assert [str(place) for place in places if not place.exists()] == []


COMMANDS = ["setup", "demo", "serve", "test", "lint", "sim", "bench", "samples", "lock", "help"]


def test_the_script_explains_every_command_it_has() -> None:
    run = subprocess.run([ROOT / "dev", "help"], capture_output=True, text=True, check=True)
    script = (ROOT / "dev").read_text()
    for command in COMMANDS:
        assert f"\n  {command} " in run.stdout
        assert f"\n    {command}" in script


def test_an_unknown_command_of_the_script_is_refused() -> None:
    run = subprocess.run([ROOT / "dev", "tset"], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "does not know 'tset'" in run.stderr


def test_the_wire_page_names_every_message_code_and_feature() -> None:
    """An agent must be writable from the page alone."""
    page = (ROOT / "docs" / "WIRE.md").read_text()
    types = {cls.__struct_config__.tag for cls in (*get_args(ToAgent), *get_args(ToServer))}
    methods = {method.name for method in METHODS.values()}
    words = types | PACKAGE_ERRORS | FEATURES | methods
    assert [word for word in sorted(words) if not re.search(rf"\b{re.escape(word)}\b", page)] == []


def test_no_two_test_modules_have_one_name() -> None:
    """pytest imports them all by their bare names."""
    names = Counter(path.name for path in (ROOT / "test").rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []
