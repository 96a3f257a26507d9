"""What cheroot reads a request from and writes an answer to: memory here, a socket with an overall deadline there."""

from __future__ import annotations

import io
import time
from socket import socket

LONGEST_WRITE = 30.0
"""Seconds that one answer may take to be taken off our hands."""
_CHUNK = 64 * 1024


class Inlet(io.BytesIO):
    """One whole request."""

    @property
    def bytes_read(self) -> int:
        return self.tell()

    def has_data(self) -> bool:
        return False


class Outlet:
    """Gathers an answer and sends it in large pieces; TimeoutError when the peer takes too long to read it."""

    closed = False

    def __init__(self, sock: socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.bytes_written = 0

    def write(self, data: bytes) -> int:
        self._buffer += data
        if len(self._buffer) >= _CHUNK:
            self.flush()
        return len(data)

    def flush(self) -> None:
        """Also leaves the socket non-blocking again."""
        if not self._buffer:
            return
        data = bytes(self._buffer)
        self._buffer.clear()
        deadline = time.monotonic() + LONGEST_WRITE
        view = memoryview(data)
        while view:
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            view = view[self._sock.send(view[:_CHUNK]) :]
            if view and time.monotonic() >= deadline:
                raise TimeoutError("the peer does not read its answer")
        self._sock.settimeout(0)
        self.bytes_written += len(data)

    def close(self) -> None:
        self._buffer.clear()
        self.closed = True


def makefile(sock: socket, mode: str = "r", bufsize: int = 0) -> Inlet | Outlet:
    """cheroot's hook; `bufsize` is cheroot's and means nothing here."""
    return Inlet() if "r" in mode else Outlet(sock)
