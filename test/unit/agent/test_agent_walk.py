"""Random walks through the agent's core with crashes, checked against the rules that must hold whatever happens."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest
from agent_plays import T0, Play, failure, request, success, windowed
from pulp_agent.call import Call, Phase
from pulp_agent.calls import CallTable
from pulp_agent.events import (
    Begun,
    CancelDecided,
    CancelJob,
    Disconnected,
    FinalDelivered,
    JobEnded,
    JobLost,
    JobProgressed,
    Received,
    Send,
    StartJob,
    TimeIs,
)

from pulp.common.times import HOUR, MINUTE
from pulp.rmi.interfaces import Lane
from pulp.rmi.messages import (
    FINALS,
    Accepted,
    Cancel,
    Canceled,
    Progress,
    Query,
    Replan,
    Request,
    Started,
    WireWindow,
)

STEPS = 120
IDS = "abcdefgh"


class Walk:
    """The world around a core: its server, its jobs, its clock. Jobs survive crashes of the agent."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.play = Play()
        self.online = False
        self.asked: dict[str, Request] = {}
        self.windows: dict[str, tuple[int, WireWindow | None]] = {}
        self.jobs: dict[str, str | None] = {}  # living job → what was decided about it
        self.decisions: dict[str, str] = {}
        self.first_starts: list[str] = []
        self.finals: dict[str, bytes] = {}
        self.percent: dict[str, float] = {}
        self.do(Begun())

    # --- the agent's doing ---

    def do(self, event: Any) -> None:
        self.watch(self.play.does(event))

    def watch(self, commands: list[Any]) -> None:
        decided = []
        for command in commands:
            match command:
                case StartJob():
                    self.started(command)
                case CancelJob(call_id, reason):
                    decision = self.decisions.setdefault(call_id, reason)
                    decided.append(CancelDecided(call_id, decision != "commit", reason))
                case Send(message):
                    self.heard(message)
        for answer in decided:
            self.do(answer)

    def started(self, job: StartJob) -> None:
        assert job.id not in self.jobs, "two processes of one execution"
        if not job.resumed:
            assert job.id not in self.first_starts, "executed twice"
            self.first_starts.append(job.id)
            _, window = self.windows[job.id]
            assert window is None or window.begin <= self.play.wall < window.end
        self.jobs[job.id] = None
        changing = [i for i in self.jobs if Call(i, self.asked[i]).lane is Lane.HOST]
        assert len(changing) <= 1, "two calls change the host"

    def heard(self, message: Any) -> None:
        assert self.online or type(message).__name__ == "Hello"
        if isinstance(message, FINALS):
            said = msgspec.json.encode(message)
            assert self.finals.setdefault(message.id, said) == said, "two different finals"
            if isinstance(message, Canceled):
                decided = self.decisions.get(message.id)
                assert decided == "cancel" or message.id not in self.first_starts
        elif isinstance(message, Accepted | Started):
            assert message.id not in self.finals, "news of a call that has ended"
        elif isinstance(message, Progress):
            assert message.percent >= self.percent.get(message.id, 0.0)
            self.percent[message.id] = message.percent

    # --- the world's doing ---

    def step(self) -> None:
        self.random.choice(
            [
                self.ask,
                self.ask,
                self.cancel,
                self.replan,
                self.query,
                self.passes,
                self.job,
                self.job,
                self.crash,
                self.connect,
                self.disconnect,
                self.confirm,
            ]
        )()

    def tell(self, message: Any) -> None:
        if self.online:
            self.do(Received(message, "h"))

    def ask(self) -> None:
        call_id = self.random.choice(IDS)
        if call_id not in self.asked:
            self.asked[call_id] = self.new(call_id)
            asked = self.asked[call_id]
            self.windows[call_id] = (asked.plan, asked.window)
        self.tell(self.asked[call_id])

    def new(self, call_id: str) -> Request:
        method = self.random.choice(["install", "remove", "profile"])
        changes: dict[str, Any] = {"method": method}
        if method == "profile":
            changes["args"] = msgspec.Raw(b"{}")
        if self.random.random() < 0.5:
            begin = self.play.wall - T0 + self.random.randrange(-HOUR, 3 * HOUR)
            return windowed(call_id, begin=begin, end=begin + HOUR, **changes)
        return request(call_id, **changes)

    def cancel(self) -> None:
        call_id = self.random.choice(IDS)
        if call_id in self.asked:
            self.tell(Cancel(id=call_id))

    def replan(self) -> None:
        call_id = self.random.choice(IDS)
        if call_id not in self.asked:
            return
        plan, _ = self.windows[call_id]
        begin = self.play.wall + self.random.randrange(-HOUR, HOUR)
        window = WireWindow(begin=begin, end=begin + HOUR)
        table = self.play.core.table
        held = call_id in table.open and table.open[call_id].phase is Phase.WAITING
        if self.online and held:
            self.windows[call_id] = (plan + 1, window)
        self.tell(Replan(id=call_id, plan=plan + 1, window=window, expires=begin + HOUR))

    def query(self) -> None:
        self.tell(Query(id=self.random.choice(IDS)))

    def passes(self) -> None:
        self.play.goes(self.random.randrange(1, 40 * MINUTE))
        self.do(TimeIs())

    def job(self) -> None:
        if not self.jobs:
            return
        call_id = self.random.choice(list(self.jobs))
        decision = self.decisions.get(call_id)
        if decision is None and self.random.random() < 0.4:
            self.decisions[call_id] = "commit"
        elif self.random.random() < 0.3:
            self.do(JobProgressed(call_id, "x", self.random.uniform(0, 100)))
        elif self.random.random() < 0.3:
            del self.jobs[call_id]
            self.do(JobLost(call_id, began=True, decision=decision))  # type: ignore[arg-type]
        else:
            del self.jobs[call_id]
            given_up = decision not in (None, "commit")
            code = "canceled" if decision == "cancel" else "timeout"
            outcome = failure(code) if given_up else success()
            self.do(JobEnded(call_id, outcome))

    def crash(self) -> None:
        """Of the agent alone; at times its journal has just been compacted."""
        snapshot = list(self.play.core.table.snapshot())
        assert list(CallTable(snapshot).snapshot()) == snapshot
        if self.random.random() < 0.3:
            self.play.lines = [msgspec.json.encode(record) for record in snapshot]
        self.online = False
        self.percent.clear()
        self.watch(self.play.crash())

    def connect(self) -> None:
        self.disconnect()
        self.online = True
        self.play.connects()
        self.watch(self.play.commands)

    def disconnect(self) -> None:
        self.online = False
        self.do(Disconnected())

    def confirm(self) -> None:
        done = [i for i in self.finals if i in self.play.core.table.open]
        if done and self.online:
            self.do(FinalDelivered(self.random.choice(done)))

    def settle(self) -> None:
        """Everything ends: jobs finish, deadlines pass, the server hears all."""
        self.connect()
        for asked in self.asked.values():
            self.tell(asked)
        for _ in range(20):
            for call_id in list(self.jobs):
                del self.jobs[call_id]
                self.do(JobEnded(call_id, success()))
            self.play.goes(2 * HOUR)
            self.do(TimeIs())


@pytest.mark.parametrize("seed", range(300))
def test_whatever_happens_the_rules_hold(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        walk.step()
    walk.settle()
    assert set(walk.asked) <= set(walk.finals)
    assert all(call.phase is Phase.DONE for call in walk.play.core.table.open.values())
