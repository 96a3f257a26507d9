"""What apt says, where no real apt here says it."""

from __future__ import annotations

from pulp_agent.handlers.packages.apt.plan import kept_back
from pulp_agent.handlers.packages.base import PackageState

_UBUNTU = """Calculating upgrade...
The following upgrades have been deferred due to phasing:
  libphased phased
The following packages have been kept back:
  held needy
  alien:i386
The following packages will be upgraded:
  other
1 upgraded, 0 newly installed, 0 to remove and 5 not upgraded.
"""
"""As apt 2.7 of Ubuntu 24.04 has it; Debian's apt does not phase."""


def test_an_update_that_ubuntu_gives_to_other_hosts_first_is_told_as_kept_back() -> None:
    held = PackageState(name="held", arch="amd64", version="1", held=True)
    reasons = {kept.name: kept.reason for kept in kept_back(_UBUNTU, {"held:amd64": held})}
    assert reasons == {
        "libphased": "phasing",
        "phased": "phasing",
        "held": "held",
        "needy": "dependency",
        "alien:i386": "dependency",
    }
