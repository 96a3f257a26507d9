"""The one error of a commit that did not end where it should have: its code and a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.rmi.interfaces import Change, PackageSpec
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import Report
from pulp_agent.handlers.packages.policy import name_list, spelled

_SCRIPT = "script"


def is_of_script(error: str) -> bool:
    """Whether what went wrong with a package was a script of its own."""
    return _SCRIPT in error


def failure(
    changes: Sequence[Change], missed: Sequence[PackageSpec], report: Report
) -> HandlerError | None:
    """None when every planned change is done and every asked-for package is as wanted.

    What failed besides (a package that was broken before, say) is told with its change and fails nothing.
    """
    short = [c for c in changes if c.outcome in ("failed", "incomplete", "not-done")]
    if not short and not missed:
        return None
    wrong = [f"{c.name}: {c.error}" for c in changes if c.error]
    names = name_list([*(c.name for c in short), *map(spelled, missed)])
    if report.timed_out:
        return HandlerError("timeout", f"the call's time was over: {'; '.join(wrong) or names}")
    if report.code == "no-space" or any("No space left" in text for text in wrong):
        return HandlerError("no-space", "; ".join(wrong) or report.message)
    if any(is_of_script(c.error) for c in short):
        return HandlerError("script", "; ".join(wrong))
    if any(c.outcome == "done" for c in changes):
        return HandlerError("partial", f"not everything was done: {'; '.join(wrong) or names}")
    return HandlerError(
        report.code or "internal", report.message or f"nothing was done for {names}"
    )
