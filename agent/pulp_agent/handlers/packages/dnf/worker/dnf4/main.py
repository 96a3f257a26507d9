"""dnf4's worker as a program."""

from __future__ import annotations

import json
import logging
import sys

from ..link import Link
from ..serving import Work, serve


def main(settings: str) -> None:
    """`settings`: JSON with `root` and `config`."""
    link = Link()
    logger = logging.getLogger("dnf")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.INFO)

    def start() -> Work:
        from .commands import Commands
        from .host import Host
        from .refusals import refusal

        return Work(Commands(Host(**json.loads(settings)), link).table, refusal)

    serve(link, start)
