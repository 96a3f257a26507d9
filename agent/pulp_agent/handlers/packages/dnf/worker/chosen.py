"""The advisories that an order is limited to."""

from __future__ import annotations

from typing import Any

_CVE = "CVE-"
KINDS = ("bugfix", "enhancement", "newpackage", "security")


class Chosen:
    """False where the order takes the newest of everything."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.asked: list[str] = order["advisories"]
        self.cves = [one for one in self.asked if one.startswith(_CVE)]
        self.ids = [one for one in self.asked if not one.startswith(_CVE)]
        self.kinds = [] if self.asked else _kinds(order)

    def __bool__(self) -> bool:
        return bool(self.asked or self.kinds)

    def has(self, advisory: dict[str, Any]) -> bool:
        """`advisory`: as it is told."""
        return (
            advisory["id"] in self.ids
            or advisory["kind"] in self.kinds
            or not set(advisory["cves"]).isdisjoint(self.cves)
        )


def _kinds(order: dict[str, Any]) -> list[str]:
    if order["security_only"]:
        return ["security"]
    return list(KINDS) if order["policy"]["minimal"] else []
