"""Journal records to bytes and back, as the agent's journal writes them."""

from __future__ import annotations

import msgspec
from pulp_agent.records import AnyRecord

encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyRecord] = msgspec.json.Decoder(AnyRecord)


def decode(line: bytes) -> AnyRecord:
    return _decoder.decode(line)
