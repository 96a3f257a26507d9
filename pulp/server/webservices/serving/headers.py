"""Reads headers as cheroot does, and leaves out what this server has dealt with or will not have."""

from __future__ import annotations

from cheroot.server import HeaderReader

_DEALT_WITH = frozenset({b"Expect"})


class FramedHeaderReader(HeaderReader):
    def _allow_header(self, key_name: bytes) -> bool:
        """`Expect` was answered while the body was awaited. A name with an underscore would pass for one with a hyphen
        (`X_Y` and `X-Y` are the same WSGI variable)."""
        return key_name not in _DEALT_WITH and b"_" not in key_name
