"""Registration: what WIRE.md promises to agents, and what no token may do."""

from __future__ import annotations

import msgspec
import pytest
from rest_world import ADMIN, OPERATOR, VIEWER, Rest, agent_info

from pulp.common.errors import InvalidInput
from pulp.common.times import DAY
from pulp.crypto.keys import fingerprint, make_csr, new_key, read_certificate
from pulp.server.api.errors import Conflict, Forbidden, NotFound
from pulp.server.api.types import PackagesActionBody, RegisterBody, RegistrationTokenBody
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryType


def csr(key: str | None = None) -> str:
    return make_csr(key or new_key(), common_name="whatever")


def stored(rest: Rest, consumer_id: str = "web1") -> Consumer:
    consumer = rest.store.read(lambda uow: uow.consumers.get(consumer_id))
    assert consumer is not None
    return consumer


def history(rest: Rest, consumer_id: str = "web1") -> list[str]:
    return [e.type for e in rest.history.list(VIEWER, consumer_id).items]


def test_the_answer_has_a_certificate_for_the_uid_and_the_messaging_profile(rest: Rest) -> None:
    body = RegisterBody(id="web1", csr=csr(), token=rest.token(), notes={"site": "north"})
    answer = rest.consumers.register(body)

    facts = read_certificate(answer.certificate)
    assert facts.common_name == answer.consumer.uid
    assert stored(rest).fingerprints == [facts.fingerprint]
    assert answer.messaging.source == f"agent.{answer.consumer.uid}"
    assert answer.consumer.notes == {"site": "north"}
    event = rest.history.list(VIEWER, "web1").items[0]
    assert (event.type, event.originator) == ("consumer_registered", "admin")


def test_the_same_token_and_key_again_give_the_same_answer_though_the_token_is_used_up(
    rest: Rest,
) -> None:
    key, token = new_key(), rest.token()
    first = rest.consumers.register(RegisterBody(id="web1", csr=csr(key), token=token))
    again = rest.consumers.register(RegisterBody(id="web1", csr=csr(key), token=token))
    assert (again.certificate, again.consumer.uid) == (first.certificate, first.consumer.uid)
    assert history(rest) == ["consumer_registered"]


def test_a_used_up_token_registers_nobody_else(rest: Rest) -> None:
    token = rest.token()
    rest.consumers.register(RegisterBody(id="web1", csr=csr(), token=token))
    for consumer_id in ("web1", "web2"):
        with pytest.raises((Forbidden, Conflict)):
            rest.consumers.register(RegisterBody(id=consumer_id, csr=csr(), token=token))
    assert rest.store.read(lambda uow: uow.consumers.get("web2")) is None


def test_uses_are_counted_and_null_means_many(rest: Rest) -> None:
    twice, many = rest.token(uses=2), rest.token(uses=None)
    for n in range(2):
        rest.consumers.register(RegisterBody(id=f"a{n}", csr=csr(), token=twice))
    with pytest.raises(Forbidden):
        rest.consumers.register(RegisterBody(id="a2", csr=csr(), token=twice))
    for n in range(3):
        rest.consumers.register(RegisterBody(id=f"b{n}", csr=csr(), token=many))
    left = {t.uses_left for t in rest.tokens.list(ADMIN, after=None, limit=10).items}
    assert left == {0, None}


def test_an_expired_revoked_or_unknown_token_is_refused_in_the_same_words(rest: Rest) -> None:
    expired, revoked = rest.token(expires_in="1d"), rest.token(expires_in="2d")
    rest.tokens.revoke(ADMIN, rest.tokens.list(ADMIN, after=None, limit=9).items[0].id)
    rest.clock.go(2 * DAY)
    told = set()
    for token in (expired, revoked, "no token of ours", "\ud800"):
        with pytest.raises(Forbidden) as refused:
            rest.consumers.register(RegisterBody(id="web1", csr=csr(), token=token))
        told.add(str(refused.value))
    assert len(told) == 1


def test_replacing_a_host_needs_a_token_bound_to_it(rest: Rest) -> None:
    rest.register("web1")
    with pytest.raises(Conflict, match="bound to web1"):
        rest.consumers.register(RegisterBody(id="web1", csr=csr(), token=rest.token()))
    with pytest.raises(Forbidden, match="another consumer id"):
        body = RegisterBody(id="web1", csr=csr(), token=rest.token(consumer_id="web2"))
        rest.consumers.register(body)


