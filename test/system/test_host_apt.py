"""The real handler with the host's real apt and dpkg, in a copy-on-write view of the host that is thrown away."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debrepo
import pytest
from debrepo import Package
from host_view import CHECKOUT, host_packages, in_view, need_view, order, outcome, shared_folder

pytestmark = pytest.mark.root

NAME = "pulp-system-test"
MARK = Path("/var/lib/pulp-system-test.mark")


@pytest.fixture
def share() -> Iterator[Path]:
    with shared_folder() as folder:
        yield folder


def test_install_and_remove_on_the_real_host(share: Path) -> None:
    need_view(share)
    package = Package(
        name=NAME,
        files={f"usr/share/{NAME}/hello": "hello\n"},
        scripts={"postinst": f"touch {MARK}"},
    )
    repository = debrepo.build_repository(share / "repository")
    repository.publish(package)
    (share / "sources.list").write_text(repository.sources())
    before = host_packages()
    packages = {"packages": [{"name": NAME}]}
    job = f"{sys.executable} {CHECKOUT}/test/package_job.py"
    script = f"""
        set -e
        {job} {order(share, "install", "Packages.install", packages)}
        dpkg-query -W -f '${{db:Status-Status}} ${{Version}}' {NAME} > {share}/state
        cat {MARK} /usr/share/{NAME}/hello > {share}/files
        {job} {order(share, "again", "Packages.install", packages)}
        {job} {order(share, "remove", "Packages.remove", packages)}
        test ! -e /usr/share/{NAME}/hello
    """
    done = in_view(share, "bash", "-c", script)
    assert done.returncode == 0, done.stderr

    install, again, remove = (outcome(share, name) for name in ("install", "again", "remove"))
    assert told(install) == [(NAME, "install", None, "1.0", "done")]
    assert "Setting up pulp-system-test" in install["log"]
    assert told(again) == []
    assert told(remove) == [(NAME, "remove", "1.0", None, "done")]
    assert (share / "state").read_text() == "installed 1.0"
    assert (share / "files").read_text() == "hello\n"

    assert host_packages() == before
    assert not MARK.exists()
    assert not Path(f"/usr/share/{NAME}").exists()


def told(result: dict[str, Any]) -> list[tuple[str | None, ...]]:
    fields = ("name", "action", "from", "to", "outcome")
    return [tuple(change.get(field) for field in fields) for change in result.get("changes", [])]
