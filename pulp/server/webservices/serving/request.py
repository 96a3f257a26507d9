"""cheroot's request parser, whose own refusals are problem details too."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from cheroot.server import HTTPRequest, KnownLengthRFile

from pulp.server.webservices.problems import PROBLEM_JSON, encode_problem
from pulp.server.webservices.serving.headers import FramedHeaderReader

_CODES = {405: "method-not-allowed", 413: "too-large", 414: "too-large", 500: "internal"}


class Request(HTTPRequest):
    header_reader = FramedHeaderReader()

    def respond(self) -> None:
        """The request is whole and within its limits: Intake saw to that. A parked one has sent nothing yet."""
        length = int(self.inheaders.get(b"Content-Length", 0))
        self.rfile = KnownLengthRFile(self.conn.rfile, length)
        self.server.gateway(self).respond()

    def send_headers(self) -> None:
        self.outheaders.append((b"Date", _http_date(int(time.time()))))
        super().send_headers()

    def simple_response(self, status: str | int, msg: str = "") -> None:
        """cheroot's own refusals: of a malformed request line or header."""
        number = int(str(status)[:3])
        code = _CODES.get(number, "malformed")
        self.refuse(HTTPStatus(number), code, str(msg) or HTTPStatus(number).phrase)

    def refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        """A problem, after which the connection ends."""
        self.close_connection = True
        self.sent_headers = True
        body = encode_problem(status, code, detail)
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\n"
            f"Content-Type: {PROBLEM_JSON}\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Cache-Control: no-store\r\n"
            "Connection: close\r\n\r\n"
        )
        self.conn.wfile.write(head.encode("latin-1") + body)


@lru_cache(maxsize=4)
def _http_date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode("ascii")
