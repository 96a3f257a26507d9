"""What the agent knows of its host, read from the files that say so."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from pulp_agent.events import Instant

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOT_ID_OF_FIRST = Path("/proc/1/root/proc/sys/kernel/random/boot_id")
_FIRST_SECONDS = 60.0
"""By then every kernel has started its process 1."""
_START_FIELD = 22 - 3
"""`starttime` among what follows the name in /proc/PID/stat (proc(5) counts from 1, and the name is number 2)."""
_ZONEINFO = "zoneinfo/"


def instant() -> Instant:
    """Now. The monotonic part counts the time a laptop sleeps, so that it can be compared with the wall clock."""
    mono = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Instant(time.time_ns() // 1_000_000, mono // 1_000_000)


def boot_id(file: Path | None = None) -> str:
    """Differs after each start of the host; empty where nothing tells. `file`: what tells it instead of the kernel.

    A container may have an id of its own laid over the kernel's. A service whose sandbox has a /proc of its own does not see
    that, so process 1 is asked for its view. Where a container has none, the start of its process 1 tells its starts apart.
    """
    views = (_BOOT_ID_OF_FIRST, _BOOT_ID) if file is None else (file,)
    told = next(filter(None, map(_text, views)), "")
    late = started() > _FIRST_SECONDS and file is None
    return f"{told}.{started():.2f}" if told and late else told


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def started() -> float:
    """Seconds from the start of the kernel to that of process 1: about none, but in a container."""
    fields = _text(Path("/proc/1/stat")).rpartition(")")[2].split()
    return int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def booted_at() -> float:
    """When the host was started (s UTC)."""
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + started()


def timezone() -> str:
    """The host's IANA zone; UTC where it names none."""
    if zone := os.environ.get("TZ", "").lstrip(":"):
        return zone
    target = os.path.realpath("/etc/localtime")
    if _ZONEINFO in target:
        return target.split(_ZONEINFO, 1)[1]
    try:
        return Path("/etc/timezone").read_text().strip() or "UTC"
    except OSError:
        return "UTC"


def os_facts() -> dict[str, str]:
    """Name and version of the system, and of its kernel and machine."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return {
        "id": release.get("ID", ""),
        "version": release.get("VERSION_ID", ""),
        "name": release.get("PRETTY_NAME", ""),
        "kernel": os.uname().release,
        "machine": os.uname().machine,
        "hostname": os.uname().nodename,
    }
