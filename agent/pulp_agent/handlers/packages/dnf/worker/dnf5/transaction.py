"""Following downloads and transactions: progress, and the failures of single packages.

libdnf5 calls these from C++, where an error that gets through ends the process in the middle of what it is at; and so does a
call of an object that nothing refers to any more.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any, TextIO

from libdnf5.repo import DownloadCallbacks
from libdnf5.rpm import TransactionCallbacks
from libdnf5.transaction import transaction_item_action_to_string

from ..link import Link, log
from ..reports import with_reason, write_failure


def guarded(callback: Callable[..., Any]) -> Callable[..., Any]:
    """A callback whose own failure is only logged, as far as that is possible."""

    @functools.wraps(callback)
    def call(*arguments: Any) -> Any:
        try:
            return callback(*arguments)
        except Exception as error:
            with contextlib.suppress(Exception):
                log(f"could not follow ({callback.__name__}): {error!r}")
            return 0

    return call


class Downloads(DownloadCallbacks):  # type: ignore[misc]
    """`total`: bytes of all downloads, where it is known before."""

    def __init__(self, link: Link, total: float = 0.0) -> None:
        super().__init__()
        self._link = link
        self._total = total
        self._labels: list[str] = []
        self._sizes: list[float] = []
        self._done: list[float] = []
        self.problems: list[str] = []
        """What went wrong with single files."""

    @guarded
    def add_new_download(self, _: Any, description: str, total_to_download: float) -> int:
        self._labels.append(description)
        self._sizes.append(total_to_download)
        self._done.append(0.0)
        return len(self._labels) - 1

    @guarded
    def progress(self, number: int, total_to_download: float, downloaded: float) -> int:
        self._sizes[number], self._done[number] = total_to_download, downloaded
        total = max(self._total, sum(self._sizes), 1.0)
        self._link.progress(min(100.0, 100 * sum(self._done) / total), self._labels[number])
        return int(DownloadCallbacks.OK)

    @guarded
    def end(self, number: int, status: Any, msg: str) -> int:
        if msg and status == DownloadCallbacks.TransferStatus_ERROR:
            problem = f"{self._labels[number]}: {' '.join(msg.split())}"
            log(problem)
            self.problems.append(problem)
        return int(DownloadCallbacks.OK)


class Following(TransactionCallbacks):  # type: ignore[misc]
    """Follows a transaction, in which rpm works with another root: `report`, which gets the failures of single packages, was
    opened before."""

    def __init__(self, transaction: Any, link: Link, report: TextIO) -> None:
        super().__init__()
        self.begun = False
        """Whether anything may have been changed."""
        self._transaction = transaction
        self._link = link
        self._report = report
        self._label = ""
        self._step, self._steps = 0, 1

    @guarded
    def before_begin(self, total: int) -> None:
        self.begun = True

    @guarded
    def elem_progress(self, item: Any, amount: int, total: int) -> None:
        self._step, self._steps = amount, total or 1
        action = transaction_item_action_to_string(item.get_action())
        self._label = f"{action}: {item.get_package().get_nevra()}"
        log(self._label)
        self._tell(0, 1)

    @guarded
    def install_progress(self, item: Any, amount: int, total: int) -> None:
        self._tell(amount, total)

    @guarded
    def uninstall_progress(self, item: Any, amount: int, total: int) -> None:
        self._tell(amount, total)

    def _tell(self, amount: int, total: int) -> None:
        share = min(1.0, amount / total) if total else 1.0
        self._link.progress(100 * min(1.0, (self._step + share) / self._steps), self._label)

    # --- failures ---

    @guarded
    def script_stop(self, item: Any, nevra: Any, kind: Any, code: int) -> None:
        """Comes after `script_error` too, which is not called where rpm holds the failure for bearable (%post)."""
        said = self._said()
        if code:
            self._fail(nevra.get_name(), f"its {_script(kind)} script failed", said)

    @guarded
    def unpack_error(self, item: Any) -> None:
        package = item.get_package()
        self._fail(package.get_name(), f"could not be unpacked: {package.get_nevra()}", [])

    def _said(self) -> list[str]:
        """What the last script wrote; goes to the log too."""
        text = str(self._transaction.get_last_script_output())
        if text:
            log(text)
        return [line.strip() for line in text.splitlines() if line.strip()]

    def _fail(self, name: str, what: str, said: list[str]) -> None:
        told = with_reason(what, said)
        log(f"{name}: {told}")
        write_failure(self._report, name, told)


_SCRIPTS = {
    TransactionCallbacks.ScriptType_PRE_INSTALL: "PREIN",
    TransactionCallbacks.ScriptType_POST_INSTALL: "POSTIN",
    TransactionCallbacks.ScriptType_PRE_UNINSTALL: "PREUN",
    TransactionCallbacks.ScriptType_POST_UNINSTALL: "POSTUN",
    TransactionCallbacks.ScriptType_PRE_TRANSACTION: "PRETRANS",
    TransactionCallbacks.ScriptType_POST_TRANSACTION: "POSTTRANS",
}
"""rpm's words, which dnf4 tells too."""


def _script(kind: Any) -> str:
    return _SCRIPTS.get(kind) or str(TransactionCallbacks.script_type_to_string(kind))
