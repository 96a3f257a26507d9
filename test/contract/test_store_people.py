"""The contract of the users', tokens', idempotency and unreadable repositories."""

from __future__ import annotations

import pytest
from store_samples import token

from pulp.server.db.base import BadCursor, Conflict, Duplicate, Store
from pulp.server.domain.user import IdempotencyRecord, RegistrationToken, Role, Session, User


def user(login: str = "ada", **given) -> User:
    values = {"role": Role.OPERATOR, "password_hash": "hash", "created_at": 1}
    return User(login=login, **values | given)


def session(digest: str, **given) -> Session:
    values = {"login": "ada", "created_at": 1, "expires_at": 100}
    return Session(digest=digest, **values | given)


def add_users(store: Store, *users: User) -> None:
    store.write(lambda uow: [uow.users.add(each) for each in users])


def add_sessions(store: Store, *sessions: Session) -> None:
    store.write(lambda uow: [uow.users.add_session(each) for each in sessions])


def live(store: Store, *digests: str) -> list[str]:
    return [
        digest
        for digest in digests
        if store.read(lambda uow, digest=digest: uow.users.session(digest))
    ]


@pytest.mark.parametrize("role", Role)
def test_a_user_is_read_back_whole(store: Store, role):
    add_users(store, user(role=role))
    read = store.read(lambda uow: uow.users.get("ada"))
    assert read == user(role=role)
    assert isinstance(read.role, Role)
    assert store.read(lambda uow: uow.users.get("bob")) is None


def test_a_login_that_exists_is_a_duplicate(store: Store):
    add_users(store, user())
    with pytest.raises(Duplicate):
        add_users(store, user(role=Role.ADMIN))
    assert store.read(lambda uow: uow.users.get("ada")) == user()


def test_a_user_can_be_changed(store: Store):
    add_users(store, user(), user("bob"))
    changed = user(role=Role.ADMIN, password_hash="new", created_at=2)
    store.write(lambda uow: uow.users.save(changed))
    assert store.read(lambda uow: uow.users.list()) == [changed, user("bob")]
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.users.save(user("nobody")))


def test_users_are_listed_by_login(store: Store):
    assert store.read(lambda uow: uow.users.list()) == []
    add_users(store, user("zoe"), user("ada"), user("mia"))
    assert [each.login for each in store.read(lambda uow: uow.users.list())] == [
        "ada",
        "mia",
        "zoe",
    ]


def test_removing_a_user_ends_its_sessions(store: Store):
    add_users(store, user(), user("bob"))
    add_sessions(store, session("a1"), session("a2"), session("b1", login="bob"))
    store.write(lambda uow: uow.users.remove("ada"))
    assert store.read(lambda uow: uow.users.list()) == [user("bob")]
    assert live(store, "a1", "a2", "b1") == ["b1"]


def test_a_session_is_read_back_whole(store: Store):
    add_sessions(store, session("a1", created_at=3, expires_at=4))
    read = store.read(lambda uow: uow.users.session("a1"))
    assert read == session("a1", created_at=3, expires_at=4)
    with pytest.raises(Duplicate):
        add_sessions(store, session("a1"))


def test_sessions_end_one_by_one_or_all_of_a_user(store: Store):
    add_sessions(store, session("a1"), session("a2"), session("a3"), session("b1", login="bob"))
    store.write(lambda uow: uow.users.remove_session("a1"))
    assert live(store, "a1", "a2", "a3", "b1") == ["a2", "a3", "b1"]
    store.write(lambda uow: uow.users.remove_sessions("ada"))
    assert live(store, "a1", "a2", "a3", "b1") == ["b1"]


def test_purge_removes_sessions_that_have_expired(store: Store):
    add_sessions(store, *(session(str(at), expires_at=at) for at in (10, 20, 21)))
    assert store.write(lambda uow: uow.users.purge_sessions(20)) == 2
    assert live(store, "10", "20", "21") == ["21"]


def test_pages_of_users_join(store: Store):
    add_users(store, *map(user, ("zoe", "ada", "mia", "a.b", "bob")))
    found, after = [], None
    for size in (2, 2, 1):
        page = store.read(lambda uow, after=after: uow.users.page(after, 2))
        assert len(page.items) == size
        found += [each.login for each in page.items]
        after = page.next
    assert after is None
    assert found == ["a.b", "ada", "bob", "mia", "zoe"]


