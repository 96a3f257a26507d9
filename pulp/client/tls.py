"""Whom the client trusts: the system's CAs, a CA given as PEM, or one certificate pinned by its SHA-256 fingerprint."""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from pulp.client.errors import BadUsage

_HEX = re.compile(r"[0-9a-f]{64}")
_PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Trust:
    """At most one of the two; neither means the system's CAs."""

    ca: str = ""
    """PEM, one or more certificates."""
    fingerprint: str = ""
    """SHA-256 of the server's own certificate, lower-case hex."""


SYSTEM_TRUST = Trust()


class PinnedContext(ssl.SSLContext):
    """Accepts exactly one certificate, whoever signed it; anything else fails before a byte of HTTP is sent."""

    fingerprint: str

    def wrap_socket(self, sock: socket.socket, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        wrapped = super().wrap_socket(sock, *args, **kwargs)
        found = _digest(wrapped)
        if not hmac.compare_digest(found, self.fingerprint):
            wrapped.close()
            error = ssl.SSLCertVerificationError(1, "certificate fingerprint mismatch")
            error.verify_message = f"its fingerprint is {found}, not the pinned {self.fingerprint}"
            raise error
        return wrapped

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Used for TLS inside a TLS proxy only, where the handshake comes too late for the check above."""
        raise ssl.SSLError(
            "a pinned certificate cannot be checked through an HTTPS proxy; use --ca"
        )


def context_for(trust: Trust) -> ssl.SSLContext:
    """A client context that proves the server as `trust` says. BadUsage when the CA text holds no certificate."""
    if trust.fingerprint:
        pinned = PinnedContext(ssl.PROTOCOL_TLS_CLIENT)
        _check_nothing(pinned)
        pinned.fingerprint = trust.fingerprint
        return pinned
    if not trust.ca:
        return ssl.create_default_context()
    try:
        return ssl.create_default_context(cadata=trust.ca)
    except (ssl.SSLError, ValueError) as error:
        raise BadUsage(f"the CA file holds no readable PEM certificate ({error})") from error


def parse_fingerprint(text: str) -> str:
    """`AB:CD:…` or plain hex, with or without `SHA256:` before it → 64 lower-case hex digits."""
    plain = text.strip().lower()
    for prefix in ("sha256:", "sha256=", "sha-256:"):
        plain = plain.removeprefix(prefix)
    plain = plain.replace(":", "").replace(" ", "")
    if not _HEX.fullmatch(plain):
        raise BadUsage(
            "--fingerprint must be the SHA-256 fingerprint of the server's certificate: "
            "64 hex digits, with or without colons"
        )
    return plain


def server_fingerprint(host: str, port: int) -> str:
    """The fingerprint of the certificate that answers there, for a person to compare. OSError when nothing answers."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _check_nothing(context)
    with (
        socket.create_connection((host, port), timeout=_PROBE_SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=host) as wrapped,
    ):
        return _digest(wrapped)


def _check_nothing(context: ssl.SSLContext) -> None:
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def _digest(wrapped: ssl.SSLSocket) -> str:
    return hashlib.sha256(wrapped.getpeercert(binary_form=True) or b"").hexdigest()
