"""Tokens that stand for somebody: random, shown once, kept as a digest."""

from __future__ import annotations

import hashlib
import hmac
from secrets import token_hex

TOKEN_BYTES = 32


def new_token() -> str:
    """256 random bits as hex: no character that a shell, a URL or an option parser could take for its own."""
    return token_hex(TOKEN_BYTES)


def digest_of(token: str) -> str:
    """SHA-256 in hex: enough for a secret that nobody can guess; never for a password."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare two digests in constant time."""
    return hmac.compare_digest(left, right)
