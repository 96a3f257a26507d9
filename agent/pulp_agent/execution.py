"""Core: when calls start, and what becomes of their jobs (docs/WIRE.md, rules 2, 4 and 8)."""

from __future__ import annotations

from dataclasses import dataclass, field

from pulp.common.times import SECOND
from pulp.rmi.interfaces import REBOOT
from pulp.rmi.messages import Canceled, Failed, Final, Started, Succeeded, TooLate
from pulp_agent.calls import Call, Phase
from pulp_agent.desk import Desk
from pulp_agent.events import (
    AdoptJob,
    CancelDecided,
    CancelJob,
    Failure,
    JobEnded,
    JobLost,
    JobProgressed,
    ReadProfile,
    StartJob,
    WakeAt,
)
from pulp_agent.gate import Closed, Open, Wait, judge
from pulp_agent.lane import Lanes
from pulp_agent.pacing import Pacer
from pulp_agent.records import Began, Opening

RESUMPTIONS = 3
TIMEOUT_GRACE = 10 * SECOND
"""A job knows its own deadline; this much later the agent gives it up, if it has not begun to commit."""
NEVER_RESUMED = frozenset({REBOOT.path})


@dataclass(slots=True)
class _Run:
    """What is known of a running job only as long as this process lives."""

    pacer: Pacer
    deadline: int | None
    cancel_asked: bool = False


