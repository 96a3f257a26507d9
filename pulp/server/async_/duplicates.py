"""Of two live connections with one identity: whether they are one agent's, or two hosts' of which one is a copy."""

from __future__ import annotations

from enum import Enum

from pulp.common.times import MINUTE
from pulp.rmi.messages import Hello
from pulp.server.async_.sessions import Session

IDLE_TIMEOUTS = 3
"""A host that was cut off and started anew leaves a dead connection behind for the idle timeout; one that lasts several of
them beside the new one is alive."""

STILL_THERE = IDLE_TIMEOUTS * MINUTE
"""ms, at the idle timeout that is the default."""


class Judgement(Enum):
    SAME = "same"
    """One agent came back: its newest connection counts."""
    COPY = "copy"
    """Two memories, or two hosts that both live."""
    UNCLEAR = "unclear"
    """Another start of the host, while the connection of the one before goes on: dead, or that of the original."""


class Duplicates:
    """Remembers which newcomers it was unsure of. One thread."""

    def __init__(self, still_there: int) -> None:
        """still_there: ms after which the connection from before is alive and the newcomer a copy."""
        self._still_there = still_there
        self._since: dict[tuple[str, str], int] = {}  # consumer id, boot id of the newcomer

    def judge(self, other: Session, hello: Hello, now: int) -> Judgement:
        """`other` is the live session that the one of `hello` would replace."""
        if hello.journal_id != other.journal_id or hello.journal_seq < other.journal_seq:
            return Judgement.COPY
        if hello.boot_id == other.boot_id:
            return Judgement.SAME
        since = self._since.setdefault((other.consumer_id, hello.boot_id), now)
        return Judgement.COPY if now - since >= self._still_there else Judgement.UNCLEAR

    def forget(self, consumer_id: str) -> None:
        """Its session ended: whoever comes next has nobody beside it."""
        self._since = {key: at for key, at in self._since.items() if key[0] != consumer_id}
