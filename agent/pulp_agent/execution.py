"""Core: when calls start, and what becomes of their jobs (docs/WIRE.md, rules 2, 4 and 8 to 10)."""

from __future__ import annotations

from dataclasses import dataclass

from pulp.common.times import SECOND
from pulp.rmi.interfaces import RESTART, Lane
from pulp.rmi.messages import Canceled, Failed, Final, Request, Started, TooLate
from pulp_agent.agenda import Agenda
from pulp_agent.ahead import Ahead
from pulp_agent.call import UNTOLD, Call, Phase
from pulp_agent.desk import Desk
from pulp_agent.events import (
    LATE,
    AdoptJob,
    CancelDecided,
    CancelJob,
    Failure,
    FetchEnded,
    ForgetJobs,
    JobEnded,
    JobLost,
    JobProgressed,
    Outcome,
    ReadProfile,
    StartJob,
    WakeAt,
)
from pulp_agent.finals import final_of, final_of_lost, restarted_instead, restarts
from pulp_agent.gate import Closed, Open, Wait
from pulp_agent.judging import Judge
from pulp_agent.lane import Lanes
from pulp_agent.missing import Missing
from pulp_agent.pacing import Pacer
from pulp_agent.records import Began, Lasted, Opening
from pulp_agent.restarting import Restarting

TIMEOUT_GRACE = 10 * SECOND
"""A job knows its own deadline; this much later the agent gives it up, if it has not begun to commit."""


@dataclass(slots=True)
class _Run:
    """What is known of a running job only as long as this process lives. Times are of the monotonic clock, in ms."""

    pacer: Pacer
    began: int
    deadline: int | None
    whole: bool
    cancel_asked: bool = False


