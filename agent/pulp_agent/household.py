"""What the core's rarer wishes do to the data directory: a renewed certificate, what the server says of itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from msgspec.structs import replace

from pulp_agent.errands import Errands
from pulp_agent.events import RestartRefused
from pulp_agent.home import Home, HomeError
from pulp_agent.reboot import command
from pulp_agent.trust import TrustError, client_context

_log = logging.getLogger(__name__)


class HomeHousehold:
    """`daemon.Household` on the data directory."""

    def __init__(self, home: Home, errands: Errands, *, reboot: Sequence[str] = ()) -> None:
        """reboot: the settings' own command."""
        self._home = home
        self._errands = errands
        self._reboot = reboot

    def read_profile(self) -> None:
        self._errands.read_profile()

    def restart_host(self, call_id: str) -> None:
        asking = command(self._reboot, f"Pulp task {call_id}")
        if asking is None:
            self._errands.post(RestartRefused("The host has neither systemctl nor shutdown."))
        else:
            _log.warning("The host is restarted", extra={"call": call_id})
            self._errands.restart_host(asking)

    def store_certificate(self, certificate: str, ca: Sequence[str]) -> None:
        """It is tried at the next connection; one that does not fit its key is dropped, and asked for anew."""
        try:
            self._home.store_renewed(certificate)
            self._keep_ca(ca)
            client_context(ca=self._home.ca, identity=self._home.next_identity)
        except (HomeError, TrustError) as error:
            _log.error("A renewed certificate cannot be used", extra={"error": str(error)})
            self._home.drop_renewal()

    def use_server(
        self, urls: Sequence[str], ca: Sequence[str], signing_keys: Sequence[str]
    ) -> None:
        """Empty lists change nothing, so that no slip at the server cuts its agents off."""
        before = self._home.registration()
        after = replace(
            before,
            urls=list(urls) or before.urls,
            signing_keys=list(signing_keys) or before.signing_keys,
        )
        if after != before:
            self._home.save_registration(after)
        self._keep_ca(ca)

    def _keep_ca(self, ca: Sequence[str]) -> None:
        if ca and self._home.ca_text(ca) != self._home.ca.read_text():
            self._home.save_ca(ca)
            _log.info("The trusted CAs have changed", extra={"count": len(ca)})
