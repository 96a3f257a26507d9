"""A percentage of the whole call out of the percentages of its phases; it never falls."""

from __future__ import annotations

from collections.abc import Callable

_SPANS = {
    "refresh": (0.0, 5.0),
    "plan": (5.0, 10.0),
    "download": (10.0, 50.0),
    "commit": (50.0, 95.0),
    "verify": (95.0, 100.0),
}


class PhaseProgress:
    """Weights the phases 5/5/40/45/5. A phase without a span (`wait`) keeps the percentage where it is."""

    def __init__(self, report: Callable[[str, float, str], None]) -> None:
        self._report = report
        self._percent = 0.0

    def at(self, phase: str, percent: float, message: str = "") -> None:
        """`percent`: 0 to 100 of this phase."""
        begin, end = _SPANS.get(phase, (0.0, 0.0))
        share = min(max(percent, 0.0), 100.0) / 100
        self._percent = max(self._percent, begin + (end - begin) * share)
        self._report(phase, round(self._percent, 1), message)
