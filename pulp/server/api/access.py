"""Who may do what: viewers read, operators act, admins keep users and tokens."""

from __future__ import annotations

from pulp.server.api.errors import Forbidden
from pulp.server.domain.user import Principal, Role


def require(who: Principal, role: Role) -> None:
    """Forbidden unless `who` has this role or a higher one."""
    if who.role < role:
        raise Forbidden(f"this needs the role {role.label}; {who.login} is {who.role.label}")
