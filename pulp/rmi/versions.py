"""What one end can take of the other: features, method versions, and arguments carried from version to version."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pulp.common.windows import Window
from pulp.rmi.errors import Unsupported
from pulp.rmi.interfaces import METHODS, Method, Policy
from pulp.rmi.messages import Override, WireWindow

WINDOW = "window"
"""An agent that has it keeps `request.window` itself: it starts nothing before or after it, with or without contact."""
CANCEL = "cancel"
"""`cancel` is answered by `canceled` or `too-late`, also when it overtakes its request."""
QUERY = "query"
"""`query` is answered by the call's stored last word, or by `unknown`."""
REPLAN = "replan"
"""`replan` moves a call that has not started to another window; the newest plan number wins."""
GZIP = "gzip"
"""Bodies with content-encoding gzip are read."""
WINDOW_RULE = "window-rule"
"""More of a window than one opening: its cutoff, the calendar behind it, what becomes of a missed one, the expected duration."""
ENFORCED_WINDOWS = "enforced-windows"
"""`keep` is understood: outside the host's own calendar nothing changes the host, whoever asks."""
OVERRIDE = "override"
"""`request.override` lets one call change an enforced host outside its calendar; the result tells if it did."""
ADVISORIES = "advisories"
"""`advisories` of `Packages.update_all`."""
POLICY_MINIMAL = "policy-minimal"
"""`policy.minimal`: an update goes no further than to the newest version that an advisory names."""
POLICY_REBOOT = "policy-reboot"
"""`policy.reboot`: package work that is followed by a restart of the host."""

PROFILE_HASH = "profile-hash"
"""Of the server: `profile-hash` is read, and answered by `want-profile` where another profile is stored."""

FEATURES = frozenset(
    {
        *(WINDOW, CANCEL, QUERY, REPLAN, GZIP),
        *(WINDOW_RULE, ENFORCED_WINDOWS, OVERRIDE, POLICY_REBOOT, PROFILE_HASH),
        *(ADVISORIES, POLICY_MINIMAL),
    }
)
"""What this release has, at both ends; `hello.features` and `welcome.features`."""

SINCE: Mapping[str, str] = {
    WINDOW: "0.1.0",
    CANCEL: "0.1.0",
    QUERY: "0.1.0",
    REPLAN: "0.1.0",
    GZIP: "0.1.0",
    WINDOW_RULE: "0.2.0",
    ENFORCED_WINDOWS: "0.2.0",
    OVERRIDE: "0.2.0",
    ADVISORIES: "0.2.0",
    POLICY_MINIMAL: "0.2.0",
    POLICY_REBOOT: "0.2.0",
    PROFILE_HASH: "0.2.0",
    "Packages.install 1": "0.1.0",
    "Packages.update 1": "0.1.0",
    "Packages.remove 1": "0.1.0",
    "Packages.update_all 1": "0.1.0",
    "Packages.profile 1": "0.1.0",
    "System.ping 1": "0.1.0",
    "System.info 1": "0.1.0",
    "System.reboot 1": "0.1.0",
    "Packages.updates 1": "0.2.0",
    "System.restart 1": "0.2.0",
    "Packages.install_group 1": "0.2.0",
    "Packages.remove_group 1": "0.2.0",
    "Packages.groups 1": "0.2.0",
    "Packages.repair 1": "0.2.0",
    "Packages.refresh 1": "0.2.0",
}
"""Feature, or method and version → the first agent that has it. Who adds one adds a line."""

Known = Mapping[tuple[str, int], Method]
Args = dict[str, Any]
Step = Callable[[Args], Args]
"""Pure: a method's arguments of one version as JSON data → those of the next version up or down.

Going down it raises `Unsupported` where the older version cannot say the same.
"""


def needs_of(*, window: Window | WireWindow | None, override: Override | None = None) -> list[str]:
    """What a request must name in `needs`: everything in it that restricts execution and that an older agent could ignore.

    Arguments are not in it: unknown ones are refused as such.
    """
    needs = [WINDOW] if window is not None else []
    if isinstance(window, WireWindow) and window.ruled:
        needs.append(WINDOW_RULE)
    return [*needs, OVERRIDE] if override is not None else needs


