"""Gathers a connection's bytes until a whole request is there. Sans-I/O: it only says how much belongs to the next request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus

LONGEST_HEAD = 32 * 1024
LONGEST_BODY = 1024 * 1024

_HEAD_END = b"\r\n\r\n"
_FRAMING = re.compile(
    rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.I
)
_LENGTH = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the next request is not even taken; the connection ends with it."""

    status: HTTPStatus
    code: str
    detail: str


class Intake:
    """feed() bytes; `ready` says that take() gives a whole request. After a refusal nothing more is taken."""

    __slots__ = ("_buffer", "_scanned", "_size", "expects_continue", "refusal")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._size: int | None = None
        self.expects_continue = False
        self.refusal: Refusal | None = None

    def __len__(self) -> int:
        return len(self._buffer)

    @property
    def ready(self) -> bool:
        return self._size is not None and len(self._buffer) >= self._size

    def feed(self, data: bytes) -> None:
        self._buffer += data
        self._look()

    def take(self) -> bytes:
        """The next whole request; what follows it stays."""
        if self._size is None or not self.ready:
            raise ValueError("no whole request is there")
        request = bytes(self._buffer[: self._size])
        del self._buffer[: self._size]
        self._scanned, self._size, self.expects_continue = 0, None, False
        self._look()
        return request

    def _look(self) -> None:
        if self._size is not None or self.refusal is not None:
            return
        if not self._scanned:
            self._skip_blank_lines()
        end = self._buffer.find(_HEAD_END, max(0, self._scanned - len(_HEAD_END)))
        self._scanned = len(self._buffer)
        if end < 0:
            self._look_at_part()
        elif end > LONGEST_HEAD:
            self._refuse_head()
        else:
            self._look_at_head(end)

    def _skip_blank_lines(self) -> None:
        while self._buffer.startswith(b"\r\n"):
            del self._buffer[:2]

    def _look_at_part(self) -> None:
        if len(self._buffer) > LONGEST_HEAD:
            self._refuse_head()
            return
        line_end = self._buffer.find(b"\n", 0, 8192)
        if line_end >= 0 and self._buffer[max(0, line_end - 1) : line_end] != b"\r":
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed", "HTTP lines end with CR LF.")

    def _look_at_head(self, end: int) -> None:
        lengths: list[bytes] = []
        for name, value in _FRAMING.findall(self._buffer[:end]):
            match name.lower():
                case b"content-length":
                    lengths.append(value.strip())
                case b"transfer-encoding":
                    self._refuse(
                        HTTPStatus.LENGTH_REQUIRED,
                        "length-required",
                        "Send the body with Content-Length; Transfer-Encoding is not taken.",
                    )
                    return
                case _:
                    self.expects_continue = value.strip().lower() == b"100-continue"
        self._frame(end + len(_HEAD_END), lengths)

    def _frame(self, head: int, lengths: list[bytes]) -> None:
        if len(lengths) > 1 or any(not _LENGTH.fullmatch(length) for length in lengths):
            self._refuse(HTTPStatus.BAD_REQUEST, "malformed", "Content-Length must be one number.")
            return
        body = int(lengths[0]) if lengths else 0
        if body > LONGEST_BODY:
            self._refuse(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too-large",
                f"The body has {body} bytes; at most {LONGEST_BODY} are taken.",
            )
            return
        self._size = head + body

    def _refuse_head(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "too-large",
            f"The request line and headers take more than {LONGEST_HEAD} bytes.",
        )

    def _refuse(self, status: HTTPStatus, code: str, detail: str) -> None:
        self.refusal = Refusal(status, code, detail)
