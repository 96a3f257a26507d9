"""Certificate renewal: `python -m pulp_agent.renewal DATA` makes a new key and signing request when two thirds of the
certificate's life are over. A process of its own, so that the agent never holds the crypto library in memory."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pulp.common import failpoints
from pulp.common.clock import SystemClock
from pulp.common.failpoints import failpoint
from pulp.crypto.keys import make_csr, new_key, read_certificate
from pulp_agent.files import write_atomically
from pulp_agent.home import Home


def due(certificate: str, now: int) -> bool:
    """From two thirds of its life on, also when it is over. `certificate` is PEM."""
    facts = read_certificate(_certificate_in(certificate))
    return now >= facts.not_before + 2 * (facts.not_after - facts.not_before) // 3


def prepare(home: Home, now: int) -> bool:
    """Key and request on disk, those of an earlier attempt if there are any: a lost reply does no harm. False: not due."""
    identity = home.identity.read_text()
    if home.next_identity.exists() or not due(identity, now):
        return False
    if not home.next_key.exists():
        write_atomically(home.next_key, new_key().encode())
        failpoint("agent.renewal.key")
    name = read_certificate(_certificate_in(identity)).common_name
    write_atomically(home.next_csr, make_csr(home.next_key.read_text(), common_name=name).encode())
    failpoint("agent.renewal.requested")
    return True


def _certificate_in(identity: str) -> str:
    begin = identity.find("-----BEGIN CERTIFICATE-----")
    return identity[begin:] if begin >= 0 else identity


def main() -> int:
    failpoints.arm(os.environ)
    prepare(Home(Path(sys.argv[1])), SystemClock().now())
    return 0


if __name__ == "__main__":
    sys.exit(main())
