"""The program itself: start-up loads neither HTTP nor tables, and a fault of its own has an exit code of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pulp.client import main

HEAVY = {"httpx", "rich", "dateutil", "cryptography", "asyncio"}


def test_help_does_not_load_what_it_does_not_need() -> None:
    script = (
        "import sys\n"
        "from pulp.client.main import run\n"
        "from pulp.client.runtime import Runtime\n"
        "assert run(['--help'], Runtime.system()) == 0\n"
        "print('loaded:', *sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    loaded = set(result.stdout.rpartition("loaded:")[2].split())
    assert "typer" in loaded
    assert loaded & HEAVY == set()


def test_a_fault_of_its_own_does_not_pass_for_a_failed_task(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> int:
        raise RuntimeError("a bug")

    monkeypatch.setattr(main, "run", broken)
    with pytest.raises(SystemExit) as end:
        main.main()
    assert end.value.code == 70
    assert "a bug" in capsys.readouterr().err
