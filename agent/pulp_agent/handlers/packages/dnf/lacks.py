"""What the workers do not have yet, by the back end's name."""

from __future__ import annotations

from pulp_agent.handlers.packages.base import Ability

LACKS: dict[str, dict[Ability, str]] = {
    "dnf5": {
        Ability.ADVISORIES: (
            "updates by advisory or CVE are not offered on dnf5 yet: update the packages by their names, or everything that"
            " mends security with security_only"
        ),
        Ability.MINIMAL: (
            "policy.minimal is not offered on dnf5 yet: ask for a package's version outright, or for security_only"
        ),
    },
}
