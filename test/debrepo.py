"""A throw-away APT repository and private package roots, for the tests and the demo. Standard library and dpkg only.

Nothing here needs root, and nothing touches the host's own packages: a private root has its own apt and dpkg state, and
dpkg installs into it. Packages are written without dpkg-deb, which takes 20 ms for the lot.
"""

from __future__ import annotations

import email.utils
import functools
import hashlib
import io
import os
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

SECURITY_LABEL = "Pulp-Security"
"""The label of the security suite: what `AptSettings.security_labels` must name."""

_SUITES = {"stable": "Pulp", "stable-security": SECURITY_LABEL}


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One version of a package of architecture `all`.

    `files` maps a path without the leading slash to its text; `size` adds that many bytes that do not compress; `scripts`
    maps `postinst` and its like to shell lines, in which `$DPKG_ROOT` is the private root; `extra` holds more control fields.
    """

    name: str
    version: str = "1.0"
    depends: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: Sequence[str] = ()
    scripts: Mapping[str, str] = field(default_factory=dict)
    size: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def filename(self) -> str:
        return f"{self.name}_{self.version.replace(':', '%3a')}_all.deb"

    def control(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": "all",
            "Maintainer": "Pulp <pulp@example.org>",
            "Section": "misc",
            "Priority": "optional",
            "Depends": self.depends,
            **self.extra,
            "Description": f"throw-away test package {self.name}",
        }
        return "".join(f"{key}: {value}\n" for key, value in fields.items() if value)

    def deb(self) -> bytes:
        """The package file: an `ar` archive of a version, a control tar and a data tar (deb(5))."""
        control = {"control": self.control()}
        if self.conffiles:
            control["conffiles"] = "".join(f"/{path}\n" for path in self.conffiles)
        scripts = {name: f"#!/bin/sh\nset -e\n{body}\n" for name, body in self.scripts.items()}
        data: dict[str, str | bytes] = {f"usr/share/{self.name}/version": f"{self.version}\n"}
        data |= self.files
        if self.size:
            data[f"usr/share/{self.name}/blob"] = hashlib.shake_128(b"pulp").digest(self.size)
        members = {
            "debian-binary": b"2.0\n",
            "control.tar": _tar({**control, **scripts}, executable=scripts),
            "data.tar": _tar(data),
        }
        return b"!<arch>\n" + b"".join(_ar_member(name, blob) for name, blob in members.items())


def _ar_member(name: str, blob: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(blob):<10}`\n".encode()
    return header + blob + b"\n" * (len(blob) % 2)


def _tar(files: Mapping[str, str | bytes], executable: Mapping[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    folders = {parent for path in files for parent in PurePosixPath(path).parents}
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for folder in sorted(folders):
            tar.addfile(_entry(str(folder), mode=0o755, kind=tarfile.DIRTYPE))
        for path, content in files.items():
            blob = content.encode() if isinstance(content, str) else content
            entry = _entry(path, mode=0o755 if path in (executable or {}) else 0o644)
            entry.size = len(blob)
            tar.addfile(entry, io.BytesIO(blob))
    return buffer.getvalue()


def _entry(path: str, *, mode: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("./" if path == "." else f"./{path}")
    entry.mode, entry.type, entry.uname, entry.gname = mode, kind, "root", "root"
    return entry


@dataclass(frozen=True, slots=True)
class Repository:
    """An APT repository in a folder, with a `stable` and a `stable-security` suite. Unsigned: its sources say trusted."""

    path: Path

    def publish(self, *packages: Package, suite: str = "stable") -> None:
        """Add packages, or replace those of the same name and version; a host sees them after its next refresh."""
        pool = self.path / "pool" / suite
        pool.mkdir(parents=True, exist_ok=True)
        stanzas = self._stanzas(suite)
        for package in packages:
            blob = package.deb()
            (pool / package.filename).write_bytes(blob)
            stanzas[package.filename] = (
                f"{package.control()}Filename: pool/{suite}/{package.filename}\n"
                f"Size: {len(blob)}\nSHA256: {hashlib.sha256(blob).hexdigest()}\n"
            )
        self._write_index(suite, stanzas)

    def withdraw(self, name: str, version: str, *, suite: str = "stable", index: bool) -> None:
        """Take a package's file away; with `index=False` the index still lists it, as in a mirror out of step."""
        filename = Package(name=name, version=version).filename
        (self.path / "pool" / suite / filename).unlink()
        if index:
            stanzas = self._stanzas(suite)
            del stanzas[filename]
            self._write_index(suite, stanzas)

    def sources(self, uri: str | None = None, *, options: str = "trusted=yes") -> str:
        """The text of a sources.list; `uri` is this folder unless it is served by another name."""
        base = uri or f"file:{self.path}"
        return "".join(f"deb [{options}] {base} {suite} main\n" for suite in _SUITES)

    def _index(self, suite: str) -> Path:
        return self.path / "dists" / suite / "main" / f"binary-{architecture()}" / "Packages"

    def _stanzas(self, suite: str) -> dict[str, str]:
        index = self._index(suite)
        text = index.read_text() if index.exists() else ""
        stanzas = [f"{stanza}\n" for stanza in text.strip().split("\n\n") if stanza]
        return {_field(stanza, "Filename").rpartition("/")[2]: stanza for stanza in stanzas}

    def _write_index(self, suite: str, stanzas: Mapping[str, str]) -> None:
        index = self._index(suite)
        index.parent.mkdir(parents=True, exist_ok=True)
        blob = "\n".join(stanzas.values()).encode()
        index.write_bytes(blob)
        dists = self.path / "dists" / suite
        name = index.relative_to(dists)
        release = dists / "Release"
        before = release.stat().st_mtime if release.exists() else 0.0
        release.write_text(
            f"Origin: Pulp\nLabel: {_SUITES[suite]}\nSuite: {suite}\nCodename: {suite}\n"
            f"Date: {email.utils.formatdate(usegmt=True)}\nArchitectures: {architecture()} all\n"
            f"Components: main\nNo-Support-for-Architecture-all: Packages\nAcquire-By-Hash: no\n"
            f"SHA256:\n {hashlib.sha256(blob).hexdigest()} {len(blob)} {name}\n"
        )
        # HTTP tells changes by whole seconds: two changes within one must still look like two
        stamp = max(time.time(), before + 1)
        os.utime(release, (stamp, stamp))


