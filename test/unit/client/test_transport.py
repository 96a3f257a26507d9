"""What is sent again and what is not, and how every kind of trouble is told."""

from __future__ import annotations

import ssl

import httpx
import pytest
from client_stage import SERVER, Reply, Script, page, problem, task

from pulp.client.errors import (
    BadAnswer,
    LoginNeeded,
    LostAnswer,
    RefusedError,
    UnreachableError,
    UntrustedServer,
)
from pulp.client.rest import RestClient


class Desk:
    """A client over a script, and the pauses it made."""

    def __init__(self, *, token: str = "secret-token") -> None:
        self.script = Script()
        self.pauses: list[float] = []
        self.client = RestClient(
            SERVER, token=token, pause=self.pauses.append, carrier=httpx.MockTransport(self.script)
        )


@pytest.fixture
def desk() -> Desk:
    return Desk()


INSTALL = "/consumers/web1/actions/install"


def lost() -> Exception:
    return httpx.ReadError("connection reset")


def away() -> Exception:
    return httpx.ConnectError("refused")


def test_the_token_goes_along(desk: Desk) -> None:
    desk.script.on("GET", "/status", Reply(body={"version": "1", "ready": True}))
    assert desk.client.status().value.ready
    assert desk.script.requests[0].headers["Authorization"] == "Bearer secret-token"


def test_a_lost_answer_is_asked_for_again_under_the_same_key(desk: Desk) -> None:
    desk.script.on("POST", INSTALL, lost(), away(), Reply(202, task()))
    assert desk.client.act("web1", "install", {"packages": ["x"]}).value.kind == "packages.install"
    keys = {r.headers["Idempotency-Key"] for r in desk.script.requests}
    assert len(desk.script.requests) == 3
    assert len(keys) == 1
    assert desk.pauses == [0.5, 1.0]


def test_two_commands_have_two_keys(desk: Desk) -> None:
    desk.script.on("POST", INSTALL, Reply(202, task()), Reply(202, task()))
    for _ in range(2):
        desk.client.act("web1", "install", {})
    first, second = (r.headers["Idempotency-Key"] for r in desk.script.requests)
    assert first != second


def test_repeating_ends(desk: Desk) -> None:
    desk.script.on("POST", INSTALL, *(lost() for _ in range(4)))
    with pytest.raises(LostAnswer):
        desk.client.act("web1", "install", {})
    assert len(desk.pauses) == 3


def test_a_server_that_stays_away_after_a_lost_answer_may_have_the_request(desk: Desk) -> None:
    desk.script.on("POST", INSTALL, lost(), away(), away(), away())
    with pytest.raises(LostAnswer):
        desk.client.act("web1", "install", {})


def test_without_a_connection_nothing_was_sent_and_nothing_is_repeated(desk: Desk) -> None:
    desk.script.on("POST", INSTALL, away())
    with pytest.raises(UnreachableError) as error:
        desk.client.act("web1", "install", {})
    assert not isinstance(error.value, LostAnswer)
    assert SERVER in str(error.value)
    assert desk.pauses == []


def test_a_deletion_is_not_repeated_as_its_second_answer_would_mislead(desk: Desk) -> None:
    desk.script.on("DELETE", "/consumers/web1", lost())
    with pytest.raises(LostAnswer):
        desk.client.unregister("web1")


def test_a_busy_server_is_given_the_time_it_asks_for(desk: Desk) -> None:
    busy = problem(503, "busy", "too much at a time", Retry_After="3")
    desk.script.on("GET", "/consumers/web1", busy, busy, Reply(body={"id": "web1"}))
    assert desk.client.consumer("web1").value.id == "web1"
    assert desk.pauses == [3.0, 6.0]


def test_an_agent_that_is_away_is_told_at_once(desk: Desk) -> None:
    offline = problem(503, "agent-offline", "the agent does not answer", Retry_After="5")
    desk.script.on("POST", "/consumers/web1/ping", offline)
    with pytest.raises(RefusedError) as error:
        desk.client.ping("web1")
    assert error.value.code == "agent-offline"
    assert desk.pauses == []


