"""Reads commands and answers them, one after the other."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, NamedTuple, Optional

from .link import Link
from .refused import Refused, wording


class Work(NamedTuple):
    """`table`: the commands by their names; `refusal`: any failure as one of the closed list."""

    table: dict[str, Callable[[dict[str, Any]], Any]]
    refusal: Callable[[Exception], Refused]


def serve(link: Link, start: Callable[[], Work]) -> None:
    """`start` may fail, for a library that is another than ours or a host whose configuration cannot be read: that is told in
    answer to each command."""
    work: Optional[Work] = None
    for command in link.commands():
        try:
            work = work or start()
        except Exception as error:
            _refuse(link, Refused("internal", f"dnf cannot be used: {wording(error)}"))
        else:
            _answer(work, command, link)


def _answer(work: Work, command: dict[str, Any], link: Link) -> None:
    try:
        value = work.table[command["command"]](command)
    except Exception as error:
        _refuse(link, work.refusal(error))
    else:
        link.tell(value=value)


def _refuse(link: Link, refused: Refused) -> None:
    """Called where the failure is handled."""
    if refused.code == "internal":
        link.complain(traceback.format_exc())
    link.tell(error={"code": refused.code, "message": str(refused), "names": refused.names})
