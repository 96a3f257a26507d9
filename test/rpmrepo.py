"""A throw-away RPM repository and private installroots, for the tests. Needs rpm, rpmbuild, createrepo_c and dnf, and root.

Nothing here touches the host's own rpm or dnf: what reads or writes a package database gets `--root` and a HOME whose
.rpmmacros put the database in its usual place (Debian's rpm has it in the home folder).
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TOOLS = ("rpm", "rpmbuild", "createrepo_c", "modifyrepo_c", "dnf-3")
SHELL = "demoshell"
"""The package that brings the shell for scripts; it is in every root."""

_COMMANDS = ("sh", "sleep", "touch", "mkdir", "seq", "cat")
_SPEC = """Name: pulp-test
Version: 1
Release: 1
Summary: throw-away test packages
License: MIT
BuildArch: noarch
%description
Throw-away test packages.
%install
cp -a {tree}/. %{{buildroot}}/
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One version of a noarch package.

    `files` maps a path without the leading slash to its text; `conffiles` are those of them that are %config(noreplace), or
    %config alone when `replace_config`; `size` adds that many bytes that do not compress; `scripts` maps `post` and its like to
    shell lines; `tags` are further lines of the spec, such as `Requires: demolib`.
    """

    name: str
    version: str = "1.0"
    release: str = "1"
    tags: Sequence[str] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    conffiles: Sequence[str] = ()
    replace_config: bool = False
    scripts: Mapping[str, str] = field(default_factory=dict)
    size: int = 0

    @property
    def nevra(self) -> str:
        return f"{self.name}-{self.version}-{self.release}.noarch"

    def write_files(self, tree: Path) -> None:
        blob = hashlib.shake_128(b"pulp").digest(self.size)
        marks = {f"usr/share/{self.name}/{self.version}": f"{self.version}\n"}
        for path, text in {**marks, **self.files}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_text(text)
        if blob:
            (tree / f"usr/share/{self.name}/blob").write_bytes(blob)

    def spec(self) -> str:
        """Its part of a spec file."""
        config = "%config" if self.replace_config else "%config(noreplace)"
        rest = [path for path in self.files if path not in self.conffiles]
        lines = [
            f"%package -n {self.name}",
            f"Version: {self.version}",
            f"Release: {self.release}",
            f"Summary: throw-away test package {self.name}",
            *self.tags,
            f"%description -n {self.name}",
            "A throw-away test package.",
            *(f"%{kind} -n {self.name}\n{body}" for kind, body in self.scripts.items()),
            f"%files -n {self.name}",
            f"/usr/share/{self.name}",
            *(f"{config} /{path}" for path in self.conffiles),
            *(f"/{path}" for path in rest),
        ]
        return "\n".join(lines) + "\n"


def build(folder: Path, packages: Iterable[Package]) -> None:
    """Write the packages' files: one rpmbuild for all names, further ones for further versions."""
    rounds: list[dict[str, Package]] = []
    for package in packages:
        free = next((r for r in rounds if package.name not in r), None)
        if free is None:
            rounds.append(free := {})
        free[package.name] = package
    for group in rounds:
        _rpmbuild(folder, list(group.values()))


def _rpmbuild(folder: Path, packages: Sequence[Package]) -> None:
    with tempfile.TemporaryDirectory(prefix="pulp-rpmbuild-") as name:
        work = Path(name)
        for package in packages:
            package.write_files(work / "tree")
        spec = work / "pulp-test.spec"
        text = _SPEC.format(tree=work / "tree") + "".join(package.spec() for package in packages)
        spec.write_text(text)
        defines = {
            "_topdir": work / "build",
            "_rpmdir": folder,
            "_rpmfilename": "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            "_build_id_links": "none",
            "__os_install_post": "%{nil}",
            "_binary_payload": "w1.gzdio",
        }
        options = [word for key, value in defines.items() for word in ("-D", f"{key} {value}")]
        run("rpmbuild", "-bb", "--quiet", *options, str(spec), home=work)


