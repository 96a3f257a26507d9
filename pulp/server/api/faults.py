"""What is wrong with a request, field by field."""

from __future__ import annotations

from pulp.common.errors import FieldError, InvalidInput


class Faults:
    """Collects what is wrong with a request, field by field."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def add(self, field: str, message: str) -> None:
        self.errors.append(FieldError(field, message))

    def check(self) -> None:
        """InvalidInput when anything was found."""
        if self.errors:
            raise InvalidInput(self.errors)
