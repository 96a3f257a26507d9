"""Reads commands and answers them, one after the other."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from .commands import Commands
from .host import Host
from .link import Link
from .refusals import refusal


def main(settings: str) -> None:
    """`settings`: JSON with `root` and `config`."""
    link = Link()
    logger = logging.getLogger("dnf")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.INFO)
    table: dict[str, Callable[[dict[str, Any]], Any]] = {}

    def work(command: dict[str, Any]) -> Any:
        """A host whose configuration cannot be read is told in answer to a command."""
        if not table:
            table.update(Commands(Host(**json.loads(settings)), link).table)
        return table[command["command"]](command)

    for command in link.commands():
        answer(work, command, link)


def answer(work: Callable[[dict[str, Any]], Any], command: dict[str, Any], link: Link) -> None:
    try:
        value = work(command)
    except Exception as error:
        refused = refusal(error)
        if refused.code == "internal":
            logging.getLogger("dnf").exception("unexpected")
        link.tell(error={"code": refused.code, "message": str(refused), "names": refused.names})
    else:
        link.tell(value=value)