@dataclass(slots=True)
class Execution:
    """Starts what may start, watches what runs. Every turn that changes anything ends in `pump`."""

    desk: Desk
    _lanes: Lanes = field(default_factory=Lanes)
    _runs: dict[str, _Run] = field(default_factory=dict)
    _wake: int | None = None

    def begin(self) -> None:
        """After the journal was read: take up what was running."""
        for call in self.desk.table.in_phase(Phase.RUNNING):
            self._enter(call)
            self.desk.out.append(AdoptJob(call.id))
        self.pump()

    def pump(self) -> None:
        """Start and end what is due, in order of acceptance, and ask to be woken for the rest."""
        self._close_openings()
        for call in self.desk.table.in_phase(Phase.WAITING):
            self._consider(call)
        self._set_wake()

    def _consider(self, call: Call) -> None:
        verdict = self._judge(call)
        if isinstance(verdict, Wait):
            return
        refusal = self.skew_refusal(call.id) if call.window else None
        if refusal is not None:
            self.desk.end(refusal)
        elif isinstance(verdict, Closed):
            self._fail(call, verdict.code, verdict.message)
        elif self._lanes.admits(call.lane):
            self._start(call)

    def _judge(self, call: Call) -> Wait | Open | Closed:
        spent = self.desk.table.spent(call.window)
        now = self.desk.at.wall
        return judge(window=call.window, expires=call.expires, now=now, spent=spent)

    def skew_refusal(self, call_id: str) -> Failed | None:
        """The answer to windowed work while this host's clock cannot be trusted: when it comes, and when it would start."""
        if not self.desk.skewed:
            return None
        seconds = abs(self.desk.offset) // SECOND
        way = "ahead of" if self.desk.offset > 0 else "behind"
        message = f"This host's clock is {seconds} s {way} the server's; set it right, then retry."
        return Failed(id=call_id, code="clock-skew", message=message)

    def _fail(self, call: Call, code: str, message: str) -> None:
        self.desk.end(Failed(id=call.id, code=code, message=message))

    def _start(self, call: Call) -> None:
        self.desk.append(Began(id=call.id, at=self.desk.at.wall))
        self.desk.send(Started(id=call.id, at=self.desk.at.wall))
        self._enter(call)
        self._launch(call, resumed=False)

    def _enter(self, call: Call, pacer: Pacer | None = None) -> None:
        """A resumed call keeps its pacer, so that its percent does not fall."""
        self._lanes.enter(call.id, call.lane)
        self._runs[call.id] = _Run(pacer or Pacer(call.id), self._deadline(call))

    def _deadline(self, call: Call) -> int | None:
        """Counted from here: a resumed execution gets its whole time again, for it has to repair first."""
        if call.request is None:
            return None
        return self.desk.at.mono + call.request.timeout + TIMEOUT_GRACE

    def _launch(self, call: Call, *, resumed: bool) -> None:
        request = call.request
        if request is not None:
            self.desk.out.append(
                StartJob(
                    id=call.id,
                    method=call.path,
                    version=request.version,
                    args=bytes(request.args),
                    timeout=request.timeout,
                    resumed=resumed,
                )
            )

    def progressed(self, event: JobProgressed) -> None:
        if run := self._runs.get(event.id):
            run.pacer.note(event.phase, event.percent, event.message)
            self._send_progress(event.id, run)
            self._set_wake()

    def _send_progress(self, call_id: str, run: _Run) -> None:
        at, call = self.desk.at, self.desk.table.open[call_id]
        seq = max(0, at.wall - (call.started or at.wall))
        progress = run.pacer.take(mono=at.mono, every=self.desk.progress_every, seq=seq)
        if progress is not None:
            self.desk.send(progress, presettled=True)

    def ended(self, event: JobEnded) -> None:
        call = self._running(event.id)
        if call is None:
            return
        run, final = self._leave(call), _final(call, event)
        if run.cancel_asked and not isinstance(final, Canceled):
            self.desk.send(TooLate(id=call.id, of="cancel"))
        self.desk.end(final)
        if event.outcome.changed:
            self.desk.out.append(ReadProfile())
        self.pump()

    def lost(self, event: JobLost) -> None:
        """The process died without an answer: resume the same execution, or say what is known."""
        call = self._running(event.id)
        if call is None:
            return
        run = self._leave(call)
        final = _final_of_lost(call, event, self.desk.at.wall) or self._not_now(call, event)
        if final is not None:
            self.desk.end(final)
        else:
            self._resume(call, event, run.pacer)
        self.pump()

    def _not_now(self, call: Call, event: JobLost) -> Final | None:
        """As long as nothing was changed, going on is a start like any other: in its window, and before it expires."""
        verdict = self._judge(call)
        if event.decision == "commit" or isinstance(verdict, Open):
            return None
        code, message = "interrupted", "Its process died, and its window is not open now."
        if isinstance(verdict, Closed):
            code, message = verdict.code, verdict.message
        now = self.desk.at.wall
        return Failed(id=call.id, code=code, message=message, started=call.started, finished=now)

    def _resume(self, call: Call, event: JobLost, pacer: Pacer) -> None:
        attempt = call.attempt + 1
        self.desk.log(
            "warning",
            "An execution died and is resumed",
            call=call.id,
            attempt=attempt,
            began=event.began,
        )
        self.desk.append(Began(id=call.id, at=self.desk.at.wall, attempt=attempt))
        self._enter(call, pacer)
        self._launch(call, resumed=True)

    def _running(self, call_id: str) -> Call | None:
        """None for a job that is none of ours or has been answered for before."""
        call = self.desk.table.open.get(call_id)
        return call if call and call.phase is Phase.RUNNING else None

    def _leave(self, call: Call) -> _Run:
        self._lanes.leave(call.id)
        return self._runs.pop(call.id)

    def cancel(self, call: Call) -> None:
        """Whether it still counts is decided between the job and the executor; `decided` brings the answer."""
        self._runs[call.id].cancel_asked = True
        self.desk.out.append(CancelJob(call.id, "cancel"))

    def decided(self, event: CancelDecided) -> None:
        run = self._runs.get(event.id)
        if run and event.reason == "cancel" and not event.won:
            run.cancel_asked = False
            self.desk.send(TooLate(id=event.id, of="cancel"))

    def time_is(self) -> None:
        """The wake-up that was asked for, or a step of the clock: either way the next one is asked for anew."""
        self._wake = None
        for call_id, run in self._runs.items():
            self._send_progress(call_id, run)
            if run.deadline is not None and self.desk.at.mono >= run.deadline:
                run.deadline = None
                self.desk.out.append(CancelJob(call_id, "timeout"))
        self.pump()

    def _close_openings(self) -> None:
        now = self.desk.at.wall
        for (begin, end), closed in list(self.desk.table.openings.items()):
            if not closed and now >= end:
                self.desk.append(Opening(begin=begin, end=end, closed=True), sync=False)

    def _set_wake(self) -> None:
        wake = min(self._wakes(), default=None)
        if wake != self._wake:
            self._wake = wake
            self.desk.out.append(WakeAt(wake))

    def _wakes(self) -> list[int]:
        at, table = self.desk.at, self.desk.table
        verdicts = map(self._judge, table.in_phase(Phase.WAITING))
        wakes = [_boundary(v) for v in verdicts if not isinstance(v, Closed)]
        wakes += [end for (_, end), closed in table.openings.items() if not closed]
        monos = [m for run in self._runs.values() for m in (run.deadline, run.pacer.due())]
        return wakes + [at.wall + max(0, mono - at.mono) for mono in monos if mono is not None]


def _boundary(verdict: Wait | Open) -> int:
    return verdict.until if isinstance(verdict, Wait) else verdict.closes


def _final(call: Call, event: JobEnded) -> Final:
    outcome, started = event.outcome, call.started or event.outcome.finished
    if not isinstance(outcome, Failure):
        return Succeeded(
            id=call.id, value=outcome.value, started=started, finished=outcome.finished
        )
    if outcome.code == "canceled":
        return Canceled(id=call.id)
    return Failed(
        id=call.id,
        code=outcome.code,
        message=outcome.message,
        details=outcome.details,
        started=started,
        finished=outcome.finished,
    )


def _final_of_lost(call: Call, event: JobLost, now: int) -> Final | None:
    """The answer for an execution that died, None where it is to be resumed."""
    if event.decision == "cancel":
        return Canceled(id=call.id)
    if event.decision == "timeout":
        code, message = "timeout", "It ran out of time and was stopped before it changed anything."
    elif call.request is None or call.path in NEVER_RESUMED:
        code, message = "interrupted", "Its process died, and it cannot be resumed."
    elif call.attempt >= RESUMPTIONS:
        code, message = "interrupted", f"Its process died {RESUMPTIONS + 1} times; it was given up."
    else:
        return None
    return Failed(id=call.id, code=code, message=message, started=call.started, finished=now)
