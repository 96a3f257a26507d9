"""Who may connect: the certificate's fingerprint must be one that is stored for the consumer its CN names."""

from __future__ import annotations

import logging

from pulp.messaging.base import CannotTell, Grant, PeerCertificate
from pulp.server.db.base import Store, StoreError

log = logging.getLogger(__name__)

REPLIES = "replies"


def source_of(uid: str) -> str:
    """The AMQP address an agent receives from."""
    return f"agent.{uid}"


class Identities:
    """Implements messaging.Authenticate."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, certificate: PeerCertificate) -> Grant | None:
        uid = certificate.common_name
        try:
            consumer = self._store.read(lambda uow: uow.consumers.by_uid(uid))
        except StoreError as error:
            log.exception("identity not checked", extra={"uid": uid})
            raise CannotTell("the store cannot be read just now") from error
        if consumer is None or certificate.fingerprint not in consumer.fingerprints:
            return None
        return Grant(identity=uid, source=source_of(uid), target=REPLIES)
