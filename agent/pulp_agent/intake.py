"""Core: what the server's messages about calls do to them (docs/WIRE.md, rules 1 to 4 and 6)."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from pulp.common.times import format_time
from pulp.rmi.checks import check_request
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.interfaces import Lane
from pulp.rmi.messages import (
    Canceled,
    Failed,
    Final,
    Rejected,
    Replan,
    Request,
    Succeeded,
    TooLate,
    Unknown,
)
from pulp_agent.call import Call, Phase
from pulp_agent.desk import Desk
from pulp_agent.execution import Execution
from pulp_agent.gate import latest_end
from pulp_agent.records import Replanned, Took


class Intake:
    """Answers requests, replans, cancels and queries. The caller accepts the delivery after what is done here."""

    def __init__(self, desk: Desk, execution: Execution) -> None:
        self._desk = desk
        self._execution = execution

    def request(self, request: Request) -> None:
        if self._desk.table.knows(request.id):
            self._repeat(request.id)
            return
        refusal = self._refusal(request)
        if refusal is not None:
            self._desk.end(refusal)
        elif self._lane(request) is Lane.NOW:
            self._answer_now(request)
        else:
            self._take(request)

    def _refusal(self, request: Request) -> Final | None:
        me, window = self._desk.me, request.window
        if request.consumer not in me.names:
            names = " or ".join(sorted(me.names))
            expected, found = f"consumer: {names}", request.consumer[:200]
            return Rejected(id=request.id, code="bad-arguments", expected=expected, found=found)
        checked = check_request(
            request,
            features=me.features,
            methods=me.methods,
            now=self._desk.server_now,
            host_zone=me.timezone,
        )
        if not isinstance(checked, Rejected):
            return self._execution.refusal(request)
        if checked.code == "expired" and window and self._desk.at.wall >= latest_end(window):
            message = f"The request came when its window had closed at {format_time(window.end)}."
            return Failed(id=request.id, code="window-missed", message=message)
        return checked

    def _lane(self, request: Request) -> Lane:
        return Call(request.id, request).lane

    def _answer_now(self, request: Request) -> None:
        """A ping: neither journaled nor kept."""
        now = self._desk.at.wall
        self._desk.send(Succeeded(id=request.id, value=Raw(b"{}"), started=now, finished=now))

    def _take(self, request: Request) -> None:
        own = msgspec.structs.replace(request, args=request.args.copy())
        self._desk.append(Took(request=own, at=self._desk.at.wall))
        self._execution.placed(self._desk.table.open[request.id])

    def replan(self, replan: Replan) -> None:
        """The newest plan wins; a call that has started is beyond plans."""
        call = self._desk.table.open.get(replan.id)
        if call is None and not self._desk.table.knows(replan.id):
            self._desk.send(Unknown(id=replan.id))
        elif call is None or call.phase is not Phase.WAITING:
            self._desk.send(TooLate(id=replan.id, of="replan"))
            self._repeat_final(replan.id)
        else:
            self._move(call, replan)

    def _move(self, call: Call, replan: Replan) -> None:
        if replan.plan > call.plan:
            self._desk.append(
                Replanned(
                    id=call.id, plan=replan.plan, window=replan.window, expires=replan.expires
                )
            )
            self._execution.placed(call)
        else:
            self._desk.tell(call)

    def cancel(self, call_id: str) -> None:
        """Beats any plan. One that overtakes its request leaves the answer for it."""
        call = self._desk.table.open.get(call_id)
        if call is None and not self._desk.table.knows(call_id):
            self._desk.end(Canceled(id=call_id))
        elif call is not None and call.phase is Phase.WAITING:
            self._execution.withdraw(call)
        elif call is not None and call.phase is Phase.RUNNING:
            self._execution.cancel(call)
        else:
            self._too_late_to_cancel(call_id)

    def _too_late_to_cancel(self, call_id: str) -> None:
        if not isinstance(self._final(call_id), Canceled):
            self._desk.send(TooLate(id=call_id, of="cancel"))
        self._repeat_final(call_id)

    def query(self, call_id: str) -> None:
        if self._desk.table.knows(call_id):
            self._repeat(call_id)
        else:
            self._desk.send(Unknown(id=call_id))

    def unreadable(self, error: RemoteCallError) -> None:
        """Refuse what is about no known call; a known call's own final must stay the only one."""
        extra = {"call": error.call_id, "reason": error.reason, "error": str(error)}
        self._desk.log("warning", "A message of the server could not be read", **extra)
        if error.call_id is None:
            return
        if self._desk.table.knows(error.call_id):
            self._repeat_final(error.call_id)
        else:
            self._desk.end(
                Rejected(
                    id=error.call_id,
                    code=error.reason,
                    expected=error.expected,
                    found=error.found,
                )
            )

    def _repeat(self, call_id: str) -> None:
        """Answer with what is stored."""
        call = self._desk.table.open.get(call_id)
        if call is not None and call.phase is not Phase.DONE:
            self._desk.tell(call)
        else:
            self._repeat_final(call_id)

    def _repeat_final(self, call_id: str) -> None:
        final = self._final(call_id)
        if final is not None:
            self._desk.send(final)

    def _final(self, call_id: str) -> Final | None:
        """The stored answer; for a tombstone whose answer is not kept any more, a true one in its place."""
        table = self._desk.table
        if call := table.open.get(call_id):
            return call.final
        if final := table.recent(call_id):
            return final
        if table.tombstones[call_id].canceled:
            return Canceled(id=call_id)
        message = "This call was carried out and confirmed before; its answer is not kept any more."
        return Failed(id=call_id, code="already-answered", message=message)
