"""What the simulation found in the server, as the shortest play that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from server_world import Add, Install, World

from pulp.common.times import MINUTE
from pulp.rmi.messages import Accepted, Failed, TooLate
from pulp.server.async_.gateway import MOST_UNACCEPTED
from pulp.server.domain.task import TaskError
from pulp.server.tasking.context import Context


def test_a_backlog_goes_on_after_tasks_that_were_refused(world: World) -> None:
    """Seed 216: what filled the agent's room was never sent, so nothing would ever be accepted, and the rest stayed parked."""
    world.consumer()
    for _ in range(MOST_UNACCEPTED):
        world.enqueue(Add, "web1", "raise")
    last = world.install()
    world.step()
    world.hello()
    assert world.requests() == [last]


def test_a_backlog_goes_on_when_what_was_sent_ended_unaccepted(world: World) -> None:
    world.consumer()
    world.hello()
    for _ in range(MOST_UNACCEPTED):
        world.install(deliver_within=MINUTE)
    last = world.install()
    world.step()
    assert last not in world.requests()
    world.pass_time(2 * MINUTE)
    world.pass_time(2 * MINUTE)
    assert last in world.requests()


def test_a_class_that_raises_does_not_keep_its_host_away(tmp_path: Path) -> None:
    world = World(tmp_path, (Poisoned,))
    try:
        world.consumer()
        peer = world.hello()
        task_id = world.enqueue(Poisoned, "web1", "nginx")
        world.step()
        world.reply(peer, Accepted(id=task_id, state="ready"))
        world.inbox.detached(peer, "gone")
        world.hello(journal="another")
        assert world.task(task_id).error is not None
        assert world.events() == ["action_failed"]
    finally:
        world.close()


class Poisoned(Install):
    kind: ClassVar[str] = "test.poisoned"

    def failed(self, ctx: Context, error: TaskError) -> None:
        super().failed(ctx, error)
        raise RuntimeError("its end fails")


def test_a_too_late_after_the_end_changes_nothing(world: World) -> None:
    """Seed 22: a cancel crossed the call's end."""
    world.consumer()
    peer = world.hello()
    task_id = world.install()
    world.step()
    world.cancel(task_id)
    world.reply(peer, Failed(id=task_id, code="not-found", message="no such package"))
    ended = world.task(task_id)
    world.reply(peer, TooLate(id=task_id, of="cancel"))
    assert world.task(task_id) == ended


def test_two_hosts_words_about_one_call_are_kept_apart_within_a_batch(world: World) -> None:
    """Seed 1789: in one batch a lie took the true answer's place; the other way round it would have been believed."""
    world.consumer("web1")
    world.consumer("web2")
    peer, liar = world.hello("web1"), world.hello("web2")
    lied_first, lied_last = world.install("web1"), world.install("web1")
    world.step()
    for task_id, order in ((lied_first, (liar, peer)), (lied_last, (peer, liar))):
        for speaker in order:
            world.say(speaker, _word(task_id, true=speaker is peer))
    world.step()
    for task_id in (lied_first, lied_last):
        error = world.task(task_id).error
        assert error is not None and error.code == "not-found"


def _word(task_id: str, *, true: bool) -> Failed:
    return Failed(id=task_id, code="not-found" if true else "lie", message="as one of the two says")
