"""Passwords in addresses, as package tools repeat them."""

from __future__ import annotations

import pytest
from pulp_agent.passwords import without_passwords


@pytest.mark.parametrize(
    ("told", "clean"),
    [
        (b"http://me:secret@host/path", b"http://***@host/path"),
        (b"https://token@host:8080/?a@b", b"https://***@host:8080/?a@b"),
        (b"ftp://me:p@ss@host", b"ftp://***@host"),
        (
            b'{"a":"http://me:s@h/","b":"socks5h://x:y@z"}',
            b'{"a":"http://***@h/","b":"socks5h://***@z"}',
        ),
        (b'{"a":"see http://host","b":"me@host"}', b'{"a":"see http://host","b":"me@host"}'),
        (b"http://host/\\nme@host http://host/a@b", b"http://host/\\nme@host http://host/a@b"),
        (b"http://host\\nme@host", b"http://host\\nme@host"),
    ],
)
def test_only_what_stands_before_the_host_goes(told: bytes, clean: bytes) -> None:
    assert without_passwords(told) == clean
