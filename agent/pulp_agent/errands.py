"""What the agent does for itself beside calls: reading the package profile and renewing its certificate."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any

import msgspec

from pulp.common.times import DAY
from pulp.rmi.interfaces import METHODS, PING, PROFILE, Method, ProfileResult
from pulp_agent import child
from pulp_agent.events import ProfileRead, RenewalDue, RestartRefused
from pulp_agent.executor import Post
from pulp_agent.home import Home
from pulp_agent.launch import MODULE, LaunchError

_log = logging.getLogger(__name__)


class Errands:
    """Never raises: what fails is logged and tried again when there is next reason to."""

    def __init__(self, home: Home, post: Post) -> None:
        self._home = home
        self.post = post
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = False
        self._read_again = False

    def read_profile(self) -> None:
        """Asked for during a reading, it is read once more after it."""
        if self._reading:
            self._read_again = True
        else:
            self._reading = True
            self._go(self._read_profile())

    async def offered_methods(self) -> dict[tuple[str, int], Method]:
        """What this host can do, found out in a process of its own; without it only what the agent itself answers."""
        output = await self._run(MODULE, "--methods")
        paths = {*(output or b"").decode().split(), PING.path}
        return {key: method for key, method in METHODS.items() if method.path in paths}

    def watch_profile(self, interval: int) -> None:
        """Read it every `interval` ms or so: people and other programs change packages too."""
        self._go(self._read_regularly(interval))

    def restart_host(self, command: Sequence[str]) -> None:
        """Ask the system for it; RestartRefused where that fails."""
        self._go(self._restart_host(command))

    def watch_certificate(self) -> None:
        self._go(self._renew_daily())

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read_profile(self) -> None:
        try:
            self._read_again = True
            while self._read_again:
                self._read_again = False
                output = await self._run(MODULE, "--print", str(self._home.jobs), PROFILE.path)
                if output is not None:
                    self._tell(output)
        finally:
            self._reading = False

    async def _read_regularly(self, interval: int) -> None:
        random = Random()
        while True:  # each host at moments of its own, also where they were all started at once
            await asyncio.sleep(random.uniform(0.5, 1.5) * interval / 1000)
            self.read_profile()

    def _tell(self, output: bytes) -> None:
        try:
            profile = msgspec.json.decode(output, type=ProfileResult)
        except msgspec.MsgspecError as error:
            _log.warning("The package profile cannot be read", extra={"error": str(error)})
        else:
            self.post(ProfileRead(profile.hash, profile.packages))

    async def _renew_daily(self) -> None:
        while True:
            await self._run("pulp_agent.renewal", str(self._home.path))
            if self._home.next_csr.exists() and not self._home.next_identity.exists():
                self.post(RenewalDue(self._home.next_csr.read_text()))
            await asyncio.sleep(DAY / 1000)

    async def _restart_host(self, command: Sequence[str]) -> None:
        try:
            status, output = await child.program(command)
        except (LaunchError, OSError) as error:
            self.post(RestartRefused(str(error)))
            return
        if status:
            said = output.decode(errors="replace").strip()[-500:]
            self.post(RestartRefused(f"{command[0]} ended with {status}. {said}".strip()))

    async def _run(self, *arguments: str) -> bytes | None:
        try:
            status, output = await child.run(*arguments)
        except (LaunchError, OSError) as error:
            _log.warning(
                "An errand could not be run", extra={"errand": arguments[0], "error": str(error)}
            )
            return None
        if status:
            _log.warning("An errand failed", extra={"errand": arguments[0], "status": status})
            return None
        return output
