"""dnf5's worker as a program."""

from __future__ import annotations

import json

from ..link import Link
from ..serving import Work, serve


def main(settings: str) -> None:
    """`settings`: JSON with `root` and `config`."""
    link = Link()

    def start() -> Work:
        from .commands import Commands
        from .host import Host
        from .refusals import refusal

        return Work(Commands(Host(**json.loads(settings)), link).table, refusal)

    serve(link, start)