def needs_of_args(args: object) -> list[str]:
    """What an agent must have beside the method for these arguments. An older one would refuse them, but only once it is asked:
    this is for whoever plans the call."""
    policy = getattr(args, "policy", None)
    needs = [ADVISORIES] if getattr(args, "advisories", None) else []
    if not isinstance(policy, Policy):
        return needs
    if policy.minimal:
        needs.append(POLICY_MINIMAL)
    return [*needs, POLICY_REBOOT] if policy.reboot != "never" else needs


def missing(needs: Iterable[str], features: Collection[str]) -> list[str]:
    """The needs that `features` does not have, in their order."""
    return [need for need in needs if need not in features]


def since(features: Iterable[str]) -> str:
    """`window (agents have it from version 0.1.0 on)`, for each."""
    return ", ".join(f"{f} (agents have it from version {SINCE[f]} on)" for f in features)


def lacking_method(
    path: str,
    offered: Mapping[str, list[int]],
    known: Known = METHODS,
    introduced: Mapping[str, str] = SINCE,
) -> str:
    """Why an agent with these methods cannot be called, and which version of what would do; empty where it can."""
    if choose(path, offered, known) is not None:
        return ""
    ours = [version for p, version in known if p == path]
    theirs = offered.get(path)
    if not theirs:
        return f"it does not have it; agents have it from version {introduced[f'{path} {min(ours)}']} on"
    takes = f"it takes only versions {theirs} of it, and this server calls versions {ours}"
    if min(theirs) > max(ours):
        return f"{takes}: update the server"
    return f"{takes}: agents take them from version {introduced[f'{path} {min(ours)}']} on"


def offer(known: Known = METHODS) -> dict[str, list[int]]:
    """The known methods as `hello.methods` names them."""
    offered: dict[str, list[int]] = {}
    for path, version in sorted(known):
        offered.setdefault(path, []).append(version)
    return offered


def choose(path: str, offered: Mapping[str, list[int]], known: Known = METHODS) -> Method | None:
    """The newest version of the method that both ends know; None when there is none."""
    both = [version for version in offered.get(path, ()) if (path, version) in known]
    return known[path, max(both)] if both else None


def newest(path: str, version: int, known: Known = METHODS) -> Method:
    """The newest known version of the method. Unsupported when it is not known at all, or older than `version`."""
    versions = [v for p, v in known if p == path]
    if not versions:
        raise Unsupported("unknown-method", "method", expected="a known one", found=path)
    if version > max(versions):
        raise _unsupported(path, f"at most version {max(versions)}", version)
    return known[path, max(versions)]


@dataclass(frozen=True, slots=True)
class ArgsVersions:
    """How arguments change between the versions of a method: (path, from version) → step to the next, one table each way."""

    up: Mapping[tuple[str, int], Step]
    down: Mapping[tuple[str, int], Step]

    def lift(self, path: str, version: int, args: Args, known: Known = METHODS) -> tuple[int, Args]:
        """Stored or older arguments → (newest known version, arguments). Unsupported names what was expected and found."""
        target = newest(path, version, known).version
        return target, self.convert(path, version, args, to=target)

    def convert(self, path: str, version: int, args: Args, *, to: int) -> Args:
        """Arguments of `version` as those of version `to`, one step at a time; `args` itself is left as it is."""
        table, stride = (self.up, 1) if to > version else (self.down, -1)
        for at in range(version, to, stride):
            step = table.get((path, at))
            if step is None:
                raise _unsupported(path, f"version {to}", at)
            args = step(dict(args))
        return args


def _unsupported(path: str, expected: str, version: int) -> Unsupported:
    return Unsupported(
        "unsupported-version", "version", expected=f"{path} {expected}", found=str(version)
    )


ARGS_VERSIONS = ArgsVersions(up={}, down={})
"""Protocol 1 has one version of every method."""


@dataclass(frozen=True, slots=True)
class Repertoire:
    """The methods that one end knows, and how arguments go from version to version of them."""

    methods: Known
    args: ArgsVersions


TODAY = Repertoire(METHODS, ARGS_VERSIONS)