class Execution:
    """Starts what may start, watches what runs. Every turn that changes anything ends in `pump`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self._judge = Judge(desk)
        self._lanes = Lanes()
        self._missing = Missing(desk, self._judge, self._lanes)
        self._agenda = Agenda()
        self._ahead = Ahead(desk)
        self.restarting = Restarting(desk)
        self._runs: dict[str, _Run] = {}
        self._wake: int | None = None

    def begin(self) -> None:
        """After the journal was read: take up what was running."""
        self._missing.since = self._ahead.since = self.desk.at.wall
        self._ahead.end_all()
        for call in self.desk.table.in_phase(Phase.RUNNING):
            self._enter(call, whole=False)
            self.desk.out.append(AdoptJob(call.id))
        self.restarting.begin()
        self.judge_anew()

    def judge_anew(self) -> None:
        """All that wait: what they were judged by has changed for all of them."""
        for call in self.desk.table.in_phase(Phase.WAITING):
            self._place(call)
        self.pump()

    def refusal(self, request: Request) -> Final | None:
        """For a request that can be read, but will not be taken."""
        outside = self._judge.refusal(request)
        if outside is not None or request.window is None:
            return outside
        return self.skew_refusal(request.id)

    def placed(self, call: Call) -> None:
        """A call that has just been taken, or has got another plan: the server is told where it stands."""
        call.told = UNTOLD
        self._place(call)
        self.pump()

    def withdraw(self, call: Call) -> None:
        self._end(call, Canceled(id=call.id))
        self.pump()

    def call_off(self) -> None:
        """Nothing that waits is started any more: its server has refused this host for good. What runs goes on to its end."""
        waiting = self.desk.table.in_phase(Phase.WAITING)
        if waiting:
            self.desk.log(
                "warning", "Refused by the server: what waits is called off", calls=len(waiting)
            )
        for call in waiting:
            self._end(call, Canceled(id=call.id))
        self.pump()

    def pump(self) -> None:
        """Look at what is due, start whose turn it is, in order of acceptance, and ask to be woken for the rest."""
        self._close_openings()
        for call_id in self._agenda.take_due(self.desk.at.wall):
            self._place(self.desk.table.open[call_id])
        self.restarting.step()
        for lane in (Lane.HOST, Lane.READ):
            self._fill(lane)
        self._ahead.pump(idle=self._lanes.busy_with is None and not self.restarting.due)
        self._set_wake()

    def _fill(self, lane: Lane) -> None:
        if lane is Lane.HOST and self.restarting.due:
            return
        while self._lanes.admits(lane) and (call_id := self._agenda.first(lane)) is not None:
            call = self.desk.table.open[call_id]
            if self._place(call):
                self._start(call)

    def _place(self, call: Call) -> bool:
        """Judge a waiting call, and put it where it belongs. Whether it may start now."""
        verdict = self._judge.verdict(call)
        while not isinstance(verdict, Wait):
            refusal = self.skew_refusal(call.id) if self._judge.timed(call) else None
            if refusal is not None:
                self._end(call, refusal)
                return False
            if isinstance(verdict, Open):
                self._ahead.drop(call.id)
                self._agenda.line_up(call, verdict.closes)
                self._tell(call, None)
                return True
            if not self._missing.carry_over(call):
                self._end(call, self._missing.final(call, verdict))
                return False
            verdict = self._judge.verdict(call)
        self._agenda.hold(call, verdict.until)
        self._ahead.expect(call, verdict.opens)
        self._tell(call, verdict.opens)
        return False

    def _tell(self, call: Call, opens: int | None) -> None:
        """The server hears of every opening that a call waits for; that it has come is told by the start."""
        call.opens = opens
        if call.told == UNTOLD or (opens is not None and opens != call.told):
            call.told = opens
            self.desk.tell(call)

    def _end(self, call: Call, final: Final) -> None:
        self._agenda.drop(call.id)
        self._ahead.drop(call.id)
        self.desk.end(final)

    def skew_refusal(self, call_id: str) -> Failed | None:
        """The answer to windowed work while this host's clock cannot be trusted: when it comes, and when it would start."""
        if not self.desk.skewed:
            return None
        seconds = abs(self.desk.offset) // SECOND
        way = "ahead of" if self.desk.offset > 0 else "behind"
        message = f"This host's clock is {seconds} s {way} the server's; set it right, then retry."
        return Failed(id=call_id, code="clock-skew", message=message)

    def _start(self, call: Call) -> None:
        at, overrode = self.desk.at.wall, self._judge.overriding(call)
        boot = self.desk.me.boot_id
        self._agenda.drop(call.id)
        if call.lane is Lane.HOST:
            self._ahead.give_way()
        self.desk.append(Began(id=call.id, at=at, overrode=overrode, boot=boot))
        self.desk.send(Started(id=call.id, at=at))
        self._enter(call)
        self._launch(call, resumed=False)

    def _enter(self, call: Call, pacer: Pacer | None = None, *, whole: bool = True) -> None:
        """A resumed call keeps its pacer, so that its percent does not fall. `whole`: this is its begin."""
        self._lanes.enter(call.id, call.lane)
        mono, deadline = self.desk.at.mono, self._deadline(call)
        self._runs[call.id] = _Run(pacer or Pacer(call.id), mono, deadline, whole)

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
                    commit_before=self._judge.commit_before(call),
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
        run, outcome = self._leave(call), event.outcome
        if self._is_late(call, outcome):
            self._late(call, canceled=run.cancel_asked)
        else:
            self._answer(call, event, run)
        self.pump()

    def _is_late(self, call: Call, outcome: Outcome) -> bool:
        """It has changed nothing, and its window does not allow it any more."""
        if isinstance(outcome, Failure):
            return outcome.code == LATE
        decided = call.path == RESTART.path and restarts(call, outcome)
        lives = call.boot in ("", self.desk.me.boot_id)
        return decided and lives and self._judge.restart_before(call) == 0

    def _ending(self, call: Call, outcome: Outcome) -> str:
        """The start of the host that ends with this answer; empty: it is not restarted, or its window does not allow it any
        more."""
        if not restarts(call, outcome):
            return ""
        now = self.desk.me.boot_id
        gone = call.boot not in ("", now)
        return (call.boot or now) if gone or self._judge.restart_before(call) != 0 else ""

    def _answer(self, call: Call, event: JobEnded, run: _Run) -> None:
        boot = self._ending(call, event.outcome)
        final = final_of(call, event, boot)
        if run.cancel_asked and not isinstance(final, Canceled):
            self.desk.send(TooLate(id=call.id, of="cancel"))
        self._note_length(call, event, run)
        if boot:
            self.restarting.decided(call, boot, self._judge.restart_before(call))
        self.desk.end(final)
        if event.outcome.changed:
            self.desk.out.append(ReadProfile())

    def _note_length(self, call: Call, event: JobEnded, run: _Run) -> None:
        """Runs that did nothing say nothing of the next one."""
        if event.outcome.changed and run.whole and call.changes_host:
            lasted = Lasted(method=call.path, ms=self.desk.at.mono - run.began)
            self.desk.append(lasted, sync=False)

    def _late(self, call: Call, *, canceled: bool) -> None:
        """It came to its point of no return too late, or died before it, and has changed nothing."""
        if canceled:
            self.desk.end(Canceled(id=call.id))
        elif self._missing.carry_over(call):
            self.desk.out.append(ForgetJobs([call.id]))
            self._place(call)
        else:
            self.desk.end(self._missing.late(call))

    def fetched(self, event: FetchEnded) -> None:
        self._ahead.ended(event)
        self.pump()

    def lost(self, event: JobLost) -> None:
        """The process died without an answer: resume the same execution, or say what is known."""
        call = self._running(event.id)
        if call is None:
            return
        run = self._leave(call)
        restarted = restarted_instead(call, event, self.desk.me.boot_id)
        final = restarted or final_of_lost(call, event, self.desk.at.wall)
        if final is not None:
            self.desk.end(final)
        elif event.decision == "late":
            self._late(call, canceled=run.cancel_asked)
        else:
            self._go_on(call, event, run.pacer)
        self.pump()

    def _go_on(self, call: Call, event: JobLost, pacer: Pacer) -> None:
        """As long as nothing was changed, going on is a start like any other: in its window, and before it expires."""
        verdict = self._judge.verdict(call)
        if event.decision == "commit" or isinstance(verdict, Open):
            self._resume(call, event, pacer)
        elif isinstance(verdict, Closed) and self._missing.carry_over(call):
            self.desk.out.append(ForgetJobs([call.id]))
            self._place(call)
        else:
            self.desk.end(self._missing.broken_off(call, verdict))

    def _resume(self, call: Call, event: JobLost, pacer: Pacer) -> None:
        attempt, boot = call.attempt + 1, self.desk.me.boot_id
        self.desk.log(
            "warning",
            "An execution died and is resumed",
            call=call.id,
            attempt=attempt,
            began=event.began,
        )
        self.desk.append(Began(id=call.id, at=self.desk.at.wall, attempt=attempt, boot=boot))
        self._enter(call, pacer, whole=False)
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
        for begin, end in sorted(self.desk.table.hours.unclosed):
            if now >= end:
                self.desk.append(Opening(begin=begin, end=end, closed=True), sync=False)

    def _set_wake(self) -> None:
        wake = min(self._wakes(), default=None)
        if wake != self._wake:
            self._wake = wake
            self.desk.out.append(WakeAt(wake))

    def _wakes(self) -> list[int]:
        at, look = self.desk.at, self._agenda.next_look()
        wakes = [] if look is None else [look]
        wakes += [end for _, end in self.desk.table.hours.unclosed]
        wakes += self._ahead.wakes()
        monos = [m for run in self._runs.values() for m in (run.deadline, run.pacer.due())]
        monos.append(self.restarting.wake())
        return wakes + [at.wall + max(0, mono - at.mono) for mono in monos if mono is not None]
