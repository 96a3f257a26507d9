"""apt's and dpkg's words (LC_ALL=C.UTF-8) as codes and sentences. Only wording hangs on them; the verdict is dpkg's state."""

from __future__ import annotations

import re
from pathlib import Path

from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import NotFound

_CODES = (
    ("locked", r"Could not get lock|Unable to acquire|Unable to lock|lock was locked by another"),
    ("interrupted", r"dpkg was interrupted"),
    ("no-space", r"enough free space|No space left"),
    ("would-remove", r"remove is disabled|Essential packages were removed"),
    ("held", r"Held packages were changed"),
    (
        "untrusted",
        r"cannot be authenticated|unauthenticated packages|is not signed|is no longer signed"
        r"|NO_PUBKEY|EXPKEYSIG|BADSIG|REVKEYSIG",
    ),
    (
        "not-found",
        r"Unable to locate package|^E: Version '.*was not found|no installation candidate",
    ),
    ("dependency", r"unmet dependencies|Unmet dependencies|held broken packages"),
    (
        "fetch",
        r"Failed to fetch|Unable to fetch|Hash Sum mismatch|Could not resolve|Could not connect"
        r"|Some index files failed|have a Release file|Release file for .* is (expired|not valid)",
    ),
)
_HOLDER = re.compile(r"held by process (\d+) \(([^)]*)\)|by another process with pid (\d+)")
_VERSION = re.compile(r"^E: Version '([^']+)' for '([^']+)' was not found", re.MULTILINE)
_NO_CANDIDATE = re.compile(
    r"^E: (?:Package '([^']+)' has no installation candidate|Unable to locate package (\S+))",
    re.MULTILINE,
)
_DPKG_ERROR = re.compile(
    r"^(?P<last>.*)\ndpkg: error processing (?:package|archive) (?P<name>\S+) \(--\w[\w-]*\):"
    r"(?=\n (?P<why>.*)$)",
    re.MULTILINE,
)
_DPKG_OWN = ("dpkg:", "Setting up ", "Preparing to ", "Unpacking ", "Removing ", "(Reading ", "$ ")


def problem(text: str) -> HandlerError:
    """The one error that a failed command's output stands for."""
    matching = (code for code, pattern in _CODES if re.search(pattern, text, re.MULTILINE))
    code = next(matching, "internal")
    if code == "locked":
        return HandlerError(code, _locked(text))
    if code == "not-found":
        return _not_found(text)
    return HandlerError(code, _dependencies(text) if code == "dependency" else _complaints(text))


def _locked(text: str) -> str:
    found = _HOLDER.search(text)
    if found is None:
        return "another program holds a lock of the package system"
    pid = found[1] or found[3]
    name = found[2] or _process_name(pid)
    return f"the package system is in use by process {pid} ({name})"


def _process_name(pid: str) -> str:
    try:
        return Path("/proc", pid, "comm").read_text().strip()
    except OSError:
        return "ended by now"


def _not_found(text: str) -> NotFound:
    versions = _VERSION.findall(text)
    if versions:
        names = [f"{name}={version}" for version, name in versions]
        parts = [f"there is no version {version} of {name}" for version, name in versions]
        return NotFound(names, f"{'; '.join(parts)} in this host's repositories")
    found = _NO_CANDIDATE.findall(text)
    barred = [first for first, _ in found if first]
    names = barred + [second for _, second in found if second]
    if names == barred and barred:
        why = "no repository of this host has it any more, or its preferences (pins) bar it"
        return NotFound(names, f"there is no version to install of {', '.join(names)}: {why}")
    return NotFound(names, f"this host's repositories have no {', '.join(names)}")


def _dependencies(text: str) -> str:
    block = text.rpartition("unmet dependencies:\n")[2]
    lines = []
    for line in block.splitlines():
        if not line.startswith(" "):
            break
        lines.append(" ".join(line.split()))
    return f"unmet dependencies: {'; '.join(lines[:10])}" if lines else _complaints(text)


def _complaints(text: str) -> str:
    """apt's own error lines, or else the last line."""
    lines = [line[3:] for line in text.splitlines() if line.startswith("E: ")]
    last = [line for line in text.splitlines() if line.strip()][-1:]
    return "; ".join(line.strip() for line in (lines[:3] or last))[:1000] or "no reason was given"


def package_errors(text: str) -> dict[str, str]:
    """Package name → what dpkg says went wrong with it, with the last line of the script that failed."""
    return {
        _package(found["name"]): _reason(found["why"], found["last"])
        for found in _DPKG_ERROR.finditer(text)
    }


def _package(name: str) -> str:
    """Of `name`, `name:arch` or `/path/name_version_arch.deb`."""
    return name.rpartition("/")[2].partition("_")[0].partition(":")[0]


def _reason(why: str, last: str) -> str:
    if "script" in why and last.strip() and not last.startswith(_DPKG_OWN):
        return f"{why.strip()}: {last.strip()[:300]}"
    return why.strip()