def test_a_user_cursor_that_was_not_given_out_is_refused(store: Store):
    for nonsense in ("nonsense", "ada"):
        with pytest.raises(BadCursor, match="after"):
            store.read(lambda uow, after=nonsense: uow.users.page(after, 2))


# --- registration tokens


def add_tokens(store: Store, *tokens: RegistrationToken) -> None:
    store.write(lambda uow: [uow.tokens.add(each) for each in tokens])


@pytest.mark.parametrize("given", [{}, {"uses_left": None, "consumer_id": "web1"}])
def test_a_token_is_found_by_id_and_by_digest(store: Store, given):
    stored = token(**given)
    add_tokens(store, stored, token())
    assert store.read(lambda uow: uow.tokens.get(stored.id)) == stored
    assert store.read(lambda uow: uow.tokens.by_digest(stored.digest)) == stored
    assert store.read(lambda uow: uow.tokens.get("other")) is None
    assert store.read(lambda uow: uow.tokens.by_digest("other")) is None


def test_a_token_id_or_digest_that_exists_is_a_duplicate(store: Store):
    stored = token()
    add_tokens(store, stored)
    for again in (token(id=stored.id), token(digest=stored.digest)):
        with pytest.raises(Duplicate):
            add_tokens(store, again)


def test_a_token_can_be_changed_and_removed(store: Store):
    stored = token()
    changed = token(id=stored.id, uses_left=0, consumer_id="web2")
    add_tokens(store, stored)
    store.write(lambda uow: uow.tokens.save(changed))
    assert store.read(lambda uow: uow.tokens.get(stored.id)) == changed
    store.write(lambda uow: uow.tokens.remove(stored.id))
    assert store.read(lambda uow: uow.tokens.get(stored.id)) is None
    with pytest.raises(Conflict):
        store.write(lambda uow: uow.tokens.save(changed))


def test_pages_of_tokens_join(store: Store):
    stored = [token(created_at=at) for at in (1, 2, 2, 3, 4)]
    add_tokens(store, *stored)
    found, after = [], None
    for size in (2, 2, 1):
        page = store.read(lambda uow, after=after: uow.tokens.page(after, 2))
        assert len(page.items) == size
        found += page.items
        after = page.next
    assert after is None
    assert sorted(each.id for each in found) == sorted(each.id for each in stored)
    assert [each.created_at for each in found] == [4, 3, 2, 2, 1]


def test_a_token_cursor_that_was_not_given_out_is_refused(store: Store):
    with pytest.raises(BadCursor, match="after"):
        store.read(lambda uow: uow.tokens.page("nonsense", 2))


# --- answers to Idempotency-Keys, unreadable messages


def answer(key: str = "k", login: str = "ada", created_at: int = 1) -> IdempotencyRecord:
    return IdempotencyRecord(
        login=login, key=key, request="digest", resource="/api/v1/tasks/1", created_at=created_at
    )


def test_an_answer_is_kept_for_each_login_and_key(store: Store):
    stored = [answer(), answer(login="bob"), answer("other")]
    store.write(lambda uow: [uow.idempotency.add(each) for each in stored])
    for each in stored:
        assert store.read(lambda uow, each=each: uow.idempotency.get(each.login, each.key)) == each
    assert store.read(lambda uow: uow.idempotency.get("bob", "other")) is None
    with pytest.raises(Duplicate):
        store.write(lambda uow: uow.idempotency.add(answer(created_at=2)))


def test_purge_removes_answers_made_before(store: Store):
    store.write(lambda uow: [uow.idempotency.add(answer(str(at), "ada", at)) for at in (1, 2, 3)])
    assert store.write(lambda uow: uow.idempotency.purge(3)) == 2
    assert store.read(lambda uow: uow.idempotency.get("ada", "2")) is None
    assert store.read(lambda uow: uow.idempotency.get("ada", "3"))


def test_unreadable_messages_are_counted(store: Store):
    assert store.read(lambda uow: uow.unreadable.count()) == 0

    def job(uow):
        uow.unreadable.add(at=1, consumer_id="web1", reason="no JSON", body=b"\xff\x00")
        uow.unreadable.add(at=1, consumer_id="web1", reason="no JSON", body=b"")

    store.write(job)
    assert store.read(lambda uow: uow.unreadable.count()) == 2
