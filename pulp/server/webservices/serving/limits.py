"""How many connections this process can carry."""

from __future__ import annotations

import resource

_SPARE = 256
"""File descriptors that stay free for the store, the agents' first connections and the libraries."""


def open_files(wanted: int) -> int:
    """Raise the process's soft limit of open files towards `wanted`, as far as its hard limit goes; the limit now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    new = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (new, hard))
    return new


def connections(wanted: int) -> int:
    """How many of the wanted client connections can be had."""
    return max(16, min(wanted, open_files(wanted + _SPARE) - _SPARE))
