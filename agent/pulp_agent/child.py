"""Short errands in processes of their own, awaited on the loop, so that their libraries never stay in the agent's memory."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence

from pulp_agent.launch import spawn


async def run(*module_and_arguments: str) -> tuple[int, bytes]:
    """`python -m ...`, as `program` does it."""
    return await program([sys.executable, "-P", "-m", *module_and_arguments])


async def program(command: Sequence[str]) -> tuple[int, bytes]:
    """Its exit status and what it printed. `command[0]` is a path. LaunchError where it cannot be started."""
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawn(list(command), stdout=writer)
    except BaseException:
        os.close(reader)
        raise
    finally:
        os.close(writer)
    stream = asyncio.StreamReader()
    pipe = os.fdopen(reader, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stream), pipe)
    try:
        output = await stream.read()
    finally:
        transport.close()
    return os.waitstatus_to_exitcode(await _ended(loop, pid)), output


async def _ended(loop: asyncio.AbstractEventLoop, pid: int) -> int:
    """It has closed its output, so this takes no time worth speaking of."""
    pidfd, over = os.pidfd_open(pid), asyncio.Event()
    loop.add_reader(pidfd, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)
    return os.waitpid(pid, 0)[1]
