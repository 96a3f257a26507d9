"""Logins, roles and the rules that keep the last admin and everybody's own role safe."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import msgspec
import pytest
from rest_world import ADMIN, OPERATOR, PASSWORD, QUICK, VIEWER, Rest

from pulp.common.errors import InvalidInput
from pulp.common.times import HOUR, SECOND
from pulp.server.api.attempts import REMEMBERED, Attempts
from pulp.server.api.errors import (
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    TooManyAttempts,
    Unauthenticated,
)
from pulp.server.api.housekeeping import Housekeeper, Retention
from pulp.server.api.passwords import AT_ONCE, IN_LINE, Passwords
from pulp.server.api.types import LoginBody, PatchUserBody, UserBody
from pulp.server.domain.user import Principal, Role


@pytest.fixture(autouse=True)
def people(rest: Rest) -> None:
    rest.add_people()


def login(rest: Rest, who: Principal = OPERATOR, password: str = PASSWORD) -> str:
    return rest.users.login(LoginBody(login=who.login, password=password)).token


def test_a_token_stands_for_its_user_until_it_expires(rest: Rest) -> None:
    token = login(rest)
    assert rest.users.authenticate(token) == OPERATOR
    rest.clock.go(12 * HOUR)
    with pytest.raises(Unauthenticated):
        rest.users.authenticate(token)
    Housekeeper(rest.store, Retention(None, None)).step(rest.clock.now())


def test_a_token_is_stored_as_a_digest_only(rest: Rest, tmp_path: Path) -> None:
    token = login(rest)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"olga" in stored and token.encode() not in stored


def test_logout_ends_the_token_at_once(rest: Rest) -> None:
    token, other = login(rest), login(rest)
    rest.users.authenticate(token)
    rest.users.logout(token)
    with pytest.raises(Unauthenticated):
        rest.users.authenticate(token)
    assert rest.users.authenticate(other) == OPERATOR


def test_wrong_login_and_wrong_password_are_told_in_the_same_words(rest: Rest) -> None:
    told = set()
    for name, password in (("nobody", PASSWORD), ("olga", "wrong"), ("OLGA", PASSWORD)):
        with pytest.raises(Unauthenticated) as refused:
            rest.users.login(LoginBody(login=name, password=password))
        told.add(str(refused.value))
    assert len(told) == 1


@pytest.mark.parametrize("name", ["olga", "nobody"])
def test_five_failures_give_a_minute_of_rest_to_known_and_unknown_logins(
    rest: Rest, name: str
) -> None:
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            rest.users.login(LoginBody(login=name, password="wrong"))
    with pytest.raises(TooManyAttempts) as refused:
        rest.users.login(LoginBody(login=name, password=PASSWORD))
    assert refused.value.retry_after == 60
    rest.clock.go(59 * SECOND)
    with pytest.raises(TooManyAttempts):
        rest.users.login(LoginBody(login=name, password=PASSWORD))
    login(rest, VIEWER)  # others are not touched
    rest.clock.go(SECOND)
    if name == "olga":
        login(rest)


def test_a_success_clears_the_count(rest: Rest) -> None:
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(Unauthenticated):
                login(rest, password="wrong")
        login(rest)


def test_a_flood_of_invented_logins_does_not_fill_the_memory(rest: Rest) -> None:
    attempts = Attempts(rest.clock)
    for n in range(REMEMBERED + 10):
        attempts.begin(f"u{n}")
    assert len(attempts._records) == REMEMBERED


def test_passwords_are_checked_few_at_a_time_and_the_rest_sent_away() -> None:
    gate, inside = Event(), []

    class Slow:
        def hash(self, password: str) -> str:
            return QUICK.hash(password)

        def verify(self, stored: str, password: str) -> bool:
            inside.append(1)
            gate.wait(10)
            return True

    passwords = Passwords(Slow())  # type: ignore[arg-type]
    threads = [Thread(target=passwords.verify, args=("h", "p")) for _ in range(AT_ONCE + IN_LINE)]
    for thread in threads:
        thread.start()
    wait_until(lambda: passwords._line._value == 0)
    with pytest.raises(Busy):
        passwords.verify("h", "p")
    assert len(inside) == AT_ONCE
    gate.set()
    for thread in threads:
        thread.join()
    assert passwords.verify("h", "p")


def wait_until(condition: Callable[[], bool]) -> None:
    pause = Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come about in 10 s")


def test_a_damaged_hash_lets_nobody_in() -> None:
    assert Passwords(QUICK).verify("not a hash", "p") is False
    assert Passwords(QUICK).verify(None, "no password has this hash") is False


def test_a_role_change_counts_for_tokens_that_are_out_already(rest: Rest) -> None:
    token = login(rest)
    assert rest.users.authenticate(token).role is Role.OPERATOR
    rest.users.change(ADMIN, "olga", PatchUserBody(role="viewer"))
    assert rest.users.authenticate(token).role is Role.VIEWER


def test_nobody_raises_a_role_but_an_admin(rest: Rest) -> None:
    for who in (OPERATOR, VIEWER):
        for body in (PatchUserBody(role="admin"), PatchUserBody(role=who.role.label)):  # type: ignore[arg-type]
            with pytest.raises(Forbidden):
                rest.users.change(who, who.login, body)
        with pytest.raises(Forbidden):
            rest.users.create(who, UserBody(login="friend", password=PASSWORD, role="admin"))
        with pytest.raises(Forbidden):
            rest.users.delete(who, "admin")
        with pytest.raises(Forbidden):
            rest.users.show(who, "admin")
        with pytest.raises(Forbidden):
            rest.users.list(who, after=None, limit=10)


def test_the_last_admin_stays(rest: Rest) -> None:
    with pytest.raises(Conflict, match="last admin"):
        rest.users.delete(ADMIN, "admin")
    with pytest.raises(Conflict, match="last admin"):
        rest.users.change(ADMIN, "admin", PatchUserBody(role="operator"))
    rest.users.change(ADMIN, "olga", PatchUserBody(role="admin"))
    rest.users.delete(ADMIN, "admin")
    left = rest.users.list(Principal("olga", Role.ADMIN), after=None, limit=10)
    assert [u.login for u in left.items] == ["olga", "viktor"]


def test_a_removed_users_tokens_end(rest: Rest) -> None:
    token = login(rest)
    rest.users.authenticate(token)
    rest.users.delete(ADMIN, "olga")
    with pytest.raises(Unauthenticated):
        rest.users.authenticate(token)


def test_ones_own_new_password_needs_the_old_one_and_ends_the_other_sessions(rest: Rest) -> None:
    mine, other = login(rest), login(rest)
    with pytest.raises(InvalidInput):
        rest.users.change(OPERATOR, "olga", PatchUserBody(password="new password"), token=mine)
    wrong = PatchUserBody(password="new password", old_password="wrong")
    with pytest.raises(Forbidden):
        rest.users.change(OPERATOR, "olga", wrong, token=mine)
    right = PatchUserBody(password="new password", old_password=PASSWORD)
    rest.users.change(OPERATOR, "olga", right, token=mine)
    assert rest.users.authenticate(mine) == OPERATOR
    with pytest.raises(Unauthenticated):
        rest.users.authenticate(other)
    with pytest.raises(Unauthenticated):
        login(rest)
    login(rest, password="new password")


def test_an_admin_sets_anothers_password_and_ends_all_their_sessions(rest: Rest) -> None:
    token, own = login(rest), login(rest, ADMIN)
    rest.users.change(ADMIN, "olga", PatchUserBody(password="new password"), token=own)
    with pytest.raises(Unauthenticated):
        rest.users.authenticate(token)
    assert rest.users.authenticate(own) == ADMIN


def test_guessing_the_old_password_is_limited_too(rest: Rest) -> None:
    wrong = PatchUserBody(password="new password", old_password="wrong")
    for _ in range(5):
        with pytest.raises(Forbidden):
            rest.users.change(OPERATOR, "olga", wrong)
    with pytest.raises(TooManyAttempts):
        rest.users.change(OPERATOR, "olga", wrong)


def test_a_login_is_taken_once(rest: Rest) -> None:
    body = UserBody(login="olga", password=PASSWORD, role="viewer")
    with pytest.raises(Conflict, match="olga"):
        rest.users.create(ADMIN, body)
    with pytest.raises(NotFound):
        rest.users.show(ADMIN, "nobody")
    assert rest.users.create_first(body) is False


def test_a_keys_digest_tells_nothing_of_the_password(rest: Rest) -> None:
    body = UserBody(login="new", password="very secret", role="viewer")
    first = rest.users.create(ADMIN, body, key="k")
    assert rest.users.create(ADMIN, body, key="k") == first
    record = rest.store.read(lambda uow: uow.idempotency.get("admin", "k"))
    rest.users.delete(ADMIN, "new")
    rest.clock.go(48 * HOUR)
    other = UserBody(login="new", password="other secret", role="viewer")
    rest.users.create(ADMIN, other, key="k")
    again = rest.store.read(lambda uow: uow.idempotency.get("admin", "k"))
    assert record is not None and again is not None and record.request == again.request


def test_no_view_of_a_user_holds_a_hash(rest: Rest) -> None:
    shown = msgspec.json.encode(rest.users.list(ADMIN, after=None, limit=10)).decode()
    assert "argon2" not in shown and "hash" not in shown
