"""RestServer: the WSGI application on a TLS port, run in threads of its own."""

from __future__ import annotations

import errno
import logging
import sys
from pathlib import Path
from threading import Event, Lock, Thread

from cheroot.connections import ConnectionManager
from cheroot.server import HTTPServer

from pulp.server.webservices.application import App
from pulp.server.webservices.serving.connection import IDLE_TIME, Connection
from pulp.server.webservices.serving.gateway import Gateway
from pulp.server.webservices.serving.intake import LONGEST_HEAD
from pulp.server.webservices.serving.limits import connections
from pulp.server.webservices.serving.tls import TlsAdapter, server_context
from pulp.server.webservices.serving.waiters import Waiters

THREADS = 10
CONNECTIONS = 10_000
BACKLOG = 512
MOST_HELD = 64 * 1024 * 1024
"""Bytes of unfinished requests of all connections together."""

BREATH = 0.1
"""Seconds."""
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)

log = logging.getLogger(__name__)


class RestServer:
    """host: an address or name to bind to; port 0 takes a free one. threads: workers for whole requests."""

    def __init__(
        self,
        app: App,
        host: str,
        port: int,
        certfile: Path,
        keyfile: Path,
        threads: int = THREADS,
    ) -> None:
        self._waiters = app.waiters
        self._server = _Server((host, port), threads)
        self._server.wsgi_app = app
        self._server.waiters = app.waiters
        self._server.ssl_adapter = TlsAdapter(server_context(certfile, keyfile))
        self._thread = Thread(target=self._serve, name="rest-accept", daemon=True)

    @property
    def port(self) -> int:
        """The bound port, once started."""
        return int(self._server.bind_addr[1])

    def start(self) -> None:
        """Bind and serve; OSError when the address cannot be had."""
        self._server.most_connections = connections(CONNECTIONS)
        self._server.prepare()
        self._waiters.start()
        self._thread.start()
        log.info("REST is served", extra={"port": self.port})

    def stop(self, grace: float = 5.0) -> None:
        """Answer who waits, finish what is being answered within `grace` seconds, close everything."""
        self._waiters.close(grace / 2)
        self._server.shutdown_timeout = max(1, int(grace / 2))
        self._server.stop()
        self._thread.join()

    def _serve(self) -> None:
        try:
            self._server.serve()
        except Exception:
            log.exception("REST has stopped")


class _Server(HTTPServer):
    ConnectionClass = Connection
    timeout = int(IDLE_TIME)
    request_queue_size = BACKLOG
    max_request_header_size = LONGEST_HEAD + 1024
    keep_alive_conn_limit = 1_000_000  # most_connections bounds all of them
    wsgi_app: App
    waiters: Waiters
    most_connections = CONNECTIONS

    _connections: ConnectionManager

    def __init__(self, bind_addr: tuple[str, int], threads: int) -> None:
        super().__init__(bind_addr, Gateway, threads, threads, server_name="pulp")
        self._counts = Lock()
        self._breath = Event()  # never set
        self._count = 0
        self._held = 0

    def connection_opened(self) -> None:
        with self._counts:
            self._count += 1

    def connection_closed(self) -> None:
        with self._counts:
            self._count -= 1

    def hold(self, change: int) -> bool:
        """Count bytes of unfinished requests; False when they are too many."""
        with self._counts:
            self._held += change
            return self._held <= MOST_HELD

    def process_conn(self, conn: Connection) -> None:
        """A new connection goes to the selector first: only when it has sent something does it get a worker."""
        if not conn.fresh:
            super().process_conn(conn)
            return
        conn.fresh = False
        if self._count > self.most_connections:
            conn.close()
        else:
            self._connections.put(conn)

    def put_conn(self, conn: Connection) -> None:
        """Where a connection goes when a worker has done what could be done."""
        if conn.parked is not None and self.ready:
            conn.park()
        elif self.ready and conn.has_work:
            super().process_conn(conn)
        else:
            super().put_conn(conn)

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        """cheroot's hook. Without descriptors accept() fails again at once: the accepting thread takes a breath."""
        log.log(level, "REST server: %s", msg, exc_info=traceback)
        error = sys.exception()
        if isinstance(error, OSError) and error.errno in _NO_DESCRIPTORS:
            self._breath.wait(BREATH)
