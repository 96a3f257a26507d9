"""From a parsed request to the WSGI application, and back, or into the waiting room."""

from __future__ import annotations

from typing import Any

from cheroot.wsgi import Gateway_10

from pulp.server.webservices.serving.polling import ENVIRON, Poll


class Gateway(Gateway_10):
    poll: Poll | None = None

    def respond(self) -> None:
        """Answer, or park the connection: then nothing is written."""
        self.poll = Poll(self.req.server.waiters)
        self.env[ENVIRON] = self.poll
        self._run()

    def resume(self) -> None:
        """The parked request's time has come: ask the application again, which now answers."""
        self.started_response = False
        self.req.outheaders = []
        self.env[ENVIRON] = Poll(self.req.server.waiters, resumed=True)
        self.poll = None
        self._run()

    def _run(self) -> None:
        response: Any = self.req.server.wsgi_app(self.env, self.start_response)
        try:
            if self.poll is not None and self.poll.waiting:
                self.req.conn.parked = self
                return
            for chunk in filter(None, response):
                self.write(chunk)
            self.req.ensure_headers_sent()
        finally:
            if hasattr(response, "close"):
                response.close()
