"""PackageApi: which hosts have a package, and in which versions; as the hosts last reported."""

from __future__ import annotations

from pulp.server.api.access import require
from pulp.server.api.paging import listed
from pulp.server.api.types import InstallationView, ListView, SpreadView, VersionCountView
from pulp.server.db.base import PackageFilter, Store
from pulp.server.domain.package import Installation, Spread
from pulp.server.domain.user import Principal, Role


class PackageApi:
    def __init__(self, store: Store) -> None:
        self._store = store

    def list(
        self, who: Principal, where: PackageFilter, *, after: str | None, limit: int
    ) -> ListView[InstallationView]:
        """By name, version and arch as text."""
        require(who, Role.VIEWER)
        return listed(
            lambda: self._store.read(lambda uow: uow.packages.page(where, after, limit)), _view
        )

    def spread(self, who: Principal, name: str) -> SpreadView:
        """No hosts and no versions where nobody has it: nobody can tell a rare name from a wrong one."""
        require(who, Role.VIEWER)
        return _spread_view(name, self._store.read(lambda uow: uow.packages.spread(name)))


def _view(installation: Installation) -> InstallationView:
    return InstallationView(
        consumer_id=installation.consumer_id,
        name=installation.name,
        version=installation.version,
        arch=installation.arch,
    )


def _spread_view(name: str, spread: Spread) -> SpreadView:
    return SpreadView(
        name=name,
        hosts=spread.hosts,
        reported=spread.reported,
        versions=[
            VersionCountView(version=each.version, arch=each.arch, hosts=each.hosts)
            for each in spread.versions
        ],
    )
