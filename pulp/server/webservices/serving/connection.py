"""One connection. A worker thread only ever does what can be done at once: shake hands as far as bytes are there, gather a
request, answer a whole one. In between the connection lies with the selector, or with the waiters."""

from __future__ import annotations

import logging
import ssl
import time
from http import HTTPStatus
from socket import SHUT_WR, socket
from typing import Any

from cheroot.server import HTTPConnection

from pulp.server.webservices.serving.files import Inlet, Outlet, makefile
from pulp.server.webservices.serving.gateway import Gateway
from pulp.server.webservices.serving.intake import Intake, Refusal
from pulp.server.webservices.serving.request import Request

HANDSHAKE_TIME = 10.0
REQUEST_TIME = 30.0
"""Seconds from the first byte of a request to its last."""
IDLE_TIME = 75.0
DRAIN_TIME = 3.0
"""How long what a refused client still sends is read away, so that it sees our answer and not a reset."""
_PIECE = 64 * 1024

_FULL = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "busy",
    "The server holds too many unfinished requests: try again.",
)
_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 48\r\nConnection: close\r\n\r\n"
    b"This port speaks HTTPS only: use https:// here.\n"
)

log = logging.getLogger(__name__)


class Connection(HTTPConnection):
    def __init__(self, server: Any, sock: socket, _makefile: Any = makefile) -> None:
        # Not super().__init__(): it builds caches for Unix sockets on every connection.
        self.server = server
        self.socket = sock
        self.rfile = Inlet()
        self.wfile = Outlet(sock)
        self.requests_seen = 0
        self.fresh = True
        self.deadline = time.time() + HANDSHAKE_TIME
        self.parked: Gateway | None = None
        self._intake = Intake()
        self._encrypted = isinstance(sock, ssl.SSLSocket)
        self._shaken = not self._encrypted
        self._draining = False
        self._continued = False
        self._closed = False
        self._held = 0  # bytes of a part of a request, as told to the server
        server.connection_opened()

    @property
    def last_used(self) -> float:
        """cheroot closes a lying connection `server.timeout` after this: so it does at our own deadline."""
        return float(self.deadline - self.server.timeout)

    @last_used.setter
    def last_used(self, _now: float) -> None:
        pass

    @property
    def has_work(self) -> bool:
        """Something to do is here already, and no byte on the socket will tell."""
        intake = self._intake
        return not self._draining and (
            intake.ready or intake.refusal is not None or self._pending()
        )

    def park(self) -> None:
        """Lie with the waiters: the request's own gateway knows for what and how long."""
        poll = self.parked.poll if self.parked is not None else None
        if poll is None or poll.ticket is None:
            raise RuntimeError("only a request with a ticket can wait")
        self.server.waiters.park(
            poll.ticket,
            lambda: self.server.process_conn(self),
            after=poll.after,
            deadline=time.monotonic() + poll.seconds,
        )

    def communicate(self) -> bool:
        """Do what can be done now; whether the connection stays open. For a worker thread."""
        try:
            if self.parked is not None:
                return self._resume(self.parked)
            return self._step()
        except (
            OSError,
            ValueError,
        ) as error:  # reset, TLS garbage, an unread answer, a socket closed under us
            log.debug("connection ended", extra={"peer": self.remote_addr, "why": repr(error)})
            self._leave_queue()
            return False

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._leave_queue()
        self._hold(0)
        self.server.connection_closed()
        try:
            super().close()
        except OSError as error:
            log.debug("close failed", extra={"peer": self.remote_addr, "why": repr(error)})
            self.socket.close()

    def _leave_queue(self) -> None:
        if self.parked is not None and self.parked.poll is not None:
            self.parked.poll.drop()
            self.parked = None

    def _step(self) -> bool:
        if time.time() > self.deadline:
            return False
        self.socket.settimeout(0)
        if self._draining:
            return self._drain()
        if not self._shake():
            return True
        open_ = self._receive()
        if self._intake.refusal is not None:
            return self._refuse(self._intake.refusal)
        if self._intake.ready:
            return self._answer()
        if open_ and not self._hold(len(self._intake)):
            return self._refuse(_FULL)
        return open_

    # --- in ---

    def _shake(self) -> bool:
        """Go on with the TLS handshake; False while the client owes bytes."""
        if self._shaken:
            return True
        try:
            self.socket.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            if error.reason == "HTTP_REQUEST":
                socket.send(self.socket, _PLAIN)  # past the TLS layer
            raise
        self._shaken = True
        self.deadline = time.time() + REQUEST_TIME
        return True

    def _hold(self, size: int) -> bool:
        """Tell the server how much of a request lies here; False when all connections together hold too much."""
        change, self._held = size - self._held, size
        return bool(self.server.hold(change)) if change else True

    def _receive(self) -> bool:
        """Take what is there, no more than one request needs; False when the client has hung up."""
        while not self._intake.ready and self._intake.refusal is None:
            try:
                data = self.socket.recv(_PIECE)
            except (ssl.SSLWantReadError, BlockingIOError):
                self._ask_to_continue()
                return True
            if not data:
                return False
            if not len(self._intake):
                self.deadline = time.time() + REQUEST_TIME
            self._intake.feed(data)
        return True

    def _ask_to_continue(self) -> None:
        if self._intake.expects_continue and not self._continued:
            self._continued = True
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.wfile.flush()

    def _pending(self) -> bool:
        return self._encrypted and self._shaken and self.socket.pending() > 0

    # --- out ---

    def _answer(self) -> bool:
        self.rfile = Inlet(self._intake.take())
        self._continued = False
        request = Request(self.server, self)
        request.parse_request()
        if request.ready:
            self._respond(request)
            if self.parked is not None:
                return True
        return self._finish(keep=request.ready and not request.close_connection)

    def _respond(self, request: Request) -> None:
        try:
            request.respond()
        except OSError:
            raise
        except Exception:
            log.exception("a request failed outside the application")
            request.close_connection = True
            if not request.sent_headers:
                request.refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "The server failed.")

    def _resume(self, gateway: Gateway) -> bool:
        self.parked = None
        try:
            gateway.resume()
            return self._finish(keep=not gateway.req.close_connection)
        finally:
            self.server.waiters.answered()

    def _refuse(self, refusal: Refusal) -> bool:
        Request(self.server, self).refuse(refusal.status, refusal.code, refusal.detail)
        return self._finish(keep=False)

    def _finish(self, *, keep: bool) -> bool:
        self.wfile.flush()
        if keep:
            self.deadline = time.time() + IDLE_TIME
            return True
        self.socket.shutdown(SHUT_WR)
        self._draining = True
        self.deadline = time.time() + DRAIN_TIME
        return self._drain()

    def _drain(self) -> bool:
        """Read away what still comes; False when the client is done too."""
        for _ in range(32):
            try:
                if not self.socket.recv(_PIECE):
                    return False
            except BlockingIOError:
                return True
        return True
