"""A throw-away Debian tree that has dnf5 and libdnf5's Python module, for the tests, and programs run in a view of it.

dnf5 is in no stable Debian yet, so the tree is of sid, a moving target: where it cannot be had its tests are skipped, loudly. It
is made by `./dev test --all` and kept in the tests' cache.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pulp_agent
from machine.machines import CACHE, MachineError, cache

_TREE = CACHE / "sid-dnf5"
_PACKAGES = "dnf5,python3-libdnf5,python3-rpm,rpm"
_MAKING = 180  # s
_HOW = "`./dev test --all` makes it, where CI is not set"
_AGENT = Path(pulp_agent.__file__).parent
_TOOLS = ("mmdebstrap", "unshare", "chroot")
_VIEW = """
set -e
tree=$1 folder=$2 code=$3; shift 3
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root; view=/mnt/root
mount -t overlay overlay -o "lowerdir=$tree,upperdir=/mnt/upper,workdir=/mnt/work" $view
mount -t proc proc $view/proc
for node in null random urandom; do touch $view/dev/$node; mount --bind /dev/$node $view/dev/$node; done
mkdir -p "$view$folder" "$view$code"
mount --rbind "$folder" "$view$folder"
mount --bind "$code" "$view$code"; mount -o remount,bind,ro "$view$code"
cd /; exec chroot $view "$@"
"""
"""The view's upper layer is memory, and gone with the program. What it sees of this host is the agent's code, and `folder`."""


_problems: list[str] = []


def make() -> None:
    """Have the tree made if there is none; `lack` says why that went wrong."""
    if _lack_of_tools() or _problems:
        return
    with cache():
        if not _TREE.exists():
            _make()


def _make() -> None:
    part = _TREE.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        _mmdebstrap(part)
    except MachineError as error:
        shutil.rmtree(part, ignore_errors=True)
        _problems.append(f"the tree could not be made: {error}")
    else:
        part.rename(_TREE)


def _mmdebstrap(target: Path) -> None:
    """With this host's own sources; the last Release of sid that they know may have expired."""
    options = ["--variant=apt", '--aptopt=Acquire::Check-Valid-Until "false"']
    command = ["mmdebstrap", *options, f"--include={_PACKAGES}", "--format=directory"]
    done = subprocess.run(
        ["timeout", "--kill-after=20", str(_MAKING), *command, "sid", str(target)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MachineError(f"{command[0]} ended with {done.returncode}: {done.stderr[-500:]}")


def lack() -> str:
    """What is missing to use the tree; empty for nothing."""
    if missing := _lack_of_tools():
        return missing
    return "" if _TREE.exists() else "; ".join(_problems) or f"no tree of Debian sid; {_HOW}"


def _lack_of_tools() -> str:
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    if os.geteuid() != 0:
        missing.append("root")
    return f"no {', '.join(missing)} here" if missing else ""


def inside(folder: Path, *command: str) -> list[str]:
    """To run `command` in the tree, with `folder` under its own path. The process becomes the command's own."""
    isolate = ["unshare", "--mount", "--propagation=private", "sh", "-c", _VIEW, "view"]
    return [*isolate, str(_TREE), str(folder), str(_AGENT), *command]


def python(folder: Path) -> Path:
    """A program that is the tree's Python with `folder` in view."""
    program = folder / "python-of-the-tree"
    command = shlex.join(inside(folder, "/usr/bin/python3"))
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    return program
