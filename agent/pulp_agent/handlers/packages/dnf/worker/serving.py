"""Reads commands and answers them, one after the other."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from .link import Link, log
from .refused import Refused

Table = dict[str, Callable[[dict[str, Any]], Any]]


def serve(link: Link, start: Callable[[], Table], refusal: Callable[[Exception], Refused]) -> None:
    """`start` makes the table of commands: a host whose configuration cannot be read is told in answer to a command."""
    table: Table = {}

    def work(command: dict[str, Any]) -> Any:
        if not table:
            table.update(start())
        return table[command["command"]](command)

    for command in link.commands():
        _answer(work, command, link, refusal)


def _answer(
    work: Callable[[dict[str, Any]], Any],
    command: dict[str, Any],
    link: Link,
    refusal: Callable[[Exception], Refused],
) -> None:
    try:
        value = work(command)
    except Exception as error:
        refused = refusal(error)
        if refused.code == "internal":
            log(traceback.format_exc())
        link.tell(error={"code": refused.code, "message": str(refused), "names": refused.names})
    else:
        link.tell(value=value)
