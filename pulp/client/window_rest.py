"""Windows and freezes of the REST API as typed methods."""

from __future__ import annotations

from collections.abc import Sequence

from pulp.client import views
from pulp.client.calls import Body, Calls, Listing, part
from pulp.client.transport import Request
from pulp.client.views import Answer
from pulp.client.window_views import HostPreview, NamedWindow


class WindowCalls(Calls):
    """A freeze is a window of the role `freeze`."""

    def windows(self, *, role: str | None = None, limit: int | None = None) -> Listing[NamedWindow]:
        return self._list("/windows", NamedWindow, {"role": role}, limit=limit)

    def window(self, name: str) -> Answer[NamedWindow]:
        return self._get(f"/windows/{part(name)}", NamedWindow)

    def make_window(self, body: Body) -> Answer[NamedWindow]:
        return self._make("/windows", body, NamedWindow)

    def edit_window(self, name: str, changes: Body) -> Answer[NamedWindow]:
        request = Request(method="PATCH", path=f"/windows/{part(name)}", body=changes)
        return self._read(request, NamedWindow)

    def delete_window(self, name: str, *, force: bool) -> None:
        params = {"force": "true"} if force else None
        self._transport.send(Request(method="DELETE", path=f"/windows/{part(name)}", params=params))

    def preview_window(
        self, name: str, *, consumers: Sequence[str], count: int, limit: int | None = None
    ) -> Listing[HostPreview]:
        path, asked = (
            f"/windows/{part(name)}/preview",
            {"consumer": list(consumers) or None, "count": count},
        )
        return self._list(path, HostPreview, asked, limit=limit)

    def window_hosts(self, name: str, *, limit: int | None = None) -> Listing[views.Consumer]:
        """Those that it is bound to."""
        return self._list(f"/windows/{part(name)}/consumers", views.Consumer, limit=limit)

    def bind_window(self, name: str, consumer_id: str) -> Answer[views.Consumer]:
        request = Request(method="PUT", path=_binding(name, consumer_id), repeatable=True)
        return self._read(request, views.Consumer)

    def unbind_window(self, name: str, consumer_id: str) -> Answer[views.Consumer]:
        return self._read(
            Request(method="DELETE", path=_binding(name, consumer_id)), views.Consumer
        )


def _binding(name: str, consumer_id: str) -> str:
    return f"/windows/{part(name)}/consumers/{part(consumer_id)}"
