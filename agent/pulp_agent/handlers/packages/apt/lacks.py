"""What apt does not have, and what an administrator does instead."""

from __future__ import annotations

from pulp_agent.handlers.packages.base import Ability

LACKS = {
    Ability.GROUPS: (
        "apt has no package groups: install a metapackage by its name instead; Debian's tasks are the metapackages"
        " task-NAME, such as task-ssh-server"
    ),
}
