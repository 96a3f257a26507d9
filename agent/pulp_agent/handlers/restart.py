"""Decides whether the host is to be restarted. The agent does it, once this decision has been delivered (`restarting`)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from pulp.rmi.restarts import RestartArgs, RestartResult
from pulp_agent.handlers.base import HandlerError, Job
from pulp_agent.handlers.packages import Settings, reboot_reasons

_LOOK = 0.5
"""Seconds between two looks whether it has been canceled."""


def restart(settings: Settings, args: RestartArgs, job: Job) -> RestartResult:
    """Waits for the delay, and can be canceled until then."""
    reasons = _reasons(settings, args)
    if args.if_needed and not reasons:
        return RestartResult(needed=False)
    _wait(args.delay / 1000, job)
    if not job.begin_commit():
        raise HandlerError("canceled", "canceled before the restart was decided")
    return RestartResult(needed=bool(reasons), reasons=reasons, rebooting=True)


def _reasons(settings: Settings, args: RestartArgs) -> list[str]:
    """A host whose package system is ill may still be restarted, if that was asked for without a condition."""
    try:
        return reboot_reasons(settings)
    except HandlerError:
        if args.if_needed:
            raise
        return []


def _wait(delay: float, job: Job) -> None:
    """HandlerError `canceled` or `timeout`."""
    end = job.remaining() - delay
    with _mortal():
        while (left := job.remaining() - end) > 0:
            if job.canceled():
                raise HandlerError("canceled", "canceled before the restart was decided")
            if job.remaining() <= 0:
                raise HandlerError("timeout", "The delay is longer than the call may take.")
            job.progress("wait", 0, f"the host restarts in {left:.0f} s")
            Event().wait(min(left, _LOOK))


@contextmanager
def _mortal() -> Iterator[None]:
    """While it only waits it ends at once with the host, should somebody else restart that: it would hold that up."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
