"""Handlers of `System`: facts about the host, and its restart."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from pulp.rmi.interfaces import Facts, NoArgs, RebootArgs
from pulp_agent.handlers.base import HandlerError, Job
from pulp_agent.host import boot_id, os_facts, timezone

_LEAST_DELAY = 10
"""Seconds that the answer gets to reach the server before the host goes down."""
_REBOOT_FLAG = Path("/run/reboot-required")


def info(args: NoArgs, job: Job) -> Facts:
    return Facts(os=os_facts(), boot_id=boot_id(), timezone=timezone())


def reboot(args: RebootArgs, job: Job) -> NoArgs:
    """Schedules the restart and answers; that it happened shows in the next hello's `boot_id`."""
    if args.if_needed and not _REBOOT_FLAG.exists():
        return NoArgs()
    if not job.begin_commit():
        raise HandlerError("canceled", "canceled before the restart was scheduled")
    command = _command(max(_LEAST_DELAY, args.delay // 1000), job.id)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        message = f"{command[0]} refused the restart: {done.stderr.strip()[:500]}"
        raise HandlerError("internal", message)
    return NoArgs()


def _command(delay: int, job_id: str) -> list[str]:
    """`delay` in seconds. Without systemd, shutdown counts in minutes."""
    message = f"pulp task {job_id}"
    if Path("/run/systemd/system").is_dir() and shutil.which("systemd-run"):
        timer = ["systemd-run", "--quiet", "--collect", f"--on-active={delay}s"]
        return [*timer, "systemctl", f"--message={message}", "reboot"]
    if not shutil.which("shutdown"):
        raise HandlerError("unsupported", "This host has neither systemd-run nor shutdown.")
    return ["shutdown", "-r", f"+{max(1, (delay + 59) // 60)}", message]
