"""When work is to be done, as the user said it and as the server wants it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pulp.client.errors import BadUsage
from pulp.client.moments import describe, in_utc, parse_moment
from pulp.client.output import Output
from pulp.client.runtime import Runtime
from pulp.client.spans import describe_window, parse_window
from pulp.common.times import parse_duration, to_datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    at: str | None
    window: str | None
    deliver_within: str | None
    timeout: str | None

    def body(self, runtime: Runtime, out: Output) -> dict[str, Any]:
        """The request's fields; times are told back in full before anything is sent. BadUsage."""
        body: dict[str, Any] = {}
        if self.deliver_within is not None:
            body["deliver_within"] = _span("--deliver-within", self.deliver_within)
        if self.timeout is not None:
            body["timeout"] = _span("--timeout", self.timeout)
        if self.at is None and self.window is None:
            return body
        now, zone = runtime.clock(), runtime.zone()
        if self.at is not None:
            start = parse_moment(self.at, now=now, zone=zone)
            body["not_before"] = in_utc(start)
            out.note(f"Starts {describe(start, zone)}")
        if self.window is not None:
            window = parse_window(self.window, now=now, zone=zone)
            begin, end = to_datetime(window.begin), to_datetime(window.end)
            body["window"] = {"begin": in_utc(begin), "end": in_utc(end)}
            out.note(f"Window {describe_window(window, zone)}")
        return body


def _span(option: str, text: str) -> str:
    try:
        parse_duration(text)
    except ValueError as error:
        raise BadUsage(f"{option}: {error}") from None
    return text
