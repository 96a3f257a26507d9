"""rpm's database, read with rpm's own module: what is installed, and who holds rpm's lock."""

from __future__ import annotations

import fcntl
import functools
import os
import struct
from typing import Any

import rpm

_VERSION = (rpm.RPMTAG_EPOCH, rpm.RPMTAG_VERSION, rpm.RPMTAG_RELEASE)
_LOCK_PATH = "%{?_rpmlock_path}%{!?_rpmlock_path:%{_dbpath}/.rpm.lock}"
_FLOCK = "hhqqi4x"
"""`struct flock`: type, whence, start, length, pid."""


def name_of(header: Any) -> str:
    return str(header[rpm.RPMTAG_NAME])


def arch_of(header: Any) -> str:
    return str(header[rpm.RPMTAG_ARCH])


def version_of(header: Any) -> str:
    """epoch:version-release, the epoch only where there is one other than 0."""
    epoch, version, release = (header[tag] for tag in _VERSION)
    return spelled_version(epoch, version, release)


def spelled_version(epoch: Any, version: str, release: str) -> str:
    return f"{epoch}:{version}-{release}" if epoch else f"{version}-{release}"


def nevra_of(header: Any) -> tuple[str, str, str]:
    return name_of(header), arch_of(header), version_of(header)


def split_version(spelled: str) -> tuple[str, str, str]:
    """What `spelled_version` has put together."""
    epoch, _, rest = spelled.rpartition(":")
    version, _, release = rest.rpartition("-")
    return epoch, version, release


def installed_at(header: Any) -> int:
    """Seconds since 1970."""
    return int(header[rpm.RPMTAG_INSTALLTIME])


def provided_by(header: Any) -> set[str]:
    return set(header[rpm.RPMTAG_PROVIDENAME])


def config_paths(header: Any) -> list[str]:
    pairs = zip(header[rpm.RPMTAG_FILENAMES], header[rpm.RPMTAG_FILEFLAGS])
    return [path for path, flags in pairs if flags & rpm.RPMFILE_CONFIG]


def headers(root: str) -> list[Any]:
    """Every installed package, older versions before newer; the keys of signatures are no packages."""
    every = rpm.TransactionSet(root).dbMatch()
    return sorted((header for header in every if name_of(header) != "gpg-pubkey"), key=_age_of)


def age(epoch: Any, version: str, release: str) -> Any:
    """To sort by: older before newer."""
    return _Age((str(epoch or 0), version, release))


def _age_of(header: Any) -> Any:
    return age(*(header[tag] for tag in _VERSION))


def _compare(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    return int(rpm.labelCompare(left, right))


_Age = functools.cmp_to_key(_compare)


def lock_path(root: str) -> str:
    """Of rpm's own lock."""
    return root.rstrip("/") + str(rpm.expandMacro(_LOCK_PATH))


def lock_holder(path: str) -> int:
    """The process that holds a lock of the kind that rpm has, 0 for none: dnf says only that a transaction could not be run."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with open(path, "rb") as file:
            answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except OSError:
        return 0
    kind, *_, pid = struct.unpack(_FLOCK, answer)
    return 0 if kind == fcntl.F_UNLCK else int(pid)
