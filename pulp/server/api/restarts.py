"""Restarts: what can be asked of a host beside its packages."""

from __future__ import annotations

from pulp.common.times import DAY, MINUTE, format_duration, parse_duration
from pulp.server.api.access import require
from pulp.server.api.actions import Actions
from pulp.server.api.faults import Faults
from pulp.server.api.restart_tasks import RestartArguments, RestartHost
from pulp.server.api.types import ActionBody, Duration, TaskView
from pulp.server.domain.user import Principal, Role

SHORTEST_BACK = MINUTE
LONGEST_BACK = DAY


class RebootBody(ActionBody, frozen=True, kw_only=True):
    """`if_needed`: only where the package system says that something takes effect with a restart only. `delay`: how long the
    agent waits first; until then it can be canceled. `back_within`: after that the host counts as not come back."""

    if_needed: bool = False
    delay: Duration | None = None
    back_within: Duration = "30m"


class Restarts:
    """Actions.start() says what is refused; `key` is the request's Idempotency-Key."""

    def __init__(self, actions: Actions) -> None:
        self._actions = actions

    def reboot(
        self, who: Principal, consumer_id: str, body: RebootBody, *, key: str | None = None
    ) -> TaskView:
        require(who, Role.OPERATOR)
        faults = Faults()
        args = _arguments(body, faults)
        return self._actions.start(
            who, consumer_id, RestartHost, body, args, key=key, faults=faults
        )


def _arguments(body: RebootBody, faults: Faults) -> RestartArguments:
    """What is bad goes into `faults`; the answer is only good when nothing did."""
    delay = _ms("delay", body.delay, faults) if body.delay else 0
    if delay >= (_ms("timeout", body.timeout, Faults()) or delay + 1):
        faults.add(
            "delay", f"is {body.delay}: it must be shorter than timeout, which is {body.timeout}"
        )
    back = _ms("back_within", body.back_within, faults)
    if back and not SHORTEST_BACK <= back <= LONGEST_BACK:
        least, most = format_duration(SHORTEST_BACK), format_duration(LONGEST_BACK)
        faults.add("back_within", f"is {body.back_within}: it must be from {least} to {most}")
    return RestartArguments(delay=delay, if_needed=body.if_needed, back_within=back)


def _ms(field: str, text: str, faults: Faults) -> int:
    try:
        return parse_duration(text)
    except ValueError as error:
        faults.add(field, str(error))
        return 0
