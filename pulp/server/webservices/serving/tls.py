"""TLS for cheroot. Its own adapter shakes hands in the accepting thread, where one silent client stops everybody; this one
leaves the handshake to the connection, which does it without waiting."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path
from socket import socket
from typing import Any

from cheroot.errors import FatalSSLAlert
from cheroot.ssl import Adapter

from pulp.server.webservices.serving.files import makefile


def server_context(certfile: Path, keyfile: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer, no client certificate. OSError or ssl.SSLError when the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certfile, keyfile)
    return context


class TlsAdapter(Adapter):
    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket) -> socket:
        return sock

    def wrap(self, sock: socket) -> tuple[ssl.SSLSocket, dict[str, Any]]:
        """Without the handshake: Connection does it."""
        try:
            wrapped = self.context.wrap_socket(
                sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
        except (OSError, ValueError) as error:
            with suppress(OSError):
                sock.close()
            raise FatalSSLAlert(*error.args) from error
        return wrapped, self.get_environ()

    def get_environ(self) -> dict[str, Any]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    makefile = staticmethod(makefile)
