"""The Dispatcher: one step of everything that must not overtake one another, on one thread: replies, then changed plans, then the
queue, then the slow sweep."""

from __future__ import annotations

from pulp.server.async_.news import News
from pulp.server.async_.replies import ReplyListener
from pulp.server.async_.sweep import Sweep
from pulp.server.tasking.fifo import FIFOQueue


class Dispatcher:
    def __init__(self, replies: ReplyListener, news: News, queue: FIFOQueue, sweep: Sweep) -> None:
        self._replies = replies
        self._news = news
        self._queue = queue
        self._sweep = sweep

    def step(self, now: int) -> int:
        """One bounded step; the moment (ms UTC) of the next one, unless woken before."""
        more = self._replies.step(now)
        more = self._news.step() or more
        more = self._queue.step(now) or more
        next_sweep = self._sweep.step(now)
        return now if more else next_sweep
