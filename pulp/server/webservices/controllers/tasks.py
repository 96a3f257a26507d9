"""Tasks: list, show, wait for news of one, cancel, retry."""

# ruff: noqa: N802 (web.py calls methods by these names)

from __future__ import annotations

from http import HTTPStatus

import msgspec
from msgspec import UNSET

from pulp.server.api.types import EmptyBody, ListView, RetryBody, TaskView
from pulp.server.db.base import TaskFilter
from pulp.server.domain.task import FINAL_STATES, TaskState
from pulp.server.domain.user import Role
from pulp.server.webservices.answers import Answer
from pulp.server.webservices.queries import TaskQuery, TasksQuery
from pulp.server.webservices.routes import BASE, Call, Controller, route
from pulp.server.webservices.serving.polling import Poll, poll_of

_FINAL = frozenset(state.value for state in FINAL_STATES)
_RETRY_AFTER = 2  # seconds


class Tasks(Controller):
    path = f"{BASE}/tasks"

    @route(
        "GET",
        "List the tasks, newest first",
        role=Role.VIEWER,
        query=TasksQuery,
        answer=ListView[TaskView],
    )
    def GET(self, call: Call) -> ListView[TaskView]:
        query: TasksQuery = call.query
        where = TaskFilter(
            states=frozenset(map(TaskState, query.state)),
            consumer_id=query.consumer,
            job_id=query.job,
            kind=query.kind,
        )
        return self.api.tasks.list(call.who, where, after=query.after, limit=query.limit)


class Task(Controller):
    path = f"{BASE}/tasks/{{id}}"

    @route(
        "GET",
        "Show a task, or wait for news of it",
        role=Role.VIEWER,
        query=TaskQuery,
        answer=TaskView,
    )
    def GET(self, call: Call, task_id: str) -> TaskView | Answer:
        query: TaskQuery = call.query
        poll = poll_of(call.environ)
        if not query.wait or (poll is not None and poll.resumed):
            return self.api.tasks.show(call.who, task_id)
        if poll is None or not poll.watch(task_id):
            return _at_once(self.api.tasks.show(call.who, task_id))
        try:
            return self._unless_newer(call, task_id, poll)
        except BaseException:
            poll.drop()
            raise

    def _unless_newer(self, call: Call, task_id: str, poll: Poll) -> TaskView:
        """The task as it is; where that is no news the request waits, and this answer is dropped."""
        query: TaskQuery = call.query
        task = self.api.tasks.show(call.who, task_id)
        after = task.revision if query.after is UNSET else query.after
        if task.revision > after or task.state in _FINAL:
            poll.drop()
        else:
            poll.wait(after=after, seconds=query.wait)
        return task


def _at_once(task: TaskView) -> Answer:
    """Too many wait already: the task as it is, and when to ask again."""
    return Answer(200, msgspec.json.encode(task), {"Retry-After": str(_RETRY_AFTER)})


class TaskCancel(Controller):
    path = f"{BASE}/tasks/{{id}}/cancel"

    @route(
        "POST",
        "Call a task off",
        role=Role.OPERATOR,
        body=EmptyBody,
        answer=TaskView,
        status=HTTPStatus.ACCEPTED,
        location=lambda task: f"{BASE}/tasks/{task.id}",
        problems=(HTTPStatus.CONFLICT,),
    )
    def POST(self, call: Call, task_id: str) -> TaskView:
        return self.api.tasks.cancel(call.who, task_id)


class TaskRetry(Controller):
    path = f"{BASE}/tasks/{{id}}/retry"

    @route(
        "POST",
        "Ask for the same once more, as a new task",
        role=Role.OPERATOR,
        body=RetryBody,
        answer=TaskView,
        status=HTTPStatus.ACCEPTED,
        once=True,
        location=lambda task: f"{BASE}/tasks/{task.id}",
        problems=(HTTPStatus.CONFLICT,),
    )
    def POST(self, call: Call, task_id: str) -> TaskView:
        return self.api.tasks.retry(call.who, task_id, call.body, key=call.key)
