"""Log lines keep the values of `extra`, in both forms, and one record stays one line of JSON."""

from __future__ import annotations

import io
import json
import logging

from pulp.common import logs


def logged(format_: logs.Format, level: str = "info") -> str:
    stream = io.StringIO()
    logs.configure("debug", "text", io.StringIO())
    logs.configure(level, format_, stream)
    logger = logging.getLogger("pulp.test")
    logger.debug("small talk")
    logger.info("task ended", extra={"task": "t1", "path": object})
    try:
        raise ValueError("bad\nthing")
    except ValueError:
        logger.exception("step failed")
    return stream.getvalue()


def test_json_is_one_object_a_line_with_the_values_beside_the_message() -> None:
    first, second = (json.loads(line) for line in logged("json").splitlines())
    assert first["message"] == "task ended"
    assert first["task"] == "t1"
    assert first["level"] == "info"
    assert first["logger"] == "pulp.test"
    assert first["at"].endswith("Z")
    assert "ValueError: bad" in second["exception"]


def test_text_appends_the_values_and_the_traceback() -> None:
    text = logged("text")
    assert "info pulp.test: task ended task='t1'" in text
    assert "ValueError: bad" in text
    assert "small talk" not in text


def test_the_level_is_the_least_that_is_logged() -> None:
    assert "task ended" not in logged("text", "error")
    assert "small talk" in logged("text", "debug")
