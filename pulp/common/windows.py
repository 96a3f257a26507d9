"""Maintenance windows: spans in which work may start. Values and pure functions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """A one-off window, half open: work may start at `begin` and no longer at `end` (ms UTC)."""

    begin: int
    end: int

    def __post_init__(self) -> None:
        if self.end <= self.begin:
            raise ValueError("a window must end after it begins")

    def is_open(self, now: int) -> bool:
        return self.begin <= now < self.end

    def is_over(self, now: int) -> bool:
        return now >= self.end
