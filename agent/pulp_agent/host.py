"""What the agent knows of its host, read from the files that say so."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from pulp_agent.events import Instant

_ZONEINFO = "zoneinfo/"


def instant() -> Instant:
    """Now. The monotonic part counts the time a laptop sleeps, so that it can be compared with the wall clock."""
    mono = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return Instant(time.time_ns() // 1_000_000, mono // 1_000_000)


def boot_id() -> str:
    """Differs after each start of the host; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


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
