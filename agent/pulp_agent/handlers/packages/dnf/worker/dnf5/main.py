"""dnf5's worker as a program."""

from __future__ import annotations

import json

from ..link import Link
from ..serving import serve
from .commands import Commands
from .host import Host
from .refusals import refusal


def main(settings: str) -> None:
    """`settings`: JSON with `root` and `config`."""
    link = Link()
    serve(link, lambda: Commands(Host(**json.loads(settings)), link).table, refusal)
