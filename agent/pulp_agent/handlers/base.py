"""What a handler gets and owes. Handlers run in the job's own process, never in the agent daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from pulp.common.errors import PulpError


class HandlerError(PulpError):
    """A handler's failure with a code of the closed list (`interfaces.PACKAGE_ERRORS`) and a sentence for a person.

    `details` is what was found or done all the same (a `PackagesResult` for package work).
    """

    def __init__(self, code: str, message: str, details: Struct | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.details = details


class Job(Protocol):
    """The handler's side of one execution."""

    @property
    def id(self) -> str: ...

    @property
    def resumed(self) -> bool:
        """An earlier process of this same execution died: repair first, then do what is missing."""

    @property
    def fetch_only(self) -> bool:
        """Fetch what the execution will need, and end: it comes later, in a job of its own. `begin_commit` refuses always."""

    @property
    def spool(self) -> str:
        """A folder of this execution's own, kept until its answer is confirmed; a handler may keep files of its own in it."""

    def progress(self, phase: str, percent: float, message: str = "") -> None:
        """phase: wait|refresh|plan|download|commit|verify; `percent`: of the whole call, never falling.

        Call as often as you like.
        """

    def canceled(self) -> bool:
        """A cancel was asked for before the commit: stop now and raise HandlerError("canceled", ...)."""

    def begin_commit(self) -> bool:
        """The point of no return, decided atomically against a cancel: False means that one came first, or that the window
        has closed; either way the handler stops as for a cancel."""

    def remaining(self) -> float:
        """Seconds of running that are left of the call's timeout."""


Handler = Callable[[Any, Job], Struct]
"""(arguments of the method's type, job) → the method's result type; raises HandlerError."""
