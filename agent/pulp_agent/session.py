"""One connection's life: bytes from the link become events for the core, its messages become bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from pulp.common.failpoints import failpoint
from pulp.common.ids import new_id
from pulp.messaging.amqp.link import Incoming, Link, Outcome
from pulp.messaging.base import Message
from pulp.rmi.codec import decode_for_agent, encode
from pulp.rmi.errors import RemoteCallError
from pulp.rmi.messages import FINALS, Profile, ToServer
from pulp_agent.events import (
    Connected,
    Disconnected,
    FinalDelivered,
    ProfileDelivered,
    Received,
    Unreadable,
)
from pulp_agent.executor import Post


class Handle(NamedTuple):
    """A delivery with the connection it came by; accepting it after that connection's end does nothing."""

    session: Session
    incoming: Incoming


class Session:
    """The link's events (`amqp.link.LinkEvents`). `seq` tells what of the journal is on disk."""

    def __init__(self, post: Post, seq: Callable[[], int]) -> None:
        self._post = post
        self._seq = seq
        self._link: Link | None = None
        self._early: list[tuple[ToServer, bool]] = []
        self._tracked: dict[int, FinalDelivered | ProfileDelivered] = {}
        self.over = asyncio.Event()
        self.welcomed = asyncio.Event()
        """Set at the end too: nothing more is to be waited for."""
        self.opened_at: float | None = None
        self.reason = ""
        self.condition: str | None = None

    def attach(self, link: Link) -> None:
        """The connection is made; its first events may have come before."""
        self._link = link
        early, self._early = self._early, []
        for message, presettled in early:
            self.send(message, presettled=presettled)

    def opened(self) -> None:
        self.opened_at = asyncio.get_running_loop().time()
        self._post(Connected(self._seq()))

    def received(self, incoming: Incoming) -> None:
        message, handle = incoming.message, Handle(self, incoming)
        try:
            decoded = decode_for_agent(message.body, message.content_encoding)
        except RemoteCallError as error:
            self._post(Unreadable(error, handle))
        else:
            self._post(Received(decoded, handle))

    def settled(self, tag: int, outcome: Outcome) -> None:
        """Anything but accepted is sent again at the next welcome."""
        delivered = self._tracked.pop(tag, None)
        if delivered is not None and outcome is Outcome.ACCEPTED:
            failpoint("agent.final.confirmed")
            self._post(delivered)

    def closed(self, reason: str, condition: str | None) -> None:
        self.reason, self.condition = reason, condition
        self._post(Disconnected())
        self.over.set()
        self.welcomed.set()

    def send(self, message: ToServer, *, presettled: bool = False) -> None:
        """Raises LocalCallError or MessagingError for a message that is too large, which finals never are."""
        if self._link is None:
            self._early.append((message, presettled))
        elif not self._link.over:
            tag = self._link.send(_amqp(message), presettled=presettled)
            if isinstance(message, FINALS):
                self._tracked[tag] = FinalDelivered(message.id)
                failpoint("agent.final.sent")
            elif isinstance(message, Profile):
                self._tracked[tag] = ProfileDelivered(message.hash)

    def accept(self, incoming: Incoming) -> None:
        if self._link is not None:
            self._link.accept(incoming)

    def shut(self) -> None:
        if self._link is not None and not self._link.over:
            self._link.shut()

    def lasted(self) -> float:
        """Seconds since it was opened; 0 for one that never was."""
        return 0.0 if self.opened_at is None else asyncio.get_running_loop().time() - self.opened_at


def _amqp(message: ToServer) -> Message:
    encoded = encode(message)
    return Message(
        body=encoded.body,
        id=new_id(),
        subject=str(type(message).__struct_config__.tag),
        correlation_id=getattr(message, "id", None),
        content_encoding=encoded.content_encoding,
    )
