"""Tells a person how a followed task stands: live on a terminal, one line per change elsewhere, nothing beside --json."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, tzinfo
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from pulp.client.follow import Away, Back, Event, Seen
from pulp.client.output import Output
from pulp.client.text import clean, standing
from pulp.client.views import Task

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Narrator(AbstractContextManager["Narrator"], Protocol):
    def tell(self, event: Event) -> None: ...


def narrator(out: Output, *, clock: Callable[[], datetime], zone: tzinfo) -> Narrator:
    """The one that fits where the output goes."""
    if out.json:
        return Live(out.stderr, zone) if out.stderr.isatty() else Quiet(out)
    if out.terminal:
        return Live(out.stdout, zone)
    return Lines(out, clock, zone)


class _Plain:
    """A narrator that needs no clearing up."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class Quiet(_Plain):
    """Only what a person must know about the server's absence, on stderr."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._away = False

    def tell(self, event: Event) -> None:
        if isinstance(event, Away) and not self._away:
            self._out.note(away(event))
        elif isinstance(event, Back):
            self._out.note(BACK)
        self._away = isinstance(event, Away)


class Lines(_Plain):
    """A line with the time of day whenever state, phase or the reason to wait changes."""

    def __init__(self, out: Output, clock: Callable[[], datetime], zone: tzinfo) -> None:
        self._out = out
        self._clock = clock
        self._zone = zone
        self._last: object = None
        self._absence = Quiet(out)

    def tell(self, event: Event) -> None:
        self._absence.tell(event)
        if not isinstance(event, Seen):
            return
        task = event.task.value
        if not task.final and (sight := _sight(task)) != self._last:
            self._last = sight
            now = self._clock().astimezone(self._zone)
            self._out.line(f"{now:%H:%M:%S} {standing(task, self._zone)}")


class Live:
    """A bar with state, phase, percent and message that moves in place and is gone at the end."""

    def __init__(self, stream: TextIO, zone: tzinfo) -> None:
        from rich.console import Console  # here: nothing but a terminal needs it
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.table import Column

        self._zone = zone
        words = Column(ratio=1, overflow="fold")
        self._progress: Progress = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False, table_column=words),
            console=Console(file=stream, highlight=False),
            transient=True,
            expand=True,
        )
        self._bar: TaskID = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def tell(self, event: Event) -> None:
        if isinstance(event, Away):
            self._progress.update(self._bar, description=away(event), total=None)
        elif isinstance(event, Seen):
            self._show(event.task.value)

    def _show(self, task: Task) -> None:
        where = f"{clean(task.consumer_id)}: " if task.consumer_id else ""
        percent = task.progress.percent if task.running and task.progress else None
        self._progress.update(
            self._bar,
            description=where + standing(task, self._zone),
            total=None if percent is None else 100,
            completed=percent or 0,
        )


BACK = "The server answers again."


def away(event: Away) -> str:
    return f"{event.error} The task goes on; trying again until the server answers."


def _sight(task: Task) -> tuple[object, ...]:
    """What must change for a new line."""
    phase = task.progress.phase if task.progress else ""
    reason = task.waiting_for.code if task.waiting_for else ""
    return task.state, task.phase, phase, reason, task.cancel_requested