def _field(stanza: str, name: str) -> str:
    return next(
        line.partition(": ")[2] for line in stanza.splitlines() if line.startswith(f"{name}: ")
    )


@functools.cache
def architecture() -> str:
    """This host's dpkg architecture."""
    return subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()


def build_repository(path: Path, *, slow_seconds: int = 3) -> Repository:
    """Build the demo repository: see `demo_packages` and `security_packages` for what is in it."""
    repository = Repository(path.resolve())
    repository.publish(*demo_packages(slow_seconds=slow_seconds))
    repository.publish(*security_packages(), suite="stable-security")
    return repository


_GATE = """mkdir -p "$DPKG_ROOT/run"
touch "$DPKG_ROOT/run/demogate.reached"
while [ -e "$DPKG_ROOT/run/demogate.closed" ]; do sleep 0.05; done"""
_FAIL = """[ -e "$DPKG_ROOT/etc/allow-demofail" ] && exit 0
echo "demofail: cannot reach its database" >&2
exit 1"""
_REBOOT = """mkdir -p "$DPKG_ROOT/run"
echo "*** System restart required ***" > "$DPKG_ROOT/run/reboot-required"
echo demoreboot >> "$DPKG_ROOT/run/reboot-required.pkgs\""""


def demo_packages(*, slow_seconds: int) -> list[Package]:
    """The stable suite. What each package is for:

    demo, demolib: an application and its library, two versions each; democonf: a configuration file; demobroken: a dependency
    that does not exist; democonflict: cannot be together with demo; demofail: its postinst fails unless etc/allow-demofail
    exists; demoslow: its postinst takes `slow_seconds`; demohang: its postinst never ends; demogate: its postinst waits while
    run/demogate.closed exists, and makes run/demogate.reached; demofat: 4 MiB; demoreboot: asks for a restart; demosuite:
    recommends demolib and depends on demo.
    """
    slow = f"for i in $(seq {slow_seconds}); do echo demoslow step $i; sleep 1; done"
    conf = "etc/democonf.conf"
    return [
        Package(name="demo", version="1.0", depends="demolib (>= 1.0)"),
        Package(name="demo", version="1.1", depends="demolib (>= 1.0)"),
        Package(name="demolib", version="1.0"),
        Package(name="demolib", version="2.0"),
        *(
            Package(
                name="democonf",
                version=version,
                files={conf: f"setting = {version}\n"},
                conffiles=[conf],
            )
            for version in ("1.0", "2.0")
        ),
        Package(name="demobroken", depends="no-such-package (>= 3)"),
        Package(name="democonflict", extra={"Conflicts": "demo"}),
        Package(name="demofail", scripts={"postinst": _FAIL}),
        Package(name="demoslow", scripts={"postinst": slow}),
        Package(name="demohang", scripts={"postinst": "sleep 3600"}),
        Package(name="demogate", scripts={"postinst": _GATE}),
        Package(name="demofat", size=4 << 20),
        Package(name="demoreboot", scripts={"postinst": _REBOOT}),
        Package(name="demosuite", depends="demo", extra={"Recommends": "democonf"}),
        *(Package(name=f"demo{number:02d}") for number in range(5)),
    ]


def security_packages() -> list[Package]:
    """The security suite: fixes of 1.0 that the stable suite's newer versions hide."""
    return [
        Package(name="demo", version="1.0+sec1", depends="demolib (>= 1.0)"),
        Package(name="demolib", version="1.0+sec1"),
    ]


_FOLDERS = (
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/sources.list.d",
    "etc/apt/trusted.gpg.d",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/log/apt",
    "var/lib/dpkg/info",
    "var/lib/dpkg/updates",
    "var/lib/dpkg/triggers",
    "run",
    "tmp",
)


def make_root(path: Path, repository: Repository, *, uri: str | None = None) -> Path:
    """Make an empty private root that installs from `repository`; returns its apt configuration, the value of APT_CONFIG.

    dpkg runs unprivileged in it, with `--force-script-chrootless`: maintainer scripts get the root as `$DPKG_ROOT`.
    """
    root = path.resolve()
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    (root / "etc/apt/sources.list").write_text(repository.sources(uri))
    dpkg = [
        f"--root={root}",
        "--force-not-root",
        "--force-script-chrootless",
        "--force-unsafe-io",
        f"--log={root}/var/log/dpkg.log",
    ]
    config = root / "apt.conf"
    config.write_text(
        f'Dir "{root}";\n'
        f'Dir::State::status "{root}/var/lib/dpkg/status";\n'
        f'Dir::Log "{root}/var/log/apt";\n'
        f'APT::Architecture "{architecture()}";\n'
        f'APT::Architectures {{ "{architecture()}"; }};\n'
        'APT::Sandbox::User "root";\n'
        'Acquire::Languages "none";\n'
        'DPkg::Path "/usr/sbin:/usr/bin:/sbin:/bin";\n'
        "DPkg::Options { " + " ".join(f'"{option}";' for option in dpkg) + " };\n"
    )
    return config