def test_a_replaced_host_keeps_its_history_and_loses_uid_certificate_and_link(rest: Rest) -> None:
    old = rest.register("web1", agent=agent_info(), display_name="Web", flags=["clock-skew"])
    body = RegisterBody(id="web1", csr=csr(), token=rest.token(consumer_id="web1"))
    answer = rest.consumers.register(body)

    new = stored(rest)
    assert new.uid != old.uid
    assert new.fingerprints == [fingerprint(answer.certificate)]
    assert rest.store.read(lambda uow: uow.consumers.by_uid(old.uid)) is None
    assert rest.links.closed == [old.uid]
    assert (new.display_name, new.flags, new.online) == ("Web", [], False)
    assert history(rest) == ["consumer_registered"] * 2


def test_a_replaced_host_keeps_its_windows_and_the_count_of_their_changes(rest: Rest) -> None:
    rest.register("web1", windows=["nights"], enforced=True, keep_plan=4)
    body = RegisterBody(id="web1", csr=csr(), token=rest.token(consumer_id="web1"))
    rest.consumers.register(body)
    new = stored(rest)
    assert (new.windows, new.enforced, new.keep_plan) == (["nights"], True, 4)


@pytest.mark.parametrize(
    "text", ["", "no csr", csr()[:-60], new_key()], ids=["empty", "text", "cut", "a key"]
)
def test_a_bad_csr_is_named_and_costs_no_use_of_the_token(rest: Rest, text: str) -> None:
    token = rest.token()
    with pytest.raises(InvalidInput) as refused:
        rest.consumers.register(RegisterBody(id="web1", csr=text, token=token))
    assert [e.field for e in refused.value.errors] == ["csr"]
    rest.consumers.register(RegisterBody(id="web1", csr=csr(), token=token))


def test_unregistering_cancels_what_is_open_cuts_the_link_and_keeps_the_history(
    rest: Rest,
) -> None:
    consumer = rest.register("web1", agent=agent_info(), online=True)
    task = rest.consumers.install(OPERATOR, "web1", PackagesActionBody(packages=["nginx"]))
    rest.consumers.unregister(OPERATOR, "web1")

    ended = rest.tasks.show(VIEWER, task.id)
    assert (ended.state, ended.error.code if ended.error else "") == (
        "canceled",
        "consumer-unregistered",
    )
    assert rest.links.closed == [consumer.uid]
    assert history(rest) == ["consumer_unregistered", "action_canceled", "consumer_registered"]
    event = rest.history.list(VIEWER, "web1").items[0]
    assert event.originator == OPERATOR.login
    with pytest.raises(NotFound):
        rest.consumers.show(VIEWER, "web1")


def test_an_id_that_was_unregistered_may_be_taken_by_any_token_under_a_new_uid(
    rest: Rest,
) -> None:
    old = rest.register("web1")
    rest.consumers.unregister(ADMIN, "web1")
    assert rest.register("web1").uid != old.uid


def test_only_admins_make_and_see_tokens_and_no_list_shows_one(rest: Rest) -> None:
    made = rest.tokens.create(ADMIN, RegistrationTokenBody())
    for who in (OPERATOR, VIEWER):
        with pytest.raises(Forbidden):
            rest.tokens.create(who, RegistrationTokenBody())
        with pytest.raises(Forbidden):
            rest.tokens.list(who, after=None, limit=10)
        with pytest.raises(Forbidden):
            rest.tokens.revoke(who, made.id)
    listed = msgspec.json.encode(rest.tokens.list(ADMIN, after=None, limit=10)).decode()
    assert made.token is not None and made.token not in listed
    raw = rest.store.read(lambda uow: uow.tokens.get(made.id))
    assert raw is not None and raw.digest not in listed


@pytest.mark.parametrize("life", ["0s", "400d", "99999999w"])
def test_a_token_lives_for_a_sane_time(rest: Rest, life: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        rest.tokens.create(ADMIN, RegistrationTokenBody(expires_in=life))
    assert refused.value.errors[0].field == "expires_in"


def test_history_types_of_the_api_are_those_of_the_domain() -> None:
    from typing import get_args

    from pulp.server.api.types import HistoryTypeName

    assert set(get_args(HistoryTypeName)) == {t.value for t in HistoryType}
