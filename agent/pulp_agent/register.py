"""`pulp-agent register`: makes this host's key, has it certified by the server with a token, and keeps what the server tells.

The key never leaves this host. Key and signing request are kept until the end, so that doing it again after a lost answer is
the same registration.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Struct

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.crypto.keys import make_csr, new_key
from pulp_agent.files import write_atomically
from pulp_agent.home import Home, HomeError, Registration
from pulp_agent.https import Https
from pulp_agent.trust import TrustError, client_context

ROUTE = "/api/v1/consumers"


class RegistrationError(PulpError):
    """The host was not registered; the sentence says why and what to do."""

    code = "registration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who wants to be registered where."""

    server: str
    token: str
    consumer_id: str


class _Consumer(Struct):
    id: str
    uid: str


class _Messaging(Struct):
    urls: list[str]
    source: str
    target: str
    confirm: Literal["outcome", "message"]
    heartbeat: int


class _Answer(Struct):
    consumer: _Consumer
    certificate: str
    ca: list[str]
    signing_keys: list[str]
    messaging: _Messaging


class _Field(Struct):
    field: str = ""
    message: str = ""


class _Problem(Struct):
    title: str = ""
    detail: str = ""
    errors: list[_Field] = []


def register(home: Home, wish: Wish, https: Https) -> Registration:
    """Leaves a data directory with which the agent can run. RegistrationError, HttpsError; HomeError also while an agent
    runs on it."""
    home.make()
    lock = home.lock()
    try:
        return _register(home, wish, https)
    finally:
        os.close(lock)


def _register(home: Home, wish: Wish, https: Https) -> Registration:
    key_pem, csr = _key_and_csr(home, wish)
    body = {"id": wish.consumer_id, "csr": csr, "token": wish.token}
    status, answer = https.post(wish.server, ROUTE, msgspec.json.encode(body))
    if status != 201:
        raise RegistrationError(_refusal(status, answer, wish))
    return _keep(home, wish, key_pem, _read(answer))


def _key_and_csr(home: Home, wish: Wish) -> tuple[str, str]:
    """Those of an attempt that was not finished, else new ones."""
    path = home.path / "register.key"
    if not path.exists():
        write_atomically(path, new_key().encode())
        failpoint("agent.register.key")
    key_pem = path.read_text()
    return key_pem, make_csr(key_pem, common_name=wish.consumer_id)


def _read(answer: bytes) -> _Answer:
    try:
        read = msgspec.json.decode(answer, type=_Answer)
    except msgspec.MsgspecError as error:
        raise RegistrationError(f"the server's answer cannot be read: {error}") from error
    if not read.messaging.urls or not read.ca:
        raise RegistrationError(
            "the server names no address or no CA for its agents: set messaging.urls there"
        )
    return read


def _keep(home: Home, wish: Wish, key_pem: str, answer: _Answer) -> Registration:
    """An agent of an earlier registration, and what its journal holds, is another consumer's: both are put aside."""
    registration = Registration(
        consumer_id=answer.consumer.id,
        uid=answer.consumer.uid,
        server=wish.server,
        urls=answer.messaging.urls,
        source=answer.messaging.source,
        target=answer.messaging.target,
        confirm=answer.messaging.confirm,
        heartbeat=answer.messaging.heartbeat,
        signing_keys=answer.signing_keys,
    )
    _make_room(home, registration)
    home.save_ca(answer.ca)
    write_atomically(home.identity, f"{key_pem.strip()}\n{answer.certificate.strip()}\n".encode())
    failpoint("agent.register.identity")
    try:
        client_context(ca=home.ca, identity=home.identity)
    except TrustError as error:
        raise RegistrationError(
            f"the server's certificate does not fit this host's key: {error}"
        ) from error
    home.save_registration(registration)
    (home.path / "register.key").unlink()
    failpoint("agent.register.done")
    return registration


def _make_room(home: Home, registration: Registration) -> None:
    """The calls of another uid are none of this one's; what was running of them is let go."""
    home.drop_renewal()
    try:
        known = home.registration().uid
    except HomeError:
        known = registration.uid
    if known != registration.uid and home.journal.exists():
        home.journal.rename(home.path / f"journal.{known}")
        failpoint("agent.register.journal")


def _refusal(status: int, answer: bytes, wish: Wish) -> str:
    """The problem's own sentence, with what to do about it."""
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem(detail=answer[:200].decode("utf-8", "replace").strip())
    fields = "; ".join(f"{e.field}: {e.message}" for e in problem.errors)
    said = fields or problem.detail or problem.title or "no reason was given"
    hint = _HINTS.get(status, "")
    return f"{wish.server} refused to register {wish.consumer_id} ({status}): {said}{hint}"


_HINTS = {
    403: "; an admin makes a new token with: pulp-admin token create",
    404: "; is this the address of a Pulp server's REST interface?",
    409: "; give another name by --id",
    503: "; try again in a moment",
}
