"""What apt does not have, and what an administrator does instead."""

from __future__ import annotations

from pulp_agent.handlers.packages.base import Ability

LACKS = {
    Ability.GROUPS: (
        "apt has no package groups: install a metapackage by its name instead; Debian's tasks are the metapackages"
        " task-NAME, such as task-ssh-server"
    ),
    Ability.ADVISORIES: (
        "apt's repositories have no advisories: update the packages that an advisory or CVE names by their names, or everything"
        " that mends security with security_only"
    ),
    Ability.MINIMAL: (
        "apt's repositories do not tell which version mends what, so policy.minimal cannot be kept: ask for a package's version"
        " outright, or for security_only, which takes what the security suites have"
    ),
}
