"""How the programs log: fixed messages with values in `extra`, as text for people or as JSON lines for machines."""

from __future__ import annotations

import json
import logging
from typing import Any, Literal, TextIO

from pulp.common.times import format_time

Format = Literal["text", "json"]

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def configure(level: str, format_: Format, stream: TextIO) -> None:
    """Send everything from `level` up to `stream`, in place of whatever was configured before."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if format_ == "json" else TextFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _time(record: logging.LogRecord) -> str:
    return format_time(int(record.created * 1000))


class JsonFormatter(logging.Formatter):
    """One object a line: at, level, logger, message, the values of `extra`, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps({**_extra(record), **entry}, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """`2026-12-01T12:00:00.000Z info pulp.server: message key=value`."""

    def format(self, record: logging.LogRecord) -> str:
        values = "".join(f" {key}={value!r}" for key, value in _extra(record).items())
        where = f"{_time(record)} {record.levelname.lower()} {record.name}"
        text = f"{where}: {record.getMessage()}{values}"
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text