def test_a_refusal_brings_every_bad_field(desk: Desk) -> None:
    fields = [("packages[0]", "is no package name"), ("timeout", "is too long")]
    desk.script.on("POST", INSTALL, problem(422, "invalid", "2 fields", errors=fields))
    with pytest.raises(RefusedError) as error:
        desk.client.act("web1", "install", {})
    assert (error.value.status, error.value.code) == (422, "invalid")
    assert [(e.field, e.message) for e in error.value.errors] == fields


def test_401_asks_for_a_login_where_there_was_one(desk: Desk) -> None:
    desk.script.on("GET", "/consumers/web1", problem(401, "unauthenticated", "expired"))
    with pytest.raises(LoginNeeded, match=f"pulp-admin login {SERVER}"):
        desk.client.consumer("web1")


def test_401_at_the_login_itself_is_a_refusal() -> None:
    desk = Desk(token="")
    desk.script.on("POST", "/login", problem(401, "unauthenticated", "the password is wrong"))
    with pytest.raises(RefusedError, match="the password is wrong"):
        desk.client.login("admin", "x")
    assert "Idempotency-Key" not in desk.script.requests[0].headers


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, None, {"Content-Type": "text/html"}),
        Reply(200, {"id": 7}),
        Reply(302, None, {"Location": "https://elsewhere.test/"}),
        Reply(404, {"detail": "not a Pulp server's"}),
        Reply(400, {"no": "code"}, {"Content-Type": "application/problem+json"}),
    ],
)
def test_what_is_no_pulp_server_is_called_so(desk: Desk, reply: Reply) -> None:
    desk.script.on("GET", "/consumers/web1", reply)
    with pytest.raises(BadAnswer):
        desk.client.consumer("web1")


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_gateway_without_a_server_behind_it_is_unreachable(desk: Desk, status: int) -> None:
    desk.script.on("GET", "/consumers/web1", Reply(status))
    with pytest.raises(UnreachableError, match=str(status)):
        desk.client.consumer("web1")


def test_a_certificate_that_is_not_trusted_is_no_outage(desk: Desk) -> None:
    cause = ssl.SSLCertVerificationError(1, "certificate verify failed")
    cause.verify_message = "self-signed certificate in certificate chain"
    error = httpx.ConnectError("certificate verify failed")
    error.__cause__ = cause
    desk.script.on("GET", "/status", error)
    with pytest.raises(UntrustedServer, match="self-signed certificate in certificate chain"):
        desk.client.status()


def test_a_list_goes_over_all_its_pages_as_they_are_wanted(desk: Desk) -> None:
    desk.script.on("GET", "/consumers", page({"id": "a"}, {"id": "b"}, next_="c1"))
    items = iter(desk.client.consumers({"q": None, "online": "true"}))
    assert next(items).value.id == "a"
    desk.script.on("GET", "/consumers", page({"id": "c"}))
    assert [i.value.id for i in items] == ["b", "c"]
    first, second = (dict(r.url.params) for r in desk.script.requests)
    assert first == {"online": "true"}
    assert second == {"online": "true", "after": "c1"}


def test_a_list_ends_at_its_limit(desk: Desk) -> None:
    first = page(*({"id": str(i)} for i in range(1000)), next_="c1")
    desk.script.on(
        "GET", "/consumers", first, page(*({"id": str(i)} for i in range(5)), next_="c2")
    )
    listing = desk.client.consumers(limit=1005)
    assert len(list(listing)) == 1005
    assert listing.more
    assert [r.url.params["limit"] for r in desk.script.requests] == ["1000", "5"]


def test_a_long_poll_says_what_it_has_seen_and_how_long_it_waits(desk: Desk) -> None:
    desk.script.on("GET", "/tasks/t1", Reply(200, task(revision=3), {"Retry-After": "7"}))
    answer, leave = desk.client.task_after("t1", 2)
    assert (answer.value.revision, leave) == (3, 7.0)
    (request,) = desk.script.requests
    assert dict(request.url.params) == {"wait": "25", "after": "2"}
    assert request.extensions["timeout"]["read"] > 25


@pytest.mark.parametrize("name", ["a/b", "ä", "a?b", "a b"])
def test_a_name_is_one_segment_of_the_path(desk: Desk, name: str) -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path)
        return httpx.Response(200, json={"id": name})

    client = RestClient(SERVER, pause=desk.pauses.append, carrier=httpx.MockTransport(answer))
    client.consumer(name)
    assert seen[0].count(b"/") == 4
    assert b"?" not in seen[0]