def run(*command: str, home: Path) -> str:
    """Run a tool with a HOME of its own."""
    env = {**os.environ, "HOME": str(home), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, env=env, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Advisory:
    """`packages`: `name-version-release` of noarch packages; `cves`: ids of what it is about; `restart`: what it fixes takes
    effect with a restart of the host."""

    id: str
    kind: str
    packages: Sequence[str]
    cves: Sequence[str] = ()
    restart: bool = False

    def xml(self) -> str:
        listed = "".join(_advised(nvr, restart=self.restart) for nvr in self.packages)
        about = "".join(f'<reference href="x" id="{cve}" type="cve"/>' for cve in self.cves)
        return (
            f'<update from="pulp@example.org" status="final" type="{self.kind}" version="1">'
            f'<id>{self.id}</id><title>{self.id}</title><issued date="2026-01-02 03:04:05"/>'
            f"<severity>Important</severity><description>A fix.</description>"
            f"<references>{about}</references>"
            f'<pkglist><collection short="demo"><name>demo</name>{listed}</collection></pkglist></update>'
        )


def _advised(nvr: str, *, restart: bool) -> str:
    name, version, release = nvr.rsplit("-", 2)
    return (
        f'<package name="{name}" version="{version}" release="{release}" epoch="0" arch="noarch"'
        f' src="{nvr}.src.rpm"><filename>{nvr}.noarch.rpm</filename>'
        f"{'<reboot_suggested>True</reboot_suggested>' if restart else ''}</package>"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A package group of the comps file; the packages by their names."""

    id: str
    mandatory: Sequence[str] = ()
    default: Sequence[str] = ()
    optional: Sequence[str] = ()

    def xml(self) -> str:
        kinds = {"mandatory": self.mandatory, "default": self.default, "optional": self.optional}
        packages = "".join(
            f'<packagereq type="{kind}">{name}</packagereq>'
            for kind, names in kinds.items()
            for name in names
        )
        return (
            f"<group><id>{self.id}</id><name>{self.id.title()}</name><description>Demo.</description>"
            f"<default>false</default><uservisible>true</uservisible>"
            f"<packagelist>{packages}</packagelist></group>"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A group of groups of the comps file."""

    id: str
    groups: Sequence[str]

    def xml(self) -> str:
        listed = "".join(f"<groupid>{group}</groupid>" for group in self.groups)
        return (
            f"<environment><id>{self.id}</id><name>{self.id}</name><description>Demo.</description>"
            f"<display_order>1</display_order><grouplist>{listed}</grouplist></environment>"
        )


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository in a folder, `stable` to its hosts."""

    path: Path

    def publish(self, *packages: Package, advisories: Sequence[Advisory] = ()) -> None:
        """Add packages, and make `advisories` the repository's only ones if there are any; a host sees them after its next
        refresh."""
        self.path.mkdir(parents=True, exist_ok=True)
        build(self.path, packages)
        self.index(advisories)

    def withdraw(self, name: str, version: str, *, index: bool) -> None:
        """Take a package's file away; with `index=False` the index still lists it, as in a mirror out of step."""
        (self.path / f"{Package(name=name, version=version).nevra}.rpm").unlink()
        if index:
            self.index()

    def index(self, advisories: Sequence[Advisory] = ()) -> None:
        """Write the metadata anew."""
        run("createrepo_c", "-q", "--update", "--keep-all-metadata", str(self.path), home=self.path)
        if advisories:
            self._add("updateinfo", "updates", advisories)

    def set_groups(self, *groups: Group | Environment) -> None:
        """Make these the repository's only ones."""
        self.index()  # the files may be linked with the model's, and are edited in place below
        self._add("group", "comps", groups)

    def _add(self, kind: str, tag: str, parts: Sequence[Advisory | Group | Environment]) -> None:
        """A further file of the metadata."""
        with tempfile.TemporaryDirectory(prefix="pulp-metadata-") as folder:
            file = Path(folder, f"{kind}.xml")
            body = "".join(part.xml() for part in parts)
            file.write_text(f'<?xml version="1.0"?>\n<{tag}>{body}</{tag}>\n')
            data = str(self.path / "repodata")
            run("modifyrepo_c", f"--mdtype={kind}", str(file), data, home=self.path)


_GATE = """echo run >> /run/demogate.runs
touch /run/demogate.reached
while [ -e /run/demogate.closed ]; do sleep 0.05; done"""
_FAIL = """[ -e /etc/allow-demofail ] && exit 0
echo "demofail: cannot reach its database" >&2
exit 1"""


def demo_packages() -> list[Package]:
    """What debrepo's demo packages are, in rpm's terms; the fixes are in the same repository and named by an advisory."""
    conf = "etc/democonf.conf"
    needs = ["Requires: demolib >= 1.0"]
    restart = "etc/dnf/plugins/needs-restarting.d/demoreboot.conf"
    return [
        *(Package(name="demo", version=v, tags=needs) for v in ("1.0", "1.0+sec1", "1.1")),
        *(Package(name="demolib", version=v) for v in ("1.0", "1.0+sec1", "2.0")),
        *(
            Package(
                name="democonf",
                version=version,
                files={conf: f"setting = {version}\n"},
                conffiles=[conf],
            )
            for version in ("1.0", "2.0")
        ),
        Package(name="demobroken", tags=["Requires: no-such-package >= 3"]),
        Package(name="democonflict", tags=["Conflicts: demo"]),
        Package(name="demofail", scripts={"post": _FAIL}),
        Package(name="demohang", scripts={"post": "sleep 3600"}),
        Package(name="demogate", scripts={"post": _GATE}),
        Package(name="demofat", size=4 << 20),
        Package(name="demoreboot", files={restart: "demoreboot\n"}),
        Package(name="demosuite", tags=["Requires: demo", "Recommends: democonf"]),
        *(Package(name=f"demo{number:02d}") for number in range(5)),
        Package(name=SHELL, tags=["Provides: /bin/sh"]),
    ]


DEMO_ADVISORIES = (
    Advisory(
        "DEMO-2026:1",
        "security",
        ("demo-1.0+sec1-1", "demolib-1.0+sec1-1"),
        cves=("CVE-2026-0001", "CVE-2026-0002"),
    ),
    Advisory("DEMO-2026:2", "enhancement", ("demo-1.1-1", "demolib-2.0-1")),
)


DEMO_GROUPS = (
    Group(id="demoserver", mandatory=["demo"], default=["democonf"], optional=["demofat"]),
    Group(id="demotools", mandatory=["demo00", "no-such-package"], default=["demo01"]),
    Environment(id="demoworld", groups=["demoserver", "demotools"]),
)


@functools.cache
def _models() -> tuple[Path, Path]:
    """The demo repository and an empty root, built once for this process."""
    folder = Path(tempfile.mkdtemp(prefix="pulp-rpmrepo-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    repository = Repository(folder / "repository")
    repository.publish(*demo_packages(), advisories=DEMO_ADVISORIES)
    repository.set_groups(*DEMO_GROUPS)
    root = folder / "root"
    _make_model_root(root, repository)
    return repository.path, root


def _make_model_root(root: Path, repository: Repository) -> None:
    for name in ("etc/dnf/plugins", "etc/yum.repos.d", "run", "tmp", "var/tmp", "var/log", "home"):
        (root / name).mkdir(parents=True)
    (root / "home/.rpmmacros").write_text("%_dbpath /var/lib/rpm\n")
    for command in _COMMANDS:
        _copy_program(Path(f"/bin/{command}").resolve(), root / "bin" / command, root)
    shell = repository.path / f"{Package(name=SHELL).nevra}.rpm"
    run(
        "rpm",
        "--root",
        str(root),
        "--force-debian",
        "--nodeps",
        "-i",
        str(shell),
        home=root / "home",
    )


def _copy_program(program: Path, target: Path, root: Path) -> None:
    """With the libraries that it is linked with, so that it runs with `root` as its root."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(program, target)
    for word in subprocess.check_output(["ldd", program], text=True).split():
        library = root / word.lstrip("/")
        if word.startswith("/") and not library.exists():
            library.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(word).resolve(), library)


def build_repository(path: Path) -> Repository:
    """The demo repository: see `demo_packages`."""
    shutil.copytree(_models()[0], path, copy_function=os.link)
    return Repository(path)


def make_root(
    root: Path, repository: Repository, *, uri: str | None = None, check: bool = False
) -> Path:
    """Make a root that has only a shell and installs from `repository`; returns its dnf.conf. `check`: of signatures."""
    config = make_dnf5_root(root, repository, uri=uri, check=check)
    plugins = root / "etc/dnf/plugins"
    for plugin in ("local", "show-leaves", "copr", "debuginfo-install", "post-transaction-actions"):
        (plugins / f"{plugin}.conf").write_text("[main]\nenabled = 0\n")
    (plugins / "versionlock.list").touch()
    (plugins / "versionlock.conf").write_text(
        f"[main]\nenabled = 1\nlocklist = {plugins}/versionlock.list\n"
    )
    with config.open("a") as file:
        file.write(
            f"reposdir = {root}/etc/yum.repos.d\nvarsdir = {root}/etc/dnf/vars\n"
            f"pluginconfpath = {plugins}\n"
        )
    return config


def make_dnf5_root(
    root: Path, repository: Repository, *, uri: str | None = None, check: bool = False
) -> Path:
    """The same for dnf5, which takes all that it reads from the root by itself."""
    shutil.copytree(_models()[1], root, copy_function=_link_programs)
    (root / "etc/yum.repos.d/stable.repo").write_text(
        f"[stable]\nname = stable\nbaseurl = {uri or f'file://{repository.path}'}\n"
        f"gpgcheck = {int(check)}\nretries = 1\n"
    )
    config = root / "etc/dnf/dnf.conf"
    config.write_text("[main]\nclean_requirements_on_remove = 1\nbest = 1\n")
    return config


def _link_programs(source: str, target: str) -> None:
    """Programs and libraries never change, and are the bulk."""
    if any(f"/root/{place}" in source for place in ("bin/", "lib/", "lib64/")):
        os.link(source, target)
    else:
        shutil.copy2(source, target)
