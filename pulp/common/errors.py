"""The root of every error Pulp raises on purpose. Everyone may import it.

`code` is stable and may leave the process; a traceback never does.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One bad field: its path (`packages[0].name`) and a sentence that says the fix."""

    field: str
    message: str


class PulpError(Exception):
    """`str(error)` is a sentence for a person."""

    code: str = "internal"


class InvalidInput(PulpError):
    """Input that was understood and is wrong; `errors` holds every bad field."""

    code = "invalid"

    def __init__(self, errors: list[FieldError]) -> None:
        super().__init__("; ".join(f"{e.field}: {e.message}" for e in errors))
        self.errors = errors
