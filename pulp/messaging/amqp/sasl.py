"""The SASL layer of AMQP 1.0 for both ends, EXTERNAL only: who a peer is, TLS has already proved. Sans-I/O.

It stands before the Proton engine, so nothing of an unauthenticated peer's reaches Proton's parser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pulp.messaging.amqp.primitives import (
    Malformed,
    Value,
    binary,
    described_list,
    descriptor,
    list_bounds,
    read,
    symbol,
)
from pulp.messaging.base import CannotTell, MessagingError

AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
SASL_HEADER = b"AMQP\x03\x01\x00\x00"
MECHANISM = "EXTERNAL"
MAX_FRAME = 4096
"""Bytes; what an unauthenticated peer may make us keep."""

_MECHANISMS, _INIT, _OUTCOME = 0x40, 0x41, 0x44
_OK, _AUTH, _TEMPORARY = 0, 1, 4
"""Codes of sasl-outcome (AMQP 1.0 part 5, 5.3.3.6)."""


class SaslError(MessagingError):
    """The peer did not do its part of authentication. `condition` is AMQP's name for what is wrong."""

    code = "sasl"
    condition = "amqp:connection:framing-error"


class SaslRefused(SaslError):
    """It did, and is not let in."""

    condition = "amqp:unauthorized-access"


class SaslUnsure(SaslError):
    """It did, and the server cannot tell just now whether to let it in."""

    condition = "amqp:internal-error"


class Sasl(Protocol):
    """One end of the exchange. `output` holds bytes to send, also after a SaslError: it may tell the peer why."""

    output: bytes

    def feed(self, data: bytes) -> bytes | None:
        """None while more is needed; then, once, what follows SASL in the stream. Raises SaslError."""


def _frame(body: bytes) -> bytes:
    return b"%b\x02\x01\x00\x00%b" % ((len(body) + 8).to_bytes(4), body)


class _Stream:
    """Cuts a byte stream into headers and SASL frames."""

    __slots__ = ("_data",)

    def __init__(self) -> None:
        self._data = b""

    def add(self, data: bytes) -> None:
        self._data += data

    def rest(self) -> bytes:
        return self._data

    def header(self, wanted: bytes, name: str) -> bool:
        """Whether the header is there; raises SaslError as soon as it cannot become `wanted`."""
        found = self._data[:8]
        if found != wanted[: len(found)]:
            raise SaslError(f"Expected the {name} header, got {found!r}")
        return len(found) == 8

    def drop(self, count: int) -> None:
        self._data = self._data[count:]

    def frame(self) -> tuple[int, bytes, int] | None:
        """Descriptor, bytes and position of the fields of the next frame; None while it is incomplete."""
        if len(self._data) < 8:
            return None
        size, offset, kind = int.from_bytes(self._data[:4]), self._data[4] * 4, self._data[5]
        if not 8 <= offset <= size <= MAX_FRAME or kind != 1:
            raise SaslError(f"Expected a SASL frame of at most {MAX_FRAME} bytes")
        if len(self._data) < size:
            return None
        frame = self._data[:size]
        self.drop(size)
        code, at = descriptor(frame, offset)
        return code, frame, at


class _Exchange:
    """What both ends have in common: steps that consume the stream until one of them is the last."""

    def __init__(self) -> None:
        self.output = b""
        self._stream = _Stream()
        self._step: Callable[[], bool] | None = None

    def feed(self, data: bytes) -> bytes | None:
        self._stream.add(data)
        try:
            while self._step is not None:
                if not self._step():
                    return None
        except (Malformed, IndexError, UnicodeDecodeError) as error:
            raise SaslError(f"A SASL frame is malformed: {error}") from error
        return self._stream.rest()


class ServerSasl(_Exchange):
    """Offers EXTERNAL and asks `authenticate`, once, with the identity the peer wants to act as ("" = its own)."""

    def __init__(self, authenticate: Callable[[str], bool]) -> None:
        super().__init__()
        self._authenticate = authenticate
        self._step = self._read_header

    def _read_header(self) -> bool:
        try:
            if not self._stream.header(SASL_HEADER, "SASL"):
                return False
        except SaslError:
            self.output += SASL_HEADER  # AMQP 1.0 part 2, 2.2: answer with the header that would have been right
            raise
        self._stream.drop(8)
        self.output += SASL_HEADER + _frame(described_list(_MECHANISMS, symbol(MECHANISM)))
        self._step = self._read_init
        return True

    def _read_init(self) -> bool:
        found = self._stream.frame()
        if found is None:
            return False
        code, frame, at = found
        if code != _INIT:
            raise SaslError(f"Expected sasl-init, got a frame of type 0x{code:x}")
        mechanism, response = _init_fields(frame, at)
        if mechanism != MECHANISM:
            self._refuse(f"The mechanism {mechanism!r} is not offered")
        try:
            accepted = self._authenticate(response)
        except CannotTell as error:
            self.output += _outcome(_TEMPORARY)
            raise SaslUnsure(str(error)) from error
        if not accepted:
            self._refuse("The certificate is not accepted")
        self.output += _outcome(_OK)
        self._step = self._read_amqp_header
        return True

    def _read_amqp_header(self) -> bool:
        """Proton would answer another SASL header with a SASL layer of its own: only AMQP may follow."""
        if not self._stream.header(AMQP_HEADER, "AMQP"):
            return False
        self._step = None
        return True

    def _refuse(self, why: str) -> None:
        self.output += _outcome(_AUTH)
        raise SaslRefused(why)


def _outcome(code: int) -> bytes:
    return _frame(described_list(_OUTCOME, b"\x50%c" % code))


def _init_fields(frame: bytes, at: int) -> tuple[Value, str]:
    count, at, _ = list_bounds(frame, at)
    if count < 1:
        raise SaslError("sasl-init names no mechanism")
    mechanism, at = read(frame, at)
    response = read(frame, at)[0] if count > 1 else None
    if response is not None and not isinstance(response, bytes):
        raise SaslError("The initial response is no binary")
    return mechanism, (response or b"").decode()


class ClientSasl(_Exchange):
    """Chooses EXTERNAL. Begin by sending `output`."""

    def __init__(self) -> None:
        super().__init__()
        self.output = SASL_HEADER
        self._step = self._read_header

    def _read_header(self) -> bool:
        if not self._stream.header(SASL_HEADER, "SASL"):
            return False
        self._stream.drop(8)
        self._step = self._read_mechanisms
        return True

    def _read_mechanisms(self) -> bool:
        found = self._stream.frame()
        if found is None:
            return False
        code, frame, _ = found
        if code != _MECHANISMS:
            raise SaslError(f"Expected sasl-mechanisms, got a frame of type 0x{code:x}")
        if (
            b"%c%b" % (len(MECHANISM), MECHANISM.encode()) not in frame
        ):  # length and name: in any array form
            raise SaslError(f"The server does not offer {MECHANISM}")
        self.output += _frame(described_list(_INIT, symbol(MECHANISM), binary(b"")))
        self._step = self._read_outcome
        return True

    def _read_outcome(self) -> bool:
        found = self._stream.frame()
        if found is None:
            return False
        code, frame, at = found
        if code != _OUTCOME:
            raise SaslError(f"Expected sasl-outcome, got a frame of type 0x{code:x}")
        count, at, _ = list_bounds(frame, at)
        outcome = read(frame, at)[0] if count else None
        if outcome == _AUTH:
            raise SaslRefused("The server does not accept this certificate")
        if outcome != _OK:
            raise SaslUnsure("The server cannot check this certificate just now")
        self._step = None
        return True
