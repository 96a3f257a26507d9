"""What demo and serve share: a world in a folder of its own that is gone afterwards, and pulp-admin before the user's eyes."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from world import BIN, World, WorldError

PLACE = Path(os.environ.get("PULP_WORLDS") or Path(__file__).parents[1] / ".world")
ADMIN = str(BIN / "pulp-admin")
SHOW_CURSOR = "\033[?25h"


class Failed(Exception):
    """The story did not go as it should."""


@contextmanager
def stage() -> Iterator[World]:
    """A world with its server running. Whatever ends this, Ctrl-C too, ends all its processes; its folder, with the logs, is
    left only after a failure."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, _interrupt)
    PLACE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=PLACE))
    try:
        with World(folder) as world:
            try:
                world.start_server()
                yield world
            finally:
                signal.signal(
                    signal.SIGINT, signal.SIG_IGN
                )  # a second Ctrl-C leaves nothing behind
    except (Failed, WorldError) as error:
        say(f"\n{error}\nThe logs are in {folder}/logs.")
        sys.exit(1)
    except KeyboardInterrupt:
        shutil.rmtree(folder)
        with suppress(OSError):  # the terminal may be gone
            say("\nStopped; everything has ended.")
        sys.exit(130)
    shutil.rmtree(folder)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def say(text: str = "") -> None:
    print(text, flush=True)


def heading(text: str) -> None:
    bold, plain = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    say(f"\n{bold}== {text}{plain}")


def admin(world: World, *args: str, ends_with: int = 0) -> None:
    """Show the command and run it with its output as it comes. Failed when it does not end with this code."""
    say(f"\n$ pulp-admin {shlex.join(args)}")
    try:  # in a session of its own: Ctrl-C is ours, and `run` ends the command
        done = subprocess.run([ADMIN, *args], env=world.env, check=False, start_new_session=True)
    except KeyboardInterrupt:
        say(SHOW_CURSOR if sys.stdout.isatty() else "")
        raise
    if done.returncode != ends_with:
        raise Failed(f"it ended with {done.returncode}, expected {ends_with}")


def log_in(world: World) -> None:
    say(f"\n$ pulp-admin login {world.url} --ca ca.pem")
    say(world.log_in().strip())
