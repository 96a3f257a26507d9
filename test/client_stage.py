"""A stage for pulp-admin: one command line at a time against a scripted server, with streams, clock and pauses of our own."""

from __future__ import annotations

import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from pulp.client.main import run
from pulp.client.runtime import Runtime

SERVER = "https://pulp.test:8443"
BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 24, 11, 30, tzinfo=UTC)  # a Tuesday, 12:30 in Berlin
TASK_ID = "6f2c1f0e-94ac-4c88-9f0b-0a7d5c4f1e11"


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def problem(
    status: int, code: str, detail: str, *, errors: Iterable[tuple[str, str]] = (), **headers: str
) -> Reply:
    body = {
        "type": f"urn:pulp:problem:{code}",
        "title": "Refused",
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [{"field": f, "message": m} for f, m in errors],
    }
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    return Reply(status, body, sent | {"Content-Type": "application/problem+json"})


def page(*items: Any, next_: str | None = None) -> Reply:
    return Reply(body={"items": list(items), "next": next_})


Scripted = Reply | Exception | Callable[[httpx.Request], Reply]


class Script:
    """The server's part: for each route the replies it will give, in order. A request that is not in it fails the test, and
    so does a reply that nobody asked for."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._replies: dict[tuple[str, str], deque[Scripted]] = {}

    def on(self, method: str, path: str, *replies: Scripted) -> Script:
        self._replies.setdefault((method, f"/api/v1{path}"), deque()).extend(replies)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        waiting = self._replies.get((request.method, request.url.path))
        assert waiting, f"nobody expected {request.method} {request.url}"
        reply = waiting.popleft()
        if isinstance(reply, BaseException):
            raise reply
        if callable(reply):
            reply = reply(request)
        content = b"" if reply.body is None else json.dumps(reply.body, indent=1).encode()
        headers = {"Content-Type": "application/json", **reply.headers}
        return httpx.Response(reply.status, content=content, headers=headers)

    def check_over(self) -> None:
        left = {route: list(replies) for route, replies in self._replies.items() if replies}
        assert not left, f"never asked for: {left}"

    def bodies(self) -> list[Any]:
        return [json.loads(r.content) if r.content else None for r in self.requests]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class Stage:
    """`pauses`: what the command waited, in seconds, instead of waiting."""

    home: Path
    script: Script = field(default_factory=Script)
    env: dict[str, str] = field(default_factory=dict)
    now: datetime = NOW
    pauses: list[float] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    pause: Callable[[float], object] | None = None

    def __post_init__(self) -> None:
        self.env = {"PULP_ADMIN_CONFIG": str(self.config), **self.env}

    @property
    def config(self) -> Path:
        return self.home / "pulp" / "admin.toml"

    def logged_in(self) -> Stage:
        self.env |= {"PULP_ADMIN_SERVER": SERVER, "PULP_ADMIN_TOKEN": "secret-token"}
        return self

    def runtime(self, stdout: io.StringIO, stderr: io.StringIO, stdin: io.StringIO) -> Runtime:
        return Runtime(
            env=self.env,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            clock=lambda: self.now,
            zone=lambda: BERLIN,
            pause=self.pause or self.pauses.append,
            read_secret=lambda prompt: self.secrets.pop(0),
            presented=lambda host, port: list(self.shown),
            carrier=httpx.MockTransport(self.script),
        )

    def run(
        self,
        *args: str,
        terminal: bool = False,
        err_terminal: bool = False,
        stdin: str | None = None,
    ) -> Result:
        """`terminal`: stdout and stdin are one, `err_terminal`: stderr is; `stdin`: what is typed or piped."""
        kind = Terminal if terminal else io.StringIO
        out, err = kind(), Terminal() if err_terminal else io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run(args, self.runtime(out, err, kind(stdin or "")))
        self.script.check_over()
        return Result(code, out.getvalue(), err.getvalue())


def task(**changes: Any) -> dict[str, Any]:
    """A task as the server shows it."""
    return {
        "id": TASK_ID,
        "revision": 1,
        "kind": "packages.install",
        "version": 1,
        "state": "waiting",
        "phase": "queued",
        "consumer_id": "web1",
        "job_id": None,
        "args": {"packages": [{"name": "nginx"}], "policy": {}, "dry_run": False},
        "requested_by": "admin",
        "created_at": "2026-11-24T11:30:00Z",
        "not_before": None,
        "window": None,
        "plan": 1,
        "accepted_at": None,
        "started_at": None,
        "finished_at": None,
        "deadline": "2026-12-01T11:30:00Z",
        "progress": None,
        "result": None,
        "error": None,
        "waiting_for": {"code": "queue", "since": "2026-11-24T11:30:00Z", "until": None},
        "cancel_requested": False,
        "retry_of": None,
    } | changes


def change(name: str, from_: str | None, to: str | None, **more: Any) -> dict[str, Any]:
    return {"name": name, "action": "install", "from": from_, "to": to, "outcome": "done"} | more


def finished(*changes: dict[str, Any], **more: Any) -> dict[str, Any]:
    result = {"backend": "apt", "dry_run": False, "changed": bool(changes), "changes": [*changes]}
    return task(
        state="finished",
        phase="",
        revision=9,
        deadline=None,
        waiting_for=None,
        started_at="2026-11-24T11:30:01Z",
        finished_at="2026-11-24T11:30:05.200Z",
        result=result | more,
    )


def failed(
    code: str, message: str, *, state: str = "error", details: Any = None, **more: Any
) -> dict[str, Any]:
    error = {"code": code, "message": message, "details": details}
    over = {"deadline": None, "waiting_for": None, "finished_at": "2026-11-24T11:31:00Z"}
    return task(state=state, phase="", revision=9, error=error, **over) | more
