"""Records every message of this release's protocol in both directions: bytes, and what they mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct
from recordings import meaning

from pulp.rmi import codec
from pulp.rmi.interfaces import (
    METHODS,
    Change,
    ConfigFile,
    Facts,
    KeptBack,
    NoArgs,
    PackagesArgs,
    PackageSpec,
    PackagesResult,
    Policy,
    ProfileResult,
    RebootArgs,
    UpdateAllArgs,
)
from pulp.rmi.messages import (
    Accepted,
    Alive,
    Bye,
    CallStatus,
    Cancel,
    Canceled,
    Confirm,
    Failed,
    Hello,
    InstalledPackage,
    Message,
    Profile,
    Progress,
    Query,
    Rejected,
    Renew,
    Renewed,
    Replan,
    Request,
    Started,
    Succeeded,
    TooLate,
    Unknown,
    Welcome,
    WireWindow,
)
from pulp.rmi.versions import FEATURES, offer

NOON = 1_800_000_000_000
HOUR = 3_600_000
CALL = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

ARGS: dict[str, Struct] = {
    "Packages.install": PackagesArgs(
        packages=[
            PackageSpec(name="nginx", version="1:1.22.1-9+deb12u3", arch="amd64"),
            PackageSpec(name="zlib1g"),
        ],
        policy=Policy(
            allow_remove=True,
            allow_downgrade=True,
            allow_held=True,
            config_files="new",
            recommends="no",
            autoremove=True,
        ),
        dry_run=True,
    ),
    "Packages.update": PackagesArgs(packages=[PackageSpec(name="nginx")]),
    "Packages.remove": PackagesArgs(packages=[PackageSpec(name="nginx")]),
    "Packages.update_all": UpdateAllArgs(security_only=True, policy=Policy(autoremove=True)),
    "Packages.profile": NoArgs(),
    "System.ping": NoArgs(),
    "System.info": NoArgs(),
    "System.reboot": RebootArgs(delay=60_000, if_needed=True),
}
RESULT = PackagesResult(
    backend="apt",
    dry_run=False,
    changed=True,
    changes=[
        Change(
            name="nginx",
            arch="amd64",
            action="upgrade",
            from_="1.20",
            to="1.22",
            requested=True,
            automatic=True,
            security=True,
            repo="debian-security",
            outcome="done",
            error="none",
        )
    ],
    unknown=["ngnix"],
    kept_back=[KeptBack(name="linux-image", reason="held")],
    config_files=[ConfigFile(path="/etc/nginx/nginx.conf", decision="keep")],
    scripts_failed=["man-db"],
    repaired=True,
    reboot_needed=True,
    phases={"download": 1200, "commit": 3400},
    log="Unpacking nginx …\n",
)
VALUES: dict[str, Struct] = {
    "Packages.install": RESULT,
    "Packages.profile": ProfileResult(
        hash="sha256:1", packages=[{"name": "nginx", "version": "1.22", "arch": "amd64"}]
    ),
    "System.info": Facts(os={"id": "debian", "version": "12"}, boot_id="boot", timezone="UTC"),
    "System.reboot": NoArgs(),
}
WINDOW = WireWindow(begin=NOON + HOUR, end=NOON + 3 * HOUR)


def request(path: str, **changes: Any) -> Request:
    interface, _, method = path.partition(".")
    values: dict[str, Any] = {
        "id": CALL,
        "consumer": "web1",
        "class_": interface,
        "method": method,
        "version": 1,
        "args": Raw(msgspec.json.encode(ARGS[path])),
        "by": "olga",
        "issued": NOON,
        "needs": [],
        "window": None,
        "plan": 1,
        "accept_by": NOON + 24 * HOUR,
        "expires": NOON + 48 * HOUR,
        "timeout": 2 * HOUR,
    }
    return Request(**(values | changes))


def succeeded(path: str, **changes: Any) -> Succeeded:
    value = Raw(msgspec.json.encode(VALUES[path]))
    final = Succeeded(id=CALL, value=value, started=NOON + 1, finished=NOON + 5)
    return msgspec.structs.replace(final, **changes)


def to_agent() -> dict[str, Message]:
    requests = {f"request-{path}": request(path) for path in ARGS}
    return requests | {
        "welcome": Welcome(
            now=NOON,
            features=sorted(FEATURES),
            ca=[PEM],
            signing_keys=["key"],
            urls=["amqps://pulp.example.com:5671"],
            progress_every=1000,
        ),
        "request-windowed": request("Packages.install", needs=["window"], window=WINDOW, plan=3),
        "replan": Replan(id=CALL, plan=4, window=WINDOW, expires=NOON + 3 * HOUR),
        "replan-no-window": Replan(id=CALL, plan=5, window=None, expires=NOON + 48 * HOUR),
        "cancel": Cancel(id=CALL),
        "query": Query(id=CALL),
        "confirm": Confirm(ids=[CALL, OTHER]),
        "renewed": Renewed(certificate=PEM, ca=[PEM]),
    }


def hello(calls: list[CallStatus]) -> Hello:
    return Hello(
        agent="0.1.0",
        protocols=[1],
        methods=offer(METHODS),
        features=sorted(FEATURES),
        now=NOON,
        boot_id="boot",
        timezone="Europe/Berlin",
        os={"id": "debian", "version": "12"},
        journal_id="journal-1",
        journal_seq=17,
        calls=calls,
    )


def to_server() -> dict[str, Message]:
    values = {f"succeeded-{path}": succeeded(path) for path in VALUES}
    return values | {
        "hello": hello([]),
        "hello-with-calls": hello(
            [
                CallStatus(CALL, "held"),
                CallStatus(OTHER, "ready"),
                CallStatus("c-3", "running"),
                CallStatus("c-4", "done"),
            ]
        ),
        "alive": Alive(now=NOON),
        "bye": Bye(now=NOON),
        "accepted-held": Accepted(id=CALL, state="held", starts=NOON + HOUR),
        "accepted-ready": Accepted(id=CALL, state="ready"),
        "rejected": Rejected(
            id=CALL, code="unsupported-feature", expected="cancel", found="window"
        ),
        "started": Started(id=CALL, at=NOON + 1),
        "progress": Progress(id=CALL, seq=3, phase="download", percent=42.5, message="nginx"),
        "succeeded-truncated": succeeded("Packages.install", truncated=True),
        "failed": Failed(
            id=CALL,
            code="script",
            message="The postinst of man-db failed.",
            details=Raw(msgspec.json.encode(RESULT)),
            started=NOON + 1,
            finished=NOON + 5,
            truncated=True,
        ),
        "failed-never-started": Failed(id=CALL, code="window-missed", message="It closed."),
        "canceled": Canceled(id=CALL),
        "too-late": TooLate(id=CALL, of="cancel"),
        "unknown": Unknown(id=CALL),
        "profile": profile(1),
        "profile-long": profile(150),
        "renew": Renew(csr="-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n"),
    }


def profile(packages: int) -> Profile:
    return Profile(
        hash="sha256:1",
        packages=[
            InstalledPackage(
                name=f"package-{n}",
                version=f"1.{n}",
                arch="amd64",
                held=True,
                state="half-installed",
            )
            for n in range(packages)
        ],
    )


def record(release: Path) -> None:
    index = {}
    for direction, messages in (("to_agent", to_agent()), ("to_server", to_server())):
        (release / direction).mkdir(parents=True)
        for name, message in messages.items():
            body, encoding = codec.encode(message)  # type: ignore[arg-type]
            file = f"{direction}/{name}.json" + (".gz" if encoding else "")
            (release / file).write_bytes(body)
            method, typed = _typed(message)
            known = {"message": meaning(message), "method": method, "typed": meaning(typed)}
            index[file] = known
    (release / "messages.json").write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")


def _typed(message: Message) -> tuple[str | None, Any]:
    match message:
        case Request():
            path = f"{message.class_}.{message.method}"
            return path, ARGS[path]
        case Succeeded():
            path, value = next((p, v) for p, v in VALUES.items() if _is(message.value, v))
            return path, value
    return None, None


def _is(raw: Raw, value: Struct) -> bool:
    return bytes(raw) == msgspec.json.encode(value)
