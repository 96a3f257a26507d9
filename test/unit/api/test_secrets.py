"""Tokens can be typed after an option as they are, and are never the same twice."""

from __future__ import annotations

from pulp.server.api.secrets import TOKEN_BYTES, digest_of, new_token, same


def test_a_token_is_no_option_and_needs_no_quotes() -> None:
    tokens = {new_token() for _ in range(500)}
    assert len(tokens) == 500
    assert all(token.isalnum() and len(token) == 2 * TOKEN_BYTES for token in tokens)


def test_digests_tell_tokens_apart() -> None:
    token = new_token()
    assert same(digest_of(token), digest_of(token))
    assert not same(digest_of(token), digest_of(new_token()))
