"""One HTTPS request to the server, over TLS that is verified: by a CA file, by a pinned fingerprint, or by the system's trust."""

from __future__ import annotations

import hashlib
import http.client
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pulp.common.errors import PulpError

HTTPS_PORT = 8443
_TIMEOUT = 30.0  # s
_LONGEST_ANSWER = 1024 * 1024  # bytes
_HEX = re.compile(r"[0-9a-f]{64}")


class HttpsError(PulpError):
    """The server was not reached or not trusted; the sentence says which and what to do."""

    code = "https"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """At most one of the two; neither means the CAs that this system trusts."""

    ca: Path | None = None
    fingerprint: str | None = None
    """SHA-256 (hex, colons allowed) of the server's certificate or of the CA that signed it."""


class Https:
    """`post` verifies before it sends anything."""

    def __init__(self, trust: Trust) -> None:
        self._ca = trust.ca
        self._pin = normal_fingerprint(trust.fingerprint) if trust.fingerprint else None

    def post(self, server: str, route: str, body: bytes) -> tuple[int, bytes]:
        """(status, answer). HttpsError."""
        host, port = address(server)
        try:
            context, pinned = self._context(host, port)
            connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=context)
            return self._exchange(connection, pinned, route, body)
        except ssl.SSLCertVerificationError as error:
            raise HttpsError(self._distrust(server, error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise HttpsError(
                f"{server} cannot be reached: {error or type(error).__name__}"
            ) from error

    def _exchange(
        self, connection: http.client.HTTPSConnection, pinned: str | None, route: str, body: bytes
    ) -> tuple[int, bytes]:
        try:
            connection.connect()
            if pinned is not None and _fingerprint_of(connection.sock) != pinned:
                raise HttpsError(
                    "the server's certificate changed while it was looked at; nothing was sent"
                )
            connection.request("POST", route, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read(_LONGEST_ANSWER)
        finally:
            connection.close()

    def _context(self, host: str, port: int) -> tuple[ssl.SSLContext, str | None]:
        """The context to use, and the leaf's fingerprint where that is what proves the server."""
        if self._pin is None:
            return _verifying(cafile=self._ca), None
        chain = _presented(host, port)
        if hashlib.sha256(chain[0]).hexdigest() == self._pin:
            return _unverifying(), self._pin
        for der in chain[1:]:
            if hashlib.sha256(der).hexdigest() == self._pin:
                return _verifying(cadata=ssl.DER_cert_to_PEM_cert(der)), None
        found = ", ".join(hashlib.sha256(der).hexdigest() for der in chain)
        raise HttpsError(
            f"no certificate of {host}:{port} has the fingerprint {self._pin} (found: {found});"
            " check the fingerprint, or give the CA's file by --ca"
        )

    def _distrust(self, server: str, error: ssl.SSLCertVerificationError) -> str:
        reason = error.verify_message or error.reason
        if self._ca is None and self._pin is None:
            return (
                f"the certificate of {server} is not trusted ({reason}): give the server's CA by --ca FILE,"
                " or the fingerprint that pulp-server init printed by --fingerprint"
            )
        return f"the certificate of {server} is not what --ca or --fingerprint vouch for: {reason}"


def address(server: str) -> tuple[str, int]:
    """`https://host[:port]`, or `host[:port]` → (host, port)."""
    text = server if "://" in server else f"https://{server}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise HttpsError(f"{server!r} is no address: {error}") from error
    if parts.scheme != "https" or not host or parts.path.strip("/"):
        raise HttpsError(f"{server!r} is no address such as https://pulp.example.com:8443")
    return host, port or HTTPS_PORT


def normal_fingerprint(text: str) -> str:
    plain = text.replace(":", "").replace(" ", "").lower().removeprefix("sha256")
    if not _HEX.fullmatch(plain):
        raise HttpsError(f"{text!r} is no SHA-256 fingerprint: it has 64 hexadecimal digits")
    return plain


def _verifying(*, cafile: Path | None = None, cadata: str | None = None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=cafile, cadata=cadata)
    except (OSError, ssl.SSLError) as error:
        raise HttpsError(f"the CA file {cafile} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _unverifying() -> ssl.SSLContext:
    """For looking at a certificate, and for one that is compared with its pin before anything is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _presented(host: str, port: int) -> list[bytes]:
    """The server's certificate chain as DER, its own first."""
    with (
        socket.create_connection((host, port), timeout=_TIMEOUT) as plain,
        _unverifying().wrap_socket(plain, server_hostname=host) as secure,
    ):
        return _chain_of(secure)


def _chain_of(secure: ssl.SSLSocket) -> list[bytes]:
    """Public since Python 3.13; before, the same call sits one layer below."""
    whole = getattr(secure, "get_unverified_chain", None)
    if whole is not None:
        return list(whole())
    below = secure._sslobj.get_unverified_chain()  # type: ignore[attr-defined]
    return [certificate.public_bytes(ssl._ssl.ENCODING_DER) for certificate in below]  # type: ignore[attr-defined]


def _fingerprint_of(secure: object) -> str:
    if not isinstance(secure, ssl.SSLSocket):
        return ""
    return hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()
