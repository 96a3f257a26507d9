"""What pulp-admin prints: tables and facts for people, or with --json documents for programs. Notes go to stderr, always."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO, TypeVar

import msgspec

from pulp.client.calls import Listing
from pulp.client.text import clean
from pulp.client.views import Answer

T = TypeVar("T")


class Output:
    """With `json` nothing but JSON reaches stdout: one document, or one line per item of a list."""

    def __init__(self, stdout: TextIO, stderr: TextIO, *, json: bool) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.json = json

    @property
    def terminal(self) -> bool:
        return self.stdout.isatty()

    def line(self, text: str = "") -> None:
        print(text, file=self.stdout, flush=True)

    def note(self, text: str) -> None:
        """Beside the answer: what is about to happen, what to do next, what went wrong."""
        print(text, file=self.stderr, flush=True)

    def document(self, raw: bytes) -> None:
        """One JSON document on one line."""
        self.line(msgspec.json.format(raw, indent=-1).decode())

    def data(self, **fields: Any) -> None:
        """A JSON document of the client's own."""
        self.document(msgspec.json.encode(fields))

    def one(self, answer: Answer[T], show: Callable[[T], Iterable[tuple[str, str]]]) -> None:
        """A single thing: its document, or its facts one below the other."""
        if self.json:
            self.document(answer.raw)
        else:
            self.facts(show(answer.value))

    def many(
        self,
        listing: Listing[T],
        columns: Sequence[str],
        row: Callable[[T], Sequence[str]],
    ) -> None:
        """A list: JSON lines as they come, or a table; and whether that is all."""
        if self.json:
            for answer in listing:
                self.document(answer.raw)
        else:
            self.table(columns, [row(answer.value) for answer in listing])
        if listing.more:
            self.note("There are more than these: give a higher --limit to see them.")

    def facts(self, pairs: Iterable[tuple[str, str]]) -> None:
        shown = [(name, clean(value)) for name, value in pairs if value]
        width = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{name + ':':<{width + 1}}  {value}")

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[str]],
        *,
        empty: str = "Nothing found.",
    ) -> None:
        shown = [[clean(cell) for cell in row] for row in rows]
        if not shown:
            self.note(empty)
        elif self.terminal:
            self._rich_table(columns, shown)
        else:
            for text in aligned([columns, *shown]):
                self.line(text)

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.console import Console  # here: nothing but a terminal needs it
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(Text(column), overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(file=self.stdout, highlight=False).print(table)


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with their columns one below the other."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
