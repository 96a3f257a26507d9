"""Whom the client trusts: the system's CAs, or the certificates of a PEM text and what those have signed. Names are checked,
always. A fingerprint is used once, at login, to pick the certificate to trust out of what the server shows."""

from __future__ import annotations

import hashlib
import re
import socket
import ssl

from pulp.client.errors import BadUsage

_HEX = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"sha-?256[:=]")
_PROBE_SECONDS = 10.0


def context_for(ca: str) -> ssl.SSLContext:
    """A context that trusts just this PEM text, or the system's CAs where it is empty. BadUsage when it cannot be read."""
    if not ca:
        return ssl.create_default_context()
    try:
        context = ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise BadUsage(f"the CA holds no readable PEM certificate ({error})") from error
    # So that a server's own certificate can be trusted too, without the CA that signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def parse_fingerprint(text: str) -> str:
    """`AB:CD:…` or plain hex, with or without `SHA256:` before it → 64 lower-case hex digits."""
    plain = _PREFIX.sub("", text.strip().lower(), count=1).replace(":", "").replace(" ", "")
    if not _HEX.fullmatch(plain):
        raise BadUsage(
            "--fingerprint must be the SHA-256 fingerprint that `pulp-server init` printed: "
            "64 hex digits, with or without colons"
        )
    return plain


def presented(host: str, port: int) -> list[str]:
    """The certificates that a server shows, as PEM, its own first. Trusts nobody and sends nothing. OSError when there is no
    TLS server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((host, port), timeout=_PROBE_SECONDS) as raw,
        context.wrap_socket(raw, server_hostname=host) as wrapped,
    ):
        return [ssl.DER_cert_to_PEM_cert(der) for der in _chain(wrapped)]


def fingerprint(pem: str) -> str:
    """SHA-256 of one certificate, lower-case hex."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def _chain(wrapped: ssl.SSLSocket) -> list[bytes]:
    if hasattr(wrapped, "get_unverified_chain"):  # Python 3.13
        return list(wrapped.get_unverified_chain())
    inner = getattr(wrapped, "_sslobj")  # noqa: B009 -- the same call, not yet public before 3.13
    return [certificate.public_bytes(2) for certificate in inner.get_unverified_chain() or ()]
