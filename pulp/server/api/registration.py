"""Registration of a host (docs/WIRE.md): a token and a CSR in, a certificate and the messaging profile out."""

from __future__ import annotations

from typing import Any

import msgspec

from pulp.common.clock import Clock
from pulp.common.failpoints import failpoint
from pulp.common.ids import new_id
from pulp.crypto.errors import BadCsr
from pulp.crypto.keys import csr_key_fingerprint, fingerprint
from pulp.server.api.errors import Conflict, Forbidden, invalid
from pulp.server.api.ports import AgentProfile, Authority, Links
from pulp.server.api.secrets import digest_of, same
from pulp.server.api.types import MessagingView, RegisterBody, RegisteredView
from pulp.server.api.views import consumer_view
from pulp.server.db.base import Store, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.user import RegistrationToken

REFUSED = (
    "this registration token is not valid: it is unknown, used up or expired; ask for a new one"
)


class Registrar:
    def __init__(
        self, store: Store, clock: Clock, authority: Authority, links: Links, profile: AgentProfile
    ) -> None:
        self._store = store
        self._clock = clock
        self._authority = authority
        self._links = links
        self._profile = profile

    def register(self, body: RegisterBody) -> RegisteredView:
        """The token is the caller's right. The same token with the same key again gives the same answer.

        Forbidden: the token is no good, or is bound to another id. Conflict: the id is taken, and only a token bound to it
        replaces its host. InvalidInput: the CSR cannot be signed.
        """
        key = _key_of(body.csr)
        digest = digest_of(body.token)
        known = self._store.read(lambda uow: self._again(uow, body, digest, key))
        return self._answer(known or self._new(body, digest, key))

    def _new(self, body: RegisterBody, digest: str, key: str) -> Consumer:
        now = self._clock.now()
        self._store.read(lambda uow: self._admit(uow, body, digest, now))
        candidate = self._candidate(body, key, now)
        consumer, replaced = self._store.write(
            lambda uow: self._store_new(uow, candidate, body, digest, now)
        )
        failpoint("server.register.committed")
        if replaced is not None:
            self._links.close(replaced)
        return consumer

    def _again(self, uow: UnitOfWork, body: RegisterBody, digest: str, key: str) -> Consumer | None:
        """The consumer that this very token and key registered; its history remembers both."""
        consumer = uow.consumers.get(body.id)
        if consumer is None or consumer.csr_fingerprint != key:
            return None
        token = _token(uow, digest)
        if token is None:
            return None
        made = uow.history.page(
            body.id, types=frozenset({HistoryType.CONSUMER_REGISTERED}), limit=1
        )
        details: dict[str, Any] = msgspec.json.decode(made.items[0].details) if made.items else {}
        same_one = details.get("token") == token.id and details.get("uid") == consumer.uid
        return consumer if same_one else None

    def _admit(
        self, uow: UnitOfWork, body: RegisterBody, digest: str, now: int
    ) -> tuple[RegistrationToken, Consumer | None]:
        """The token and the host it would replace; Forbidden, Conflict."""
        token = _token(uow, digest)
        if token is None or token.expires_at <= now or token.uses_left == 0:
            raise Forbidden(REFUSED)
        if token.consumer_id is not None and token.consumer_id != body.id:
            raise Forbidden("this registration token is bound to another consumer id")
        existing = uow.consumers.get(body.id)
        if existing is not None and token.consumer_id != body.id:
            raise Conflict(
                f"consumer {body.id} exists: choose another id, or use a token bound to {body.id} to replace its host"
            )
        return token, existing

    def _candidate(self, body: RegisterBody, key: str, now: int) -> Consumer:
        uid = new_id()
        certificate = self._authority.issue_client(body.csr, common_name=uid)
        return Consumer(
            id=body.id,
            uid=uid,
            registered_at=now,
            fingerprints=[fingerprint(certificate)],
            csr_fingerprint=key,
            certificate=certificate,
            display_name=body.display_name,
            notes=body.notes,
        )

    def _store_new(
        self, uow: UnitOfWork, candidate: Consumer, body: RegisterBody, digest: str, now: int
    ) -> tuple[Consumer, str | None]:
        """The consumer as stored, and the uid it replaces. A second request that was faster has already made it."""
        known = self._again(uow, body, digest, candidate.csr_fingerprint)
        if known is not None:
            return known, None
        token, existing = self._admit(uow, body, digest, now)
        if token.uses_left is not None:
            uow.tokens.save(msgspec.structs.replace(token, uses_left=token.uses_left - 1))
        consumer = candidate if existing is None else _successor(candidate, existing)
        if existing is None:
            uow.consumers.add(consumer)
        else:
            uow.consumers.save(consumer)
        replaced = existing.uid if existing is not None else None
        uow.history.add(_registered(consumer, token, replaced, now))
        return consumer, replaced

    def _answer(self, consumer: Consumer) -> RegisteredView:
        profile = self._profile
        return RegisteredView(
            consumer=consumer_view(consumer),
            certificate=consumer.certificate,
            ca=list(profile.ca),
            signing_keys=list(profile.signing_keys),
            messaging=MessagingView(
                urls=list(profile.urls),
                source=f"agent.{consumer.uid}",
                target=profile.target,
                confirm=profile.confirm,
                heartbeat=profile.heartbeat,
            ),
        )


def _key_of(csr: str) -> str:
    try:
        return csr_key_fingerprint(csr)
    except BadCsr as error:
        raise invalid("csr", str(error)) from error


def _token(uow: UnitOfWork, digest: str) -> RegistrationToken | None:
    token = uow.tokens.by_digest(digest)
    return token if token is not None and same(token.digest, digest) else None


def _successor(candidate: Consumer, existing: Consumer) -> Consumer:
    """What the new host inherits: its names where it brings none, its windows, and the old agent's last hello, by which the
    first hello of the new one is seen to come from another journal."""
    return candidate.replace(
        display_name=candidate.display_name or existing.display_name,
        notes=candidate.notes or existing.notes,
        agent=existing.agent,
        last_seen=existing.last_seen,
        windows=existing.windows,
        enforced=existing.enforced,
        keep_plan=existing.keep_plan,
    )


def _registered(
    consumer: Consumer, token: RegistrationToken, replaced: str | None, now: int
) -> HistoryEvent:
    details = {"uid": consumer.uid, "token": token.id, "replaced": replaced}
    return HistoryEvent(
        consumer_id=consumer.id,
        type=HistoryType.CONSUMER_REGISTERED,
        at=now,
        originator=token.created_by,
        details=msgspec.json.encode(details),
    )
