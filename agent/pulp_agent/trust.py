"""The agent's TLS: its own certificate, the CAs of its registration, the server's name checked, TLS 1.2 or newer."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import urlsplit

from pulp.common.errors import PulpError

AMQPS_PORT = 5671


class TrustError(PulpError):
    """Keys, certificates or addresses that cannot be used; the sentence names the file or address."""

    code = "trust"


def client_context(*, ca: Path, identity: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=ca)
        context.load_cert_chain(identity)
    except (OSError, ssl.SSLError) as error:
        raise TrustError(f"{ca} or {identity} cannot be used: {error}") from error
    return context


def endpoint(url: str) -> tuple[str, int]:
    """`amqps://host[:port]` → (host, port)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise TrustError(f"{url} is no address: {error}") from error
    if parts.scheme != "amqps" or not host:
        raise TrustError(f"{url} is no address such as amqps://pulp.example.com:5671")
    return host, port or AMQPS_PORT
