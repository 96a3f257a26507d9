"""How the server's REST API is called: each answer as the document and as a value, lists page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar
from urllib.parse import quote

import msgspec

from pulp.client import views
from pulp.client.errors import BadAnswer, BadUsage
from pulp.client.transport import ANSWER_SECONDS, Pause, Request, Transport
from pulp.client.views import Answer
from pulp.common.ids import new_id

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")
Params = Mapping[str, str | int | list[str] | None]
Body = Mapping[str, Any]

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


class Calls:
    """One server and one login. Errors are those of pulp.client.errors; use it as a context manager, or call close()."""

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


def part(name: str) -> str:
    """A name as one segment of a path."""
    if not name.strip(". "):
        raise BadUsage(f"{name!r} is no id")
    return quote(name, safe="")
