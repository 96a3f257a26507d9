"""RestClient: the server's REST API as typed methods (docs/API.md). Every answer comes as the document and as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from urllib.parse import quote

import msgspec

from pulp.client import views
from pulp.client.errors import BadAnswer, BadUsage
from pulp.client.package_views import Installation, Spread
from pulp.client.schedule_views import Schedule, SchedulePreview
from pulp.client.transport import ANSWER_SECONDS, Pause, Request, Transport, retry_after
from pulp.client.views import Answer
from pulp.common.ids import new_id

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Params = Mapping[str, str | int | None]
Body = Mapping[str, Any]

LONG_POLL_SECONDS = 25
_LONGEST_PAGE = 1000

Fetch = Callable[[int | None, str | None], tuple[list[Answer[T]], str | None]]
"""(how many at most, the page before's `next`) → one page's items and its `next`."""


class Listing(Generic[T]):
    """All items over all pages, at most `limit`; a page is asked for when its first item is wanted.

    `more`: once it has been gone through, whether there are others beyond the limit.
    """

    def __init__(self, fetch: Fetch[T], limit: int | None) -> None:
        self._fetch = fetch
        self._limit = limit
        self.more = False

    def __iter__(self) -> Iterator[Answer[T]]:
        left, after = self._limit, None
        while left is None or left > 0:
            items, after = self._fetch(None if left is None else min(left, _LONGEST_PAGE), after)
            yield from items
            if after is None:
                return
            left = None if left is None else left - len(items)
        self.more = True


class RestClient:
    """One server. Errors are those of pulp.client.errors; use it as a context manager, or call close()."""

    def __init__(
        self,
        url: str,
        *,
        token: str = "",
        ca: str = "",
        pause: Pause,
        carrier: httpx.BaseTransport | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`ca`: PEM to trust in place of the system's CAs. `carrier` takes the network's place (httpx.MockTransport in
        tests). `seconds`: the patience for an answer."""
        self.url = url
        self._transport = Transport(
            url, ca=ca, token=token, pause=pause, carrier=carrier, seconds=seconds
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

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
        return self._get(f"/consumers/{_part(consumer_id)}", views.Consumer)

    def edit_consumer(self, consumer_id: str, changes: Body) -> Answer[views.Consumer]:
        request = Request(method="PATCH", path=f"/consumers/{_part(consumer_id)}", body=changes)
        return self._read(request, views.Consumer)

    def unregister(self, consumer_id: str) -> None:
        self._transport.send(Request(method="DELETE", path=f"/consumers/{_part(consumer_id)}"))

    def profile(self, consumer_id: str) -> Answer[views.Profile]:
        return self._get(f"/consumers/{_part(consumer_id)}/profile", views.Profile)

    def ping(self, consumer_id: str) -> Answer[views.Ping]:
        path = f"/consumers/{_part(consumer_id)}/ping"
        return self._read(Request(method="POST", path=path, repeatable=True), views.Ping)

    def history(
        self, consumer_id: str, params: Params | None = None, *, limit: int | None = None
    ) -> Listing[views.HistoryEvent]:
        path = f"/consumers/{_part(consumer_id)}/history"
        return self._list(path, views.HistoryEvent, params, limit=limit)

    def act(self, consumer_id: str, action: str, body: Body) -> Answer[views.Task]:
        """Ask for an action. A lost answer is asked for again under the same key, so that it makes one task only."""
        return self._make(f"/consumers/{_part(consumer_id)}/actions/{action}", body, views.Task)

    # --- tasks ---

    def tasks(
        self, params: Params | None = None, *, limit: int | None = None
    ) -> Listing[views.Task]:
        return self._list("/tasks", views.Task, params, limit=limit)

    def task(self, task_id: str) -> Answer[views.Task]:
        return self._get(f"/tasks/{_part(task_id)}", views.Task)

    def task_after(
        self, task_id: str, revision: int, *, wait: int = LONG_POLL_SECONDS
    ) -> tuple[Answer[views.Task], float]:
        """The task once its revision is newer, or as it is after `wait` seconds; and how many seconds the server asks to
        leave until the next question. Sent once: the caller has its own patience."""
        request = Request(
            method="GET",
            path=f"/tasks/{_part(task_id)}",
            params={"wait": wait, "after": revision},
            held=wait,
        )
        response = self._transport.send(request)
        return self._decode(response, views.Task), retry_after(response) or 0.0

    def cancel(self, task_id: str) -> Answer[views.Task]:
        request = Request(method="POST", path=f"/tasks/{_part(task_id)}/cancel", repeatable=True)
        return self._read(request, views.Task)

    def retry(self, task_id: str, body: Body) -> Answer[views.Task]:
        """Ask for the same once more, as a new task; as for act(), one task only."""
        return self._make(f"/tasks/{_part(task_id)}/retry", body, views.Task)

    # --- schedules ---

    def schedules(self, *, limit: int | None = None) -> Listing[Schedule]:
        return self._list("/schedules", Schedule, limit=limit)

    def schedule(self, name: str) -> Answer[Schedule]:
        return self._get(f"/schedules/{_part(name)}", Schedule)

    def make_schedule(self, body: Body) -> Answer[Schedule]:
        return self._make("/schedules", body, Schedule)

    def edit_schedule(self, name: str, changes: Body) -> Answer[Schedule]:
        request = Request(method="PATCH", path=f"/schedules/{_part(name)}", body=changes)
        return self._read(request, Schedule)

    def delete_schedule(self, name: str) -> None:
        self._transport.send(Request(method="DELETE", path=f"/schedules/{_part(name)}"))

    def preview_schedule(self, name: str, *, count: int) -> Answer[SchedulePreview]:
        path = f"/schedules/{_part(name)}/preview"
        request = Request(method="GET", path=path, params={"count": count}, repeatable=True)
        return self._read(request, SchedulePreview)

    # --- packages over all hosts ---

    def installed(
        self, params: Params | None = None, *, limit: int | None = None
    ) -> Listing[Installation]:
        return self._list("/packages", Installation, params, limit=limit)

    def spread(self, name: str) -> Answer[Spread]:
        return self._get(f"/packages/{_part(name)}", Spread)

    # --- registration tokens and users ---

    def tokens(self) -> Listing[views.RegistrationToken]:
        return self._list("/registration-tokens", views.RegistrationToken)

    def make_token(self, body: Body) -> Answer[views.RegistrationToken]:
        return self._make("/registration-tokens", body, views.RegistrationToken)

    def revoke_token(self, token_id: str) -> None:
        path = f"/registration-tokens/{_part(token_id)}"
        self._transport.send(Request(method="DELETE", path=path))

    def users(self) -> Listing[views.User]:
        return self._list("/users", views.User)

    def make_user(self, body: Body) -> Answer[views.User]:
        return self._make("/users", body, views.User)

    def edit_user(self, login: str, changes: Body) -> Answer[views.User]:
        request = Request(method="PATCH", path=f"/users/{_part(login)}", body=changes)
        return self._read(request, views.User)

    def delete_user(self, login: str) -> None:
        self._transport.send(Request(method="DELETE", path=f"/users/{_part(login)}"))

    # --- how ---

    def _get(self, path: str, type_: type[T]) -> Answer[T]:
        return self._read(Request(method="GET", path=path, repeatable=True), type_)

    def _make(self, path: str, body: Body | None, type_: type[T]) -> Answer[T]:
        request = Request(method="POST", path=path, body=body, key=new_id(), repeatable=True)
        return self._read(request, type_)

    def _list(
        self, path: str, type_: type[T], params: Params | None = None, *, limit: int | None = None
    ) -> Listing[T]:
        given = {k: v for k, v in (params or {}).items() if v is not None}

        def fetch(size: int | None, after: str | None) -> tuple[list[Answer[T]], str | None]:
            asked = given | {k: v for k, v in (("limit", size), ("after", after)) if v is not None}
            request = Request(method="GET", path=path, params=asked, repeatable=True)
            page = self._read(request, views.Page).value
            return [self._typed(bytes(raw), type_) for raw in page.items], page.next

        return Listing(fetch, limit)

    def _read(self, request: Request, type_: type[T]) -> Answer[T]:
        return self._decode(self._transport.send(request), type_)

    def _decode(self, response: httpx.Response, type_: type[T]) -> Answer[T]:
        return self._typed(response.content, type_)

    def _typed(self, raw: bytes, type_: type[T]) -> Answer[T]:
        try:
            return Answer(raw, msgspec.json.decode(raw, type=type_))
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise BadAnswer(
                f"{self.url} answered something else than a Pulp server does ({error})."
            ) from error


def _part(name: str) -> str:
    """A name as one segment of a path."""
    if not name.strip(". "):
        raise BadUsage(f"{name!r} is no id")
    return quote(name, safe="")
