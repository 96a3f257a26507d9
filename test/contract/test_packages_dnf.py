"""What only the dnf back end has: signatures, duplicates, kernels, obsoletes, excludes, an HTTP mirror, dnf's own locks."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import rpmrepo
from mirror import Mirror
from package_host import spec
from package_hosts import Dnf5Host, DnfHost, need
from package_job import PackageJob
from pulp_agent.handlers.packages.dnf import worker_process
from pulp_agent.handlers.packages.processes import load_session
from rpmrepo import Advisory, Package
from test_packages import change, refused, told
from test_packages_faults import kill_all

from pulp.rmi.interfaces import PackageSpec


@pytest.fixture(params=["dnf", "dnf5"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., DnfHost]:
    """Makes the test's host; `uri` and `check` as DnfHost has them."""
    need(request.param)
    return partial(Dnf5Host if request.param == "dnf5" else DnfHost, tmp_path)


@pytest.fixture
def host(make: Callable[..., DnfHost]) -> Iterator[DnfHost]:
    host = make()
    yield host
    host.open_gate()


# --- signatures ---


class Key(NamedTuple):
    """`home`: of gpg, with a key to sign with. `public`: its public half, a file where the hosts see it."""

    home: Path
    public: Path


@pytest.fixture
def key(tmp_path: Path) -> Iterator[Key]:
    """The home's path is short: gpg's agent listens in it, and a socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="gpg-", dir="/tmp") as folder:
        keys = Path(folder) / ".gnupg"
        keys.mkdir(mode=0o700)
        gpg = ["gpg", "--homedir", str(keys), "--batch", "--quiet"]
        who = "Pulp <pulp@example.org>"
        subprocess.run([*gpg, "--passphrase", "", "--quick-gen-key", who, "rsa2048"], check=True)
        public = tmp_path / "signer" / "key.asc"
        public.parent.mkdir()
        public.write_bytes(subprocess.check_output([*gpg, "--armor", "--export"]))
        yield Key(Path(folder), public)
        subprocess.run(["gpgconf", "--homedir", str(keys), "--kill", "all"], check=True)


def sign(host: DnfHost, key: Key, *names: str) -> None:
    for name in names:
        file = host.repository.path / f"{name}.noarch.rpm"
        blob = file.read_bytes()
        file.unlink()  # it is linked with the model's
        file.write_bytes(blob)
        rpmrepo.run(
            "rpmsign",
            "-D",
            "_gpg_name pulp@example.org",
            "-D",
            "__gpg /usr/bin/gpg",
            "--addsign",
            str(file),
            home=key.home,
        )
    host.repository.index()


def test_an_unsigned_package_is_untrusted(make: Callable[..., DnfHost]) -> None:
    host = make(check=True)
    error = refused("untrusted", host.install, "demo00")
    assert "demo00" in str(error) and "not signed" in str(error)
    assert host.installed() == {}


def test_one_unsigned_package_keeps_all_out(make: Callable[..., DnfHost], key: Key) -> None:
    host = make(check=True)
    sign(host, key, "demo-1.1-1")
    host.trust(key.public)
    error = refused("untrusted", host.install, "demo")
    assert "demolib" in str(error)
    assert host.installed() == {}


def test_a_package_signed_with_the_repositorys_key_is_installed(
    make: Callable[..., DnfHost], key: Key
) -> None:
    host = make(check=True)
    sign(host, key, "demo00-1.0-1")
    error = refused("untrusted", host.install, "demo00")
    assert "key" in str(error)
    host.trust(key.public)
    assert told(host.install("demo00")) == {("demo00", "install", None, "1.0", "done")}
    assert [p.name for p in host.profile().packages] == ["demo00"]


def test_a_key_that_would_come_in_clear_is_not_imported(
    make: Callable[..., DnfHost], key: Key
) -> None:
    host = make(check=True)
    sign(host, key, "demo00-1.0-1")
    host.trust("http://127.0.0.1:9/key.asc")
    error = refused("untrusted", host.install, "demo00")
    assert "unprotected" in str(error)


# --- scripts ---


def test_a_package_whose_first_script_fails_is_not_installed(host: DnfHost) -> None:
    host.publish("demopre", "1.0", scripts={"preinst": "echo no luck >&2; exit 3"})
    error = refused("script", host.install, "demopre", "demo00")
    assert "PREIN" in str(error) and "no luck" in str(error)
    assert change(error.details, "demopre").outcome == "failed"
    assert host.installed() == {"demo00": "1.0"}


def test_a_script_that_fails_after_the_job_has_died_is_told(host: DnfHost) -> None:
    failing = {"postinst": "echo no luck >&2; exit 1"}
    host.publish("demolate", "1.0", depends="demogate", scripts=failing)
    host.close_gate()
    spool = host.folder / "killed"
    with host.spawn_install("demolate", spool=spool) as process:
        host.wait_for_gate()
        os.killpg(process.pid, signal.SIGKILL)
    host.open_gate()
    error = refused("script", host.install, "demolate", job=PackageJob(spool, resumed=True))
    assert "no luck" in str(error)
    assert host.scripts_run("demogate") == 1


# --- cut off ---


def test_an_upgrade_that_was_killed_leaves_no_duplicates(host: DnfHost) -> None:
    gate = next(p for p in rpmrepo.demo_packages() if p.name == "demogate")
    host.give("demogate")
    host.repository.publish(replace(gate, version="2.0"))
    (host.root / "run/demogate.reached").unlink()
    host.close_gate()
    started = host.start(host.update, "demogate")
    host.wait_for_gate()
    session = load_session(Path(started.job.spool) / "session.json")
    assert session is not None
    assert host.rpm("-q", "demogate").split() == ["demogate-1.0-1.noarch", "demogate-2.0-1.noarch"]
    kill_all(session)
    host.open_gate()
    result = started.outcome()
    assert told(result) == {("demogate", "upgrade", "1.0", "2.0", "done")}
    assert result.repaired
    assert host.rpm("-q", "demogate").split() == ["demogate-2.0-1.noarch"]
    assert host.audit() == ""


def test_what_no_repository_has_any_more_is_left_as_it_is(host: DnfHost) -> None:
    host.give("demo00")
    host.cut_off_unpacking("demo00", "unpacked")
    host.repository.withdraw("demo00", "1.0", index=True)
    result = host.install("demo01")
    assert told(result) == {
        ("demo01", "install", None, "1.0", "done"),
        ("demo00", "configure", "1.0", "1.0", "unplanned"),
    }
    assert "no repository has it" in change(result, "demo00").error
    assert result.scripts_failed == []


# --- locks ---


def test_dnfs_own_lock_is_waited_for_and_its_holder_named(host: DnfHost) -> None:
    host.give("demo00")
    host.configure(lock_timeout=0.3)
    with host.own_lock():
        error = refused("locked", host.install, "demo")
    assert "python" in str(error)
    assert host.installed() == {"demo00": "1.0"}


# --- which versions ---


def test_a_version_without_release_is_told_what_there_is(host: DnfHost) -> None:
    host.spec = spec  # type: ignore[method-assign]
    error = refused("not-found", host.install, "demo=1.0")
    assert "1.0-1, 1.0+sec1-1, 1.1-1" in str(error)


def test_an_architecture_that_is_not_there_is_not_found(host: DnfHost) -> None:
    host.spec = lambda text: PackageSpec(name=text, arch="s390x")  # type: ignore[method-assign]
    assert "demo:s390x" in str(refused("not-found", host.install, "demo"))


def test_kernels_stay_beside_one_another(host: DnfHost) -> None:
    """Three at most, as dnf has it; that the oldest goes needs no leave."""
    versions = ("1.0", "2.0", "3.0", "4.0")
    tags = ["Provides: installonlypkg(kernel)"]
    kernels = [Package(name="kernel-core", version=version, tags=tags) for version in versions]
    host.repository.publish(*kernels)
    for version in versions[:-1]:
        host.install(f"kernel-core={version}")
    result = host.update("kernel-core")
    assert told(result) == {("kernel-core", "upgrade", "3.0", "4.0", "done")}
    assert result.reboot_needed
    assert [p.version for p in host.profile().packages] == ["2.0", "3.0", "4.0"]
    assert host.update_all().changes == []
    assert told(host.remove("kernel-core")) == {("kernel-core", "remove", "4.0", None, "done")}
    assert host.installed() == {}


def test_a_package_that_another_stands_in_for_goes_without_leave(host: DnfHost) -> None:
    host.give("demo00")
    stand_in = Package(name="demonew", tags=["Obsoletes: demo00 < 2", "Provides: demo00 = 2"])
    host.repository.publish(stand_in)
    assert told(host.update_all()) == {
        ("demonew", "install", None, "1.0", "done"),
        ("demo00", "remove", "1.0", None, "done"),
    }


def test_update_all_keeps_back_what_cannot_be_updated(host: DnfHost) -> None:
    host.give("demo00", "demo01")
    broken = Package(name="demo00", version="2.0", tags=["Requires: no-such-package"])
    host.repository.publish(broken, Package(name="demo01", version="2.0"))
    result = host.update_all()
    assert told(result) == {("demo01", "upgrade", "1.0", "2.0", "done")}
    assert [(kept.name, kept.reason) for kept in result.kept_back] == [("demo00", "dependency")]
    assert "no-such-package" in str(refused("dependency", host.update, "demo00"))


def test_a_fix_that_the_repository_no_longer_has_is_replaced_by_the_next_version(
    host: DnfHost,
) -> None:
    host.give("demo00")
    advisory = Advisory("DEMO-2026:3", "security", ("demo00-1.5-1",))
    later = [Package(name="demo00", version=version) for version in ("2.0", "3.0")]
    host.repository.publish(*later, advisories=[advisory])
    assert told(host.update_all(security_only=True)) == {
        ("demo00", "upgrade", "1.0", "2.0", "done")
    }


def test_two_packages_with_the_same_file_exclude_one_another(host: DnfHost) -> None:
    host.give("demo00")
    file = {"usr/share/demo00/1.0": "another\n"}
    host.repository.publish(Package(name="democlash", files=file))
    error = refused("dependency", host.install, "democlash")
    assert "/usr/share/demo00/1.0" in str(error)
    assert host.installed() == {"demo00": "1.0"}


# --- holds ---


def exclude(host: DnfHost, pattern: str) -> None:
    config = host.root / "etc/dnf/dnf.conf"
    config.write_text(f"{config.read_text()}excludepkgs = {pattern}\n")


def test_what_the_administrator_excludes_is_held_where_it_is_installed(host: DnfHost) -> None:
    host.give("demo=1.0", "demolib=1.0")
    exclude(host, "demol*")
    assert [p.name for p in host.profile().packages if p.held] == ["demolib"]
    refused("held", host.update, "demolib")
    refused("held", host.remove, "demolib", allow_remove=True)
    assert host.update("demolib", allow_held=True).changed


def test_what_the_administrator_excludes_is_not_installed(host: DnfHost) -> None:
    exclude(host, "demo00")
    error = refused("not-found", host.install, "demo00", allow_held=True)
    assert "excluded" in str(error)


def test_a_lock_is_renewed_for_the_version_that_was_allowed(host: DnfHost) -> None:
    host.give("demo=1.0", "demolib")
    host.hold("demo")
    host.update("demo", allow_held=True)
    assert host.locked_versions() == {"demo": "1.1-1"}
    assert "Added" in host.locks_path.read_text(), "the comment stays"


def test_a_change_that_would_drag_a_held_package_along_is_refused(host: DnfHost) -> None:
    host.give("demolib=1.0")
    host.hold("demolib")
    host.publish("demouser", "1.0", depends="demolib (>= 2.0)")
    error = refused("held", host.install, "demouser")
    assert "demolib" in str(error)
    assert host.install("demouser", allow_held=True).changed


# --- configuration files ---


def test_a_configuration_file_that_its_package_replaces_is_told(host: DnfHost) -> None:
    path = "etc/demoforce.conf"
    package = Package(name="demoforce", conffiles=[path], replace_config=True)
    host.repository.publish(
        replace(package, files={path: "old\n"}),
        replace(package, version="2.0", files={path: "new\n"}),
    )
    host.give("demoforce=1.0")
    (host.root / path).write_text("mine\n")
    result = host.update("demoforce")
    assert [(c.path, c.decision) for c in result.config_files] == [(f"/{path}", "install")]
    assert (host.root / f"{path}.rpmsave").read_text() == "mine\n"


# --- repositories ---


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    mirror = Mirror(tmp_path / "repository")
    yield mirror
    mirror.close()


@pytest.fixture
def remote(make: Callable[..., DnfHost], mirror: Mirror) -> DnfHost:
    return make(uri=mirror.uri)


def test_a_cancel_in_the_download_ends_it_at_once_and_changes_nothing(
    remote: DnfHost, mirror: Mirror
) -> None:
    mirror.stalled = "demofat"
    started = remote.start_install("demofat")
    assert mirror.reached.wait(20)
    assert started.job.cancel()
    assert started.outcome().code == "canceled"
    assert remote.installed() == {}
    mirror.go.set()
    mirror.stalled = ""
    assert {c.outcome for c in remote.install("demofat").changes} == {"done"}


def test_a_download_that_outlives_its_job_is_ended_by_the_resumed_one(
    remote: DnfHost, mirror: Mirror
) -> None:
    mirror.stalled = "demofat"
    spool = remote.folder / "killed"
    with remote.spawn_install("demofat", spool=spool) as process:
        assert mirror.reached.wait(20)
        os.killpg(process.pid, signal.SIGKILL)
    left = load_session(spool / "stoppable.json")
    assert left is not None and left.members()
    mirror.stalled = ""
    result = remote.install("demofat", job=PackageJob(spool, resumed=True))
    assert told(result) == {("demofat", "install", None, "1.0", "done")}
    assert not left.members()


def test_metadata_that_ages_between_plan_and_download_is_refreshed_once(
    remote: DnfHost, mirror: Mirror
) -> None:
    def replace_demo(path: str) -> None:
        if "/demo-1.1-1." in path:
            mirror.before_answer = lambda _: None
            remote.repository.withdraw("demo", "1.1", index=True)
            remote.publish("demo", "1.2", depends="demolib")

    mirror.before_answer = replace_demo
    assert told(remote.install("demo")) == {
        ("demo", "install", None, "1.2", "done"),
        ("demolib", "install", None, "2.0", "done"),
    }


def test_a_package_that_does_not_match_its_hash_is_not_installed(remote: DnfHost) -> None:
    file = remote.repository.path / "demofat-1.0-1.noarch.rpm"
    blob = bytearray(file.read_bytes())
    blob[-1] ^= 1
    file.unlink()
    file.write_bytes(blob)
    refused("fetch", remote.install, "demofat")
    assert remote.installed() == {}


def test_a_repository_that_may_be_missing_is_no_hindrance(host: DnfHost) -> None:
    (host.root / "etc/yum.repos.d/other.repo").write_text(
        "[other]\nname = other\nbaseurl = file:///nonexistent\nskip_if_unavailable = 1\n"
    )
    assert host.install("demo00").changed


def test_repositories_that_may_all_be_missing_are_missed_when_none_is_there(host: DnfHost) -> None:
    repo = host.root / "etc/yum.repos.d/stable.repo"
    repo.write_text(f"{repo.read_text()}skip_if_unavailable = 1\n")
    assert host.install("demo00").changed
    host.repository.path.rename(host.folder / "hidden")
    refused("fetch", host.install, "demo01")


def test_metadata_that_is_never_kept_is_fetched_and_used(host: DnfHost) -> None:
    repo = host.root / "etc/yum.repos.d/stable.repo"
    repo.write_text(f"{repo.read_text()}metadata_expire = 0\n")
    assert host.install("demo").changed


def test_a_worker_that_dies_in_the_download_is_an_error_of_its_own(
    remote: DnfHost, mirror: Mirror
) -> None:
    mirror.stalled = "demofat"
    started = remote.start_install("demofat")
    assert mirror.reached.wait(20)
    session = load_session(Path(started.job.spool) / "stoppable.json")
    assert session is not None
    os.kill(session.pid, signal.SIGKILL)
    outcome = started.outcome()
    assert outcome.code == "internal" and "signal 9" in str(outcome)
    assert remote.installed() == {}


# --- a full disk ---


@contextmanager
def small_disk(path: Path) -> Iterator[None]:
    path.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", path], check=True)


def test_a_full_disk_is_noticed_before_anything_is_changed(host: DnfHost) -> None:
    with small_disk(host.root / "usr/share/demofat"):
        error = refused("no-space", host.install, "demofat", "demo00")
    assert "space" in str(error)
    assert host.installed() == {}


# --- the worker and its host ---


def test_the_worker_is_written_for_the_python_of_rhel_9() -> None:
    files = sorted((Path(worker_process.__file__).parent / "worker").rglob("*.py"))
    assert len(files) > 20
    for file in files:
        tree = ast.parse(file.read_text(), feature_version=(3, 9))
        imported = {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not {name for name in imported if name.startswith(("pulp", "msgspec"))}


def test_the_host_itself_was_left_alone(host: DnfHost) -> None:
    """Its rpm has no packages, and its versionlock no entries."""
    host.give("demo00")
    host.hold("demo00")
    host.update_all(allow_held=True)
    assert not Path("/var/lib/rpm/rpmdb.sqlite").exists()
    locks = Path("/etc/dnf/plugins/versionlock.list")
    assert not locks.exists() or "demo" not in locks.read_text()
