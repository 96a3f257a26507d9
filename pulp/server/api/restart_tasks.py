"""The task that restarts a host: over only once the host is back."""

from __future__ import annotations

from msgspec import Struct

from pulp.rmi.interfaces import RESTART
from pulp.rmi.restarts import RestartResult
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.tasking.context import AgentProxy, Context
from pulp.server.tasking.restarts import BACK_WITHIN, Restarting


class RestartArguments(Struct, frozen=True, kw_only=True):
    """Version 1 of what a restart is stored with; ms."""

    delay: int = 0
    if_needed: bool = False
    back_within: int = BACK_WITHIN


class RestartHost(ConsumerTask):
    kind = "system.reboot"
    method = RESTART
    arguments = RestartArguments
    args: RestartArguments

    def run(self, ctx: Context) -> None:
        _agent(ctx).system.restart(delay=self.args.delay, if_needed=self.args.if_needed)

    @property
    def may_restart(self) -> bool:
        return True

    def restarts(self, result: RestartResult) -> Restarting | None:
        if not result.rebooting:
            return None
        return Restarting(
            boot_id=result.boot_id, reasons=result.reasons, back_within=self.args.back_within
        )


def _agent(ctx: Context) -> AgentProxy:
    if ctx.agent is None:
        raise RuntimeError("a restart was run without an agent")
    return ctx.agent
