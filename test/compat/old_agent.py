"""An agent of an earlier release: it says what was recorded, byte for byte but for the call's id, and reads no more than that
release knew."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from bus_worlds import Events
from record_messages import CALL
from recordings import Recorded, named

from pulp.common.ids import new_id
from pulp.crypto.keys import make_csr, new_key
from pulp.messaging.amqp.client import ClientLink
from pulp.messaging.amqp.link import Outcome
from pulp.messaging.base import Message

T = TypeVar("T")
Post = Callable[[str, dict[str, Any]], Any]


class OldAgent:
    """A context manager; everything happens on the test's own thread, while it waits."""

    def __init__(self, release: Path, folder: Path, ca: Path) -> None:
        self.release = release
        self._ca = ca
        self._key = new_key()
        self._file = folder / "identity.pem"
        self._loop = asyncio.new_event_loop()
        self._messaging: dict[str, Any] = {}
        self.events = Events()
        self.read = 0

    def __enter__(self) -> OldAgent:
        return self

    def __exit__(self, *exc: object) -> None:
        self.leave()
        self._loop.close()

    def register(self, consumer_id: str, token: str, post: Post) -> None:
        csr = make_csr(self._key, common_name=consumer_id)
        answer = post("/consumers", {"id": consumer_id, "csr": csr, "token": token})
        self._messaging = answer["messaging"]
        self._file.write_text(answer["certificate"] + self._key)

    # --- the connection ---

    def come(self, port: int, **changes: Any) -> dict[str, Any]:
        """Connect and say the recorded hello, with these fields otherwise; the server's welcome."""
        self.events, self.read = Events(), 0
        context = ssl.create_default_context(cafile=self._ca)
        context.load_cert_chain(self._file)
        self.events.link = self._loop.run_until_complete(
            ClientLink.connect(
                self.events,
                host="127.0.0.1",
                port=port,
                tls=context,
                source=self._messaging["source"],
                target=self._messaging["target"],
            )
        )
        self.until(lambda: self.events.is_open)
        self.says("hello", **changes)
        return self.hears("welcome")

    def leave(self) -> None:
        if self.events.link is not None and self.events.end is None:
            self.events.link.shut()
            self.until(lambda: self.events.end)

    def until(self, condition: Callable[[], T], seconds: float = 20.0) -> T:
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "it did not happen in time"
            self._loop.run_until_complete(asyncio.sleep(0.01))
        return value

    # --- what is said and heard ---

    def says(self, name: str, call_id: str | None = None, **changes: Any) -> None:
        """The recorded message of this name; returns once the server has accepted it, or has closed the connection."""
        record = named(self.release, name)
        body = json.dumps(record.data | changes).encode() if changes else record.body
        if call_id is not None:
            assert not record.encoding
            body = body.replace(CALL.encode(), call_id.encode())
        message = Message(
            body=body,
            id=new_id(),
            subject=record.data["type"],
            correlation_id=call_id,
            content_encoding=record.encoding,
        )
        tag, events = self.events.link.send(message), self.events
        self.until(lambda: tag in events.outcomes or events.end)
        assert events.end or events.outcomes[tag] is Outcome.ACCEPTED

    def hears(self, type_: str) -> dict[str, Any]:
        """The next message of the server, which must be of this type and have all that the recorded one has."""
        events = self.events
        self.until(lambda: len(events.messages) > self.read or events.end)
        assert len(events.messages) > self.read, events.end
        message = events.messages[self.read]
        self.read += 1
        data = json.loads(message.body)
        assert (data["type"], message.subject) == (type_, type_), data
        assert (message.content_type, message.content_encoding) == ("application/json", None)
        return dict(data)


def understood(record: Recorded, data: dict[str, Any]) -> None:
    """That this release's reader takes it: each field it knew is there, with a value of the same kind."""
    for field, then in record.data.items():
        assert field in data, f"{field} is gone"
        same = type(then) is type(data[field]) or None in (then, data[field])
        assert same, f"{field} was {then!r} and is {data[field]!r}"
