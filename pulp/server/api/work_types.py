"""The request bodies of PackageWork; as `api.types` for the rest."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from pulp.rmi.interfaces import PackageName, Policy
from pulp.server.api.types import ActionBody

GroupId = Annotated[
    PackageName,
    Meta(
        description="the id of a package group, such as web-server: letters, digits, '.', '_', '+' and '-'"
    ),
]


class GroupsActionBody(ActionBody, frozen=True, kw_only=True):
    """install-group, remove-group: package groups by their ids."""

    groups: Annotated[list[GroupId], Meta(min_length=1, max_length=100)]
    policy: Policy = Policy()
    dry_run: bool = False


class GroupsBody(ActionBody, frozen=True, kw_only=True):
    """`refresh`: the host asks its repositories first."""

    refresh: bool = False


class RepairBody(ActionBody, frozen=True, kw_only=True):
    """`config_files`: what becomes of configuration files that were changed on the host."""

    config_files: Literal["keep", "new"] = "keep"
