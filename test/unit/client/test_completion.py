"""Completion: from the server, quick, and silent whenever that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from client_stage import TASK_ID, Reply, Stage, page, task

from pulp.client import completion, main
from pulp.client.runtime import Runtime


@contextmanager
def shell(stage: Stage, monkeypatch: pytest.MonkeyPatch, line: str) -> Iterator[None]:
    """What bash sets when TAB is pressed after `line`."""
    import io

    runtime = stage.runtime(io.StringIO(), io.StringIO(), io.StringIO())
    monkeypatch.setattr(Runtime, "system", classmethod(lambda cls: runtime))
    monkeypatch.setitem(os.environ, "_PULP_ADMIN_COMPLETE", "complete_bash")
    monkeypatch.setitem(os.environ, "COMP_WORDS", line)
    monkeypatch.setitem(os.environ, "COMP_CWORD", str(len(line.split(" ")) - 1))
    yield


def complete(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: str
) -> list[str]:
    with shell(stage, monkeypatch, line):
        assert main.run([], Runtime.system()) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out.split()


def test_a_hosts_id(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.script.on("GET", "/consumers", page({"id": "web1"}, {"id": "web2"}, {"id": "old-web"}))
    found = complete(stage, monkeypatch, capsys, "pulp-admin consumer install we")
    assert found == ["web1", "web2"]
    assert stage.script.requests[0].url.params["q"] == "we"


def test_a_tasks_id(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.script.on("GET", "/tasks", page(task()))
    assert complete(stage, monkeypatch, capsys, "pulp-admin task show 6f") == [TASK_ID]


@pytest.mark.parametrize("sort", ["window", "freeze"])
def test_a_windows_or_freezes_name(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], sort: str
) -> None:
    stage.script.on("GET", "/windows", page({"name": "nights"}, {"name": "other"}))
    assert complete(stage, monkeypatch, capsys, f"pulp-admin {sort} bind ni") == ["nights"]
    assert stage.script.requests[0].url.params["role"] == sort


@pytest.mark.parametrize("typed", ["ni", "ne"])
def test_where_work_may_begin(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    stage.script.on("GET", "/windows", page({"name": "nights"}, {"name": "days"}))
    command = f"pulp-admin consumer install web1 nginx --window {typed}"
    found = complete(stage, monkeypatch, capsys, command)
    assert found == (["nights"] if typed == "ni" else ["next"])
    assert stage.script.requests[0].url.params["role"] == "window"


@pytest.mark.parametrize(
    "trouble",
    [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), Reply(500), page({"no": "id"})],
)
def test_trouble_is_no_suggestion_and_no_word(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trouble: Reply | Exception,
) -> None:
    stage.script.on("GET", "/consumers", trouble)
    assert complete(stage, monkeypatch, capsys, "pulp-admin consumer show w") == []
    assert stage.pauses == []


def test_without_a_login_there_is_nothing_to_suggest(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.env.pop("PULP_ADMIN_TOKEN")
    assert complete(stage, monkeypatch, capsys, "pulp-admin consumer show w") == []


def test_it_waits_no_longer_than_a_person_does() -> None:
    assert completion._SECONDS <= 2
