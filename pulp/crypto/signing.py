"""Ed25519 signatures over bytes, and the ids by which the keys are told apart."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pulp.crypto.errors import BadKey, BadSignature
from pulp.crypto.keys import load_key, private_pem

_ID_DIGITS = 16


def new_signing_key() -> str:
    """A new Ed25519 private key as unencrypted PKCS#8 PEM: write it to a file of mode 0600 and nowhere else."""
    return private_pem(Ed25519PrivateKey.generate())


def key_id(public_key: str) -> str:
    """16 hex digits that tell a public key (as `Signer.public_key`) from others."""
    return hashlib.sha256(_raw(public_key)).hexdigest()[:_ID_DIGITS]


class Signer:
    """Signs with one private key; `public_key` is what the agents are given to trust (base64 of the 32 bytes)."""

    __slots__ = ("_key", "key_id", "public_key")

    def __init__(self, key_pem: str) -> None:
        """BadKey when it is no Ed25519 key."""
        key = load_key(key_pem)
        if not isinstance(key, Ed25519PrivateKey):
            raise BadKey("the signing key is no Ed25519 key")
        self._key = key
        self.public_key = base64.b64encode(key.public_key().public_bytes_raw()).decode()
        self.key_id = key_id(self.public_key)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def __repr__(self) -> str:
        return f"<Signer {self.key_id}>"


def verify(data: bytes, signature: bytes, *, by: str, trusted: Iterable[str]) -> None:
    """BadSignature unless the trusted public key with the id `by` signed exactly these bytes."""
    for public_key in trusted:
        if key_id(public_key) == by:
            return _verify(data, signature, public_key)
    raise BadSignature(f"the signing key {by[:_ID_DIGITS]!r} is not trusted")


def _verify(data: bytes, signature: bytes, public_key: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(_raw(public_key)).verify(signature, data)
    except InvalidSignature:
        raise BadSignature("the signature does not fit what was signed") from None


def _raw(public_key: str) -> bytes:
    try:
        raw = base64.b64decode(public_key, validate=True)
    except ValueError as error:
        raise BadKey("a public key must be base64") from error
    if len(raw) != 32:
        raise BadKey(f"an Ed25519 public key has 32 bytes, found {len(raw)}")
    return raw
