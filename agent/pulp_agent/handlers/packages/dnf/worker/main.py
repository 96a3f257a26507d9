"""dnf4's worker as a program."""

from __future__ import annotations

import json
import logging
import sys

from .commands import Commands
from .host import Host
from .link import Link
from .refusals import refusal
from .serving import serve


def main(settings: str) -> None:
    """`settings`: JSON with `root` and `config`."""
    link = Link()
    logger = logging.getLogger("dnf")
    logger.addHandler(logging.StreamHandler(sys.stderr))
    logger.setLevel(logging.INFO)
    serve(link, lambda: Commands(Host(**json.loads(settings)), link).table, refusal)
