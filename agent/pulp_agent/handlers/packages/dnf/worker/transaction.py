"""Following downloads and transactions: progress, the failures of single packages, signatures."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TextIO

import dnf.callback
import dnf.exceptions
import dnf.transaction

from .link import Link, log
from .refused import Refused
from .reports import with_reason, write_failure


class Downloads(dnf.callback.DownloadProgress):  # type: ignore[misc]
    def __init__(self, link: Link) -> None:
        self._link = link
        self._total = 1.0
        self._done: dict[str, float] = {}

    def start(self, total_files: int, total_size: float, total_drpms: int = 0) -> None:
        self._total = total_size or 1.0

    def progress(self, payload: Any, done: float) -> None:
        self._done[str(payload)] = done
        self._link.progress(100 * sum(self._done.values()) / self._total, str(payload))

    def end(self, payload: Any, status: Any, msg: str) -> None:
        if msg:
            log(f"{payload}: {msg}")


class Following(dnf.callback.TransactionProgress):  # type: ignore[misc]
    """Follows a transaction, in which rpm works with another root: `report`, which gets the failures of single packages, was
    opened before. dnf itself logs what scripts say and what goes wrong."""

    def __init__(self, link: Link, report: TextIO) -> None:
        super().__init__()
        self.begun = False
        """Whether anything may have been changed."""
        self._link = link
        self._report = report
        self._last = ""
        self._said: list[str] = []

    def progress(
        self, package: Any, action: Any, ti_done: Any, ti_total: Any, ts_done: Any, ts_total: Any
    ) -> None:
        if not package or not ts_total or action == dnf.transaction.PKG_VERIFY:
            return
        self.begun = True
        label = f"{dnf.transaction.ACTIONS.get(action, 'Working on')}: {package}"
        if label != self._last:
            self._last = label
            log(label)
        share = ti_done / ti_total if ti_total else 1
        self._link.progress(100 * (ts_done - 1 + share) / ts_total, label)

    def scriptout(self, msgs: Any) -> None:
        """rpm's words and those of scripts; they come before the error that they explain."""
        text = msgs.decode("utf-8", "replace") if isinstance(msgs, bytes) else str(msgs or "")
        self._said = [line.strip() for line in text.splitlines() if line.strip()] or self._said

    def error(self, message: str) -> None:
        """`Error in POSTIN scriptlet in rpm package NAME`, `Error unpacking rpm package NEVRA` and the like."""
        self.begun = True
        subject = message.rpartition(" ")[2]
        script = re.match(r"Error in (\w+) scriptlet", message)
        name = subject if script else subject.rpartition("-")[0].rpartition("-")[0]
        what = f"its {script[1]} script failed" if script else message
        write_failure(self._report, name, with_reason(what, self._said))


def check_signatures(base: Any, packages: Iterable[Any]) -> None:
    """`do_transaction()` checks none: with gpgcheck=1 it installs an unsigned package without a word."""
    for package in packages:
        result, problem = base.package_signature_check(package)
        if result == 1:
            _import_key(base, package, problem)
        elif result:
            raise Refused("untrusted", str(problem))


def _import_key(base: Any, package: Any, problem: str) -> None:
    """A key that the repository names is imported, as `dnf -y` does, unless it would come in clear over the network."""
    urls = base.repos[package.repoid].gpgkey
    clear = [url for url in urls if not url.startswith(("file:", "/", "https:"))]
    if clear:
        raise Refused("untrusted", f"{problem}; its key would come unprotected from {clear[0]}")
    try:
        base.package_import_key(package, fullaskcb=lambda _: True)
    except (dnf.exceptions.Error, ValueError) as error:
        raise Refused("untrusted", f"{package}: {' '.join(str(error).split())}") from error
