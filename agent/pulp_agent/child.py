"""Short errands in processes of their own, awaited on the loop, so that their libraries never stay in the agent's memory."""

from __future__ import annotations

import asyncio
import os
import sys

from pulp_agent.launch import spawn


async def run(*module_and_arguments: str) -> tuple[int, bytes]:
    """`python -m ...`: its exit status and what it printed. LaunchError where it cannot be started."""
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = spawn([sys.executable, "-P", "-m", *module_and_arguments], stdout=writer)
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
