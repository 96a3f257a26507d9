"""RestClient: the server's REST API as typed methods (docs/API.md). Every answer comes as the document and as a value."""

from __future__ import annotations

from pulp.client import views
from pulp.client.calls import Body, Listing, Params, part
from pulp.client.package_views import Installation, Spread
from pulp.client.plan_rest import PlanCalls
from pulp.client.schedule_views import Schedule, SchedulePreview
from pulp.client.transport import Request, retry_after
from pulp.client.views import Answer
from pulp.client.window_rest import WindowCalls

LONG_POLL_SECONDS = 25


class RestClient(WindowCalls, PlanCalls):
    """Everything that one server can be asked. Errors are those of pulp.client.errors; use it as a context manager, or call
    close()."""

    # --- server and login ---

    def status(self) -> Answer[views.Status]:
        return self._get("/status", views.Status)

    def login(self, login: str, password: str) -> Answer[views.Login]:
        body = {"login": login, "password": password}
        return self._read(Request(method="POST", path="/login", body=body), views.Login)

    def logout(self) -> None:
        self._transport.send(Request(method="DELETE", path="/login"))

    # --- consumers ---

    def consumers(
        self, params: Params | None = None, *, limit: int | None = None
    ) -> Listing[views.Consumer]:
        return self._list("/consumers", views.Consumer, params, limit=limit)

    def consumer(self, consumer_id: str) -> Answer[views.Consumer]:
        return self._get(f"/consumers/{part(consumer_id)}", views.Consumer)

    def edit_consumer(self, consumer_id: str, changes: Body) -> Answer[views.Consumer]:
        request = Request(method="PATCH", path=f"/consumers/{part(consumer_id)}", body=changes)
        return self._read(request, views.Consumer)

    def unregister(self, consumer_id: str) -> None:
        self._transport.send(Request(method="DELETE", path=f"/consumers/{part(consumer_id)}"))

    def profile(self, consumer_id: str) -> Answer[views.Profile]:
        return self._get(f"/consumers/{part(consumer_id)}/profile", views.Profile)

    def ping(self, consumer_id: str) -> Answer[views.Ping]:
        path = f"/consumers/{part(consumer_id)}/ping"
        return self._read(Request(method="POST", path=path, repeatable=True), views.Ping)

    def history(
        self, consumer_id: str, params: Params | None = None, *, limit: int | None = None
    ) -> Listing[views.HistoryEvent]:
        path = f"/consumers/{part(consumer_id)}/history"
        return self._list(path, views.HistoryEvent, params, limit=limit)

    def history_entry(self, consumer_id: str, entry: str) -> Answer[views.HistoryEvent]:
        path = f"/consumers/{part(consumer_id)}/history/{part(entry)}"
        return self._get(path, views.HistoryEvent)

    def act(self, consumer_id: str, action: str, body: Body) -> Answer[views.Task]:
        """Ask for an action. A lost answer is asked for again under the same key, so that it makes one task only."""
        return self._make(f"/consumers/{part(consumer_id)}/actions/{action}", body, views.Task)

    # --- tasks ---

    def tasks(
        self, params: Params | None = None, *, limit: int | None = None
    ) -> Listing[views.Task]:
        return self._list("/tasks", views.Task, params, limit=limit)

    def task(self, task_id: str) -> Answer[views.Task]:
        return self._get(f"/tasks/{part(task_id)}", views.Task)

    def task_after(
        self, task_id: str, revision: int, *, wait: int = LONG_POLL_SECONDS
    ) -> tuple[Answer[views.Task], float]:
        """The task once its revision is newer, or as it is after `wait` seconds; and how many seconds the server asks to
        leave until the next question. Sent once: the caller has its own patience."""
        request = Request(
            method="GET",
            path=f"/tasks/{part(task_id)}",
            params={"wait": wait, "after": revision},
            held=wait,
        )
        response = self._transport.send(request)
        return self._decode(response, views.Task), retry_after(response) or 0.0

    def cancel(self, task_id: str) -> Answer[views.Task]:
        request = Request(method="POST", path=f"/tasks/{part(task_id)}/cancel", repeatable=True)
        return self._read(request, views.Task)

    def retry(self, task_id: str, body: Body) -> Answer[views.Task]:
        """Ask for the same once more, as a new task; as for act(), one task only."""
        return self._make(f"/tasks/{part(task_id)}/retry", body, views.Task)

    # --- schedules ---

    def schedules(self, *, limit: int | None = None) -> Listing[Schedule]:
        return self._list("/schedules", Schedule, limit=limit)

    def schedule(self, name: str) -> Answer[Schedule]:
        return self._get(f"/schedules/{part(name)}", Schedule)

    def make_schedule(self, body: Body) -> Answer[Schedule]:
        return self._make("/schedules", body, Schedule)

    def edit_schedule(self, name: str, changes: Body) -> Answer[Schedule]:
        request = Request(method="PATCH", path=f"/schedules/{part(name)}", body=changes)
        return self._read(request, Schedule)

    def delete_schedule(self, name: str) -> None:
        self._transport.send(Request(method="DELETE", path=f"/schedules/{part(name)}"))

    def preview_schedule(self, name: str, *, count: int) -> Answer[SchedulePreview]:
        path = f"/schedules/{part(name)}/preview"
        request = Request(method="GET", path=path, params={"count": count}, repeatable=True)
        return self._read(request, SchedulePreview)

    # --- packages over all hosts ---

    def installed(
        self, params: Params | None = None, *, limit: int | None = None
    ) -> Listing[Installation]:
        return self._list("/packages", Installation, params, limit=limit)

    def spread(self, name: str) -> Answer[Spread]:
        return self._get(f"/packages/{part(name)}", Spread)

    # --- registration tokens and users ---

    def tokens(self) -> Listing[views.RegistrationToken]:
        return self._list("/registration-tokens", views.RegistrationToken)

    def make_token(self, body: Body) -> Answer[views.RegistrationToken]:
        return self._make("/registration-tokens", body, views.RegistrationToken)

    def revoke_token(self, token_id: str) -> None:
        path = f"/registration-tokens/{part(token_id)}"
        self._transport.send(Request(method="DELETE", path=path))

    def users(self) -> Listing[views.User]:
        return self._list("/users", views.User)

    def make_user(self, body: Body) -> Answer[views.User]:
        return self._make("/users", body, views.User)

    def edit_user(self, login: str, changes: Body) -> Answer[views.User]:
        request = Request(method="PATCH", path=f"/users/{part(login)}", body=changes)
        return self._read(request, views.User)

    def delete_user(self, login: str) -> None:
        self._transport.send(Request(method="DELETE", path=f"/users/{part(login)}"))
