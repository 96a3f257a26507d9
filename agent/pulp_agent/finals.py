"""The one final answer that an execution comes to."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import REBOOT, RESTART, Lane, PackagesResult
from pulp.rmi.messages import Canceled, Failed, Final, Succeeded
from pulp.rmi.restarts import RestartArgs, RestartResult
from pulp.rmi.versions import newest
from pulp_agent.call import Call
from pulp_agent.events import Failure, JobEnded, JobLost, Outcome

RESUMPTIONS = 3
NEVER_RESUMED = frozenset({REBOOT.path})


class _Restart(msgspec.Struct):
    rebooting: bool = False


def restarts(call: Call, outcome: Outcome) -> bool:
    """Whether the host is to be restarted once this answer is delivered."""
    if isinstance(outcome, Failure) or call.lane is not Lane.HOST:
        return False
    return restarts_by(outcome.value)


def restarts_by(value: Raw) -> bool:
    try:
        return msgspec.json.decode(value, type=_Restart).rebooting
    except msgspec.MsgspecError:  # null, or no object
        return False


def restarted_instead(call: Call, event: JobLost, boot: str) -> Succeeded | None:
    """The answer of a restart whose execution ended with the host: somebody has done it. One that was not decided and has a
    condition is judged anew."""
    if call.path != RESTART.path or call.request is None or call.boot in ("", boot):
        return None
    args = msgspec.json.decode(call.request.args, type=RestartArgs)
    if event.decision != "commit" and (event.decision is not None or args.if_needed):
        return None
    value = RestartResult(needed=False, rebooting=True, boot_id=call.boot)
    started = call.started or 0
    return Succeeded(
        id=call.id, value=Raw(msgspec.json.encode(value)), started=started, finished=started
    )


def final_of(call: Call, event: JobEnded, boot: str = "") -> Final:
    """`boot`: that of the host which is restarted for it; empty where it is not."""
    outcome, started = event.outcome, call.started or event.outcome.finished
    if not isinstance(outcome, Failure):
        value = _noted(call, outcome.value, outcome.finished, boot)
        return Succeeded(id=call.id, value=value, started=started, finished=outcome.finished)
    if outcome.code == "canceled":
        return Canceled(id=call.id)
    return Failed(
        id=call.id,
        code=outcome.code,
        message=outcome.message,
        details=_noted(call, outcome.details, outcome.finished),
        started=started,
        finished=outcome.finished,
    )


def _noted(call: Call, value: Raw, finished: int, boot: str = "") -> Raw:
    """What a handler cannot know of its result: how far it ran past its window, whether it overrode the host's own, and which
    boot ends with it."""
    overrun = max(0, finished - call.window.end) if call.window else 0
    notes: dict[str, Any] = {"boot_id": boot}
    if not boot and restarts_by(value):
        notes |= {"restart_late": True}
    if _of_packages(call):
        notes |= {"overrun": overrun, "override_used": call.overrode}
    if not any(notes.values()):
        return value
    data: Any = msgspec.json.decode(value)
    if not isinstance(data, dict):
        return value
    if "restart_late" in notes:
        del data["rebooting"]
    return Raw(msgspec.json.encode(data | {k: v for k, v in notes.items() if v}))


def _of_packages(call: Call) -> bool:
    if call.request is None:
        return False
    try:
        return newest(call.path, call.request.version).result is PackagesResult
    except Unsupported:
        return False


def final_of_lost(call: Call, event: JobLost, now: int) -> Final | None:
    """The answer for an execution that died, None where it is to be resumed, or is late."""
    if event.decision == "cancel":
        return Canceled(id=call.id)
    if event.decision == "timeout":
        code, message = "timeout", "It ran out of time and was stopped before it changed anything."
    elif event.decision == "late":
        return None
    elif call.request is None or call.path in NEVER_RESUMED:
        code, message = "interrupted", "Its process died, and it cannot be resumed."
    elif call.attempt >= RESUMPTIONS:
        code, message = "interrupted", f"Its process died {RESUMPTIONS + 1} times; it was given up."
    else:
        return None
    return Failed(id=call.id, code=code, message=message, started=call.started, finished=now)
