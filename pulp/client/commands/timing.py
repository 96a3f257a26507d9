"""When work is to be done, as the user said it and as the server wants it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pulp.client.commands.options import Missed
from pulp.client.errors import BadUsage
from pulp.client.moments import describe, in_utc, parse_moment
from pulp.client.output import Output
from pulp.client.runtime import Runtime
from pulp.client.spans import describe_window, parse_window
from pulp.common.times import parse_duration, to_datetime

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """window: a name, `next`, or times; `without_window` asks for none where there would be one."""

    at: str | None = None
    window: str | None = None
    without_window: bool = False
    missed: Missed | None = None
    grace: str | None = None
    expected: str | None = None
    predownload: bool = False
    override: str | None = None
    override_for: str | None = None
    deliver_within: str | None = None
    timeout: str | None = None

    def body(self, runtime: Runtime, out: Output) -> dict[str, Any]:
        """The request's fields; times are told back in full before anything is sent. BadUsage."""
        body = self._lengths() | self._override()
        if self.missed is not None:
            body["missed"] = self.missed.value
        if self.predownload:
            body["predownload"] = True
        if self.at is not None:
            start = parse_moment(self.at, now=runtime.clock(), zone=runtime.zone())
            body["not_before"] = in_utc(start)
            out.note(f"Starts {describe(start, runtime.zone())}")
        if self.window is not None or self.without_window:
            body["window"] = self._window(runtime, out)
        return body

    def _lengths(self) -> dict[str, Any]:
        given = {
            "deliver_within": self.deliver_within,
            "timeout": self.timeout,
            "grace": self.grace,
        }
        lengths = {
            field: span(f"--{field.replace('_', '-')}", text)
            for field, text in given.items()
            if text is not None
        }
        return lengths | expected(self.expected)

    def _override(self) -> dict[str, Any]:
        if self.override is None:
            if self.override_for is not None:
                raise BadUsage("--override-for goes with --override REASON: give both")
            return {}
        override = {"reason": self.override}
        if self.override_for is not None:
            override["for"] = span("--override-for", self.override_for)
        return {"override": override}

    def _window(self, runtime: Runtime, out: Output) -> str | dict[str, Any] | None:
        text = self.window
        if text is None or _NAME.fullmatch(text.strip()):
            return text and text.strip()
        now, zone = runtime.clock(), runtime.zone()
        window = parse_window(text, now=now, zone=zone)
        begin, end = to_datetime(window.begin), to_datetime(window.end)
        out.note(f"Window {describe_window(window, zone)}")
        return {"begin": in_utc(begin), "end": in_utc(end)}


ASAP = Timing()


def expected(text: str | None) -> dict[str, str]:
    """The field, if it was said; `0` turns it off."""
    if text is None:
        return {}
    return {"expected": "0s" if text in ("0", "0s") else span("--expected", text)}


def span(option: str, text: str) -> str:
    """A duration as it is sent. BadUsage names the option."""
    try:
        parse_duration(text)
    except ValueError as error:
        raise BadUsage(f"{option}: {error}") from None
    return text
