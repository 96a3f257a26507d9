"""The REST contract of docs/API.md over real HTTPS: every route, every role, every kind of refusal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import rest_world
from rest_world import ADMIN, OPERATOR, PASSWORD, VIEWER, Site, agent_info

from pulp.common.times import HOUR, to_datetime
from pulp.crypto.keys import make_csr, new_key
from pulp.server.domain.task import TaskState
from pulp.server.domain.user import Principal, Role
from pulp.server.webservices.controllers import CONTROLLERS
from pulp.server.webservices.controllers.service import SERVICE
from pulp.server.webservices.routes import Route

API = "/api/v1"
INSTALL = f"{API}/consumers/web1/actions/install"
NGINX = {"packages": ["nginx"]}


@dataclass
class Clients:
    site: Site
    admin: httpx.Client
    operator: httpx.Client
    viewer: httpx.Client
    nobody: httpx.Client

    def of(self, who: Principal) -> httpx.Client:
        return {ADMIN: self.admin, OPERATOR: self.operator, VIEWER: self.viewer}[who]


@pytest.fixture
def clients(tmp_path: Path) -> Iterator[Clients]:
    with rest_world.site(tmp_path) as site:
        site.rest.register("web1", agent=agent_info(), online=True)
        people = [site.client(site.login(who)) for who in (ADMIN, OPERATOR, VIEWER)]
        nobody = site.client()
        try:
            yield Clients(site, *people, nobody)
        finally:
            for client in (*people, nobody):
                client.close()


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The answer is this problem, and nothing that should not leave the server is in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["title"] and body["detail"]
    assert "Traceback" not in answer.text and ".py" not in answer.text
    return body


def fields(body: dict[str, Any]) -> list[str]:
    return [e["field"] for e in body["errors"]]


# --- the main road ---


def test_an_action_answers_202_with_the_task_and_where_it_is(clients: Clients) -> None:
    answer = clients.operator.post(INSTALL, json=NGINX)
    assert answer.status_code == 202
    task = answer.json()
    assert answer.headers["location"] == f"{API}/tasks/{task['id']}"
    assert (task["state"], task["requested_by"]) == ("waiting", "olga")
    assert task["waiting_for"]["code"] == "queue"
    shown = clients.viewer.get(answer.headers["location"])
    assert shown.json() == task
    assert task["created_at"].endswith("Z")
    canceled = clients.operator.post(f"{API}/tasks/{task['id']}/cancel")
    assert (canceled.status_code, canceled.json()["state"]) == (202, "canceled")
    problem(clients.operator.post(f"{API}/tasks/{task['id']}/cancel"), 409, "task-final")


def test_a_retry_answers_202_with_the_new_task_and_where_it_is(clients: Clients) -> None:
    window = {"begin": "2027-01-15T09:00:00+01:00", "duration": "2h"}
    first = clients.operator.post(INSTALL, json={**NGINX, "window": window}).json()
    url = f"{API}/tasks/{first['id']}/retry"
    problem(clients.operator.post(url), 409, "task-open")
    clients.operator.post(f"{API}/tasks/{first['id']}/cancel")
    problem(clients.viewer.post(url), 403, "forbidden")
    headers = {"Idempotency-Key": "again"}
    answer = clients.admin.post(url, json={"timeout": "5m"}, headers=headers)
    assert answer.status_code == 202, answer.text
    task = answer.json()
    assert answer.headers["location"] == f"{API}/tasks/{task['id']}"
    assert (task["retry_of"], task["requested_by"]) == (first["id"], "admin")
    assert (task["args"], task["window"]) == (first["args"], first["window"])
    repeated = clients.admin.post(url, json={"timeout": "5m"}, headers=headers)
    assert repeated.json()["id"] == task["id"]
    assert clients.admin.post(url, json={"window": None}).json()["window"] is None
    bad = clients.admin.post(url, json={"window": 7, "when": 1, "timeout": "soon"})
    assert set(fields(problem(bad, 422, "invalid"))) == {"window", "when", "timeout"}
    clients.site.rest.clock.go(3 * HOUR)
    over = problem(clients.admin.post(url), 422, "invalid")
    assert fields(over) == ["window"] and "give a new window, or null" in over["detail"]


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("install", NGINX),
        ("update", NGINX),
        ("remove", {**NGINX, "policy": {"autoremove": True}}),
        ("update-all", {"security_only": True}),
        ("update-all", None),
        ("update-all", {"advisories": [], "policy": {"minimal": False}}),
        ("refresh-profile", None),
        ("updates", {"refresh": True}),
        ("install-group", {"groups": ["web-server"], "dry_run": True}),
        ("remove-group", {"groups": ["web-server"]}),
        ("groups", None),
        ("repair", {"config_files": "new"}),
        ("refresh", None),
        ("install", {**NGINX, "window": {"begin": "2027-01-15T09:00:00+01:00", "duration": "2h"}}),
    ],
)
def test_every_action(clients: Clients, action: str, body: dict[str, Any] | None) -> None:
    answer = clients.operator.post(f"{API}/consumers/web1/actions/{action}", json=body)
    assert answer.status_code == 202, answer.text


def test_registration(clients: Clients) -> None:
    made = clients.admin.post(f"{API}/registration-tokens", json={"expires_in": "1h"})
    assert made.status_code == 201
    csr = make_csr(new_key(), common_name="x")
    body = {"id": "web2", "csr": csr, "token": made.json()["token"]}
    first = clients.nobody.post(f"{API}/consumers", json=body)
    assert first.status_code == 201
    assert first.headers["location"] == f"{API}/consumers/web2"
    assert first.json()["messaging"]["source"] == f"agent.{first.json()['consumer']['uid']}"
    assert clients.nobody.post(f"{API}/consumers", json=body).json() == first.json()
    problem(clients.nobody.post(f"{API}/consumers", json={**body, "id": "web3"}), 403, "forbidden")
    bad = clients.nobody.post(f"{API}/consumers", json={**body, "csr": "x", "id": "-"})
    assert set(fields(problem(bad, 422, "invalid"))) == {"id"}


def test_consumers(clients: Clients) -> None:
    url = f"{API}/consumers/web1"
    assert clients.viewer.get(url).json()["agent"]["version"] == "0.1.0"
    changed = clients.operator.patch(url, json={"notes": {"site": "north"}})
    assert changed.json()["notes"] == {"site": "north"}
    for query, found in (
        ("note.site=north", 1),
        ("note.site=south", 0),
        ("online=true", 1),
        ("online=false", 0),
        ("q=WEB", 1),
    ):
        items = clients.viewer.get(f"{API}/consumers?{query}").json()["items"]
        assert len(items) == found, query
    problem(clients.viewer.get(f"{url}/profile"), 404, "not-found")
    problem(clients.operator.post(f"{url}/ping"), 503, "agent-offline")
    uid = changed.json()["uid"]
    clients.site.rest.links.rtt[uid] = 2.5
    assert clients.operator.post(f"{url}/ping").json() == {"rtt_ms": 2.5}
    assert clients.operator.delete(url).status_code == 204
    problem(clients.viewer.get(url), 404, "not-found")
    history = clients.viewer.get(f"{url}/history?order=asc&type=consumer_unregistered")
    assert [e["originator"] for e in history.json()["items"]] == ["olga"]


def test_lists_go_page_by_page_and_filter(clients: Clients) -> None:
    ids = [clients.operator.post(INSTALL, json=NGINX).json()["id"] for _ in range(5)]
    clients.operator.post(f"{API}/tasks/{ids[0]}/cancel")
    seen, query = [], {"limit": "2"}
    while True:
        page = clients.viewer.get(f"{API}/tasks", params=query).json()
        seen += [t["id"] for t in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]
    assert seen == ids[::-1]
    for where, found in (
        ("state=canceled", 1),
        ("state=canceled&state=waiting", 5),
        ("consumer=web1&kind=packages.install", 5),
        ("consumer=web9", 0),
        ("job=none", 0),
    ):
        items = clients.viewer.get(f"{API}/tasks?{where}").json()["items"]
        assert len(items) == found, where
    bad = clients.viewer.get(f"{API}/tasks?after=nonsense")
    assert fields(problem(bad, 422, "invalid")) == ["after"]


def test_people(clients: Clients) -> None:
    body = {"login": "nora", "password": PASSWORD, "role": "viewer"}
    made = clients.admin.post(f"{API}/users", json=body)
    assert (made.status_code, made.headers["location"]) == (201, f"{API}/users/nora")
    problem(clients.admin.post(f"{API}/users", json=body), 409, "conflict")
    page = clients.admin.get(f"{API}/users?limit=3").json()
    assert [u["login"] for u in page["items"]] == ["admin", "nora", "olga"]
    rest = clients.admin.get(f"{API}/users?after={page['next']}").json()
    assert ([u["login"] for u in rest["items"]], rest["next"]) == (["viktor"], None)
    bad = clients.admin.get(f"{API}/users?after=nonsense&limit=0")
    assert fields(problem(bad, 422, "invalid")) == ["limit"]
    token = clients.site.login(Principal("nora", Role.VIEWER))
    with clients.site.client(token) as nora:
        url = f"{API}/users/nora"
        assert nora.get(url).json()["role"] == "viewer"
        problem(nora.patch(url, json={"role": "admin"}), 403, "forbidden")
        new = {"password": "a new password", "old_password": PASSWORD}
        assert nora.patch(url, json=new).status_code == 200
        assert nora.delete(f"{API}/login").status_code == 204
        problem(nora.get(url), 401, "unauthenticated")
    assert clients.admin.delete(f"{API}/users/nora").status_code == 204
    problem(clients.admin.delete(f"{API}/users/admin"), 409, "conflict")


def test_registration_tokens_are_shown_once(clients: Clients) -> None:
    body = {"uses": None, "consumer_id": "web7"}
    made = clients.admin.post(f"{API}/registration-tokens", json=body).json()
    listed = clients.admin.get(f"{API}/registration-tokens").json()["items"]
    assert made["token"] not in str(listed)
    assert made["id"] in [t["id"] for t in listed]
    url = f"{API}/registration-tokens/{made['id']}"
    assert clients.admin.delete(url).status_code == 204
    problem(clients.admin.delete(url), 404, "not-found")


def test_what_needs_no_login(clients: Clients) -> None:
    assert clients.nobody.get(f"{API}/status").json() == {"version": "0.1.0", "ready": True}
    assert clients.nobody.get("/healthz").json() == {"alive": True}
    assert clients.nobody.get("/readyz").status_code == 200
    assert clients.nobody.get(f"{API}/openapi.json").json()["openapi"] == "3.1.0"
    clients.operator.post(INSTALL, json=NGINX)
    metrics = clients.nobody.get("/metrics").text
    assert 'pulp_tasks_open{state="waiting"} 1.0' in metrics
    assert 'route="/api/v1/consumers/{id}/actions/install",status="202"} 1.0' in metrics
    clients.site.rest.ready = lambda: False
    problem(clients.nobody.get("/readyz"), 503, "not-ready")
    assert clients.nobody.get(f"{API}/status").json()["ready"] is False


# --- refusals ---


def declared() -> list[tuple[str, str, Route]]:
    """(method, path with its parts filled in, route)."""
    filled = []
    for controller in (*CONTROLLERS, *SERVICE):
        path = controller.path.replace("{id}", "web1").replace("{login}", "admin")
        filled += [(method, path, route) for method, route in controller.routes().items()]
    return filled


def test_every_route_asks_who_and_then_what_role(clients: Clients) -> None:
    for method, path, route in declared():
        if route.role is None:
            continue
        problem(clients.nobody.request(method, path), 401, "unauthenticated")
        for who in (VIEWER, OPERATOR):
            if who.role < route.role:
                problem(clients.of(who).request(method, path), 403, "forbidden")


def test_a_stranger_learns_nothing_about_the_request(clients: Clients) -> None:
    answer = clients.nobody.post(f"{API}/users?nonsense=1", content=b"{", headers={"X": "y"})
    assert problem(answer, 401, "unauthenticated")["errors"] == []
    assert answer.headers["www-authenticate"].startswith("Bearer")
    for value in ("Basic YTpi", "Bearer", "Bearer nonsense", "nonsense"):
        answer = clients.nobody.get(f"{API}/tasks", headers={"Authorization": value})
        problem(answer, 401, "unauthenticated")


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", f"{API}/nope", f"{API}/tasks/", "/%2e%2e/etc", "/%ff", "//"]
)
def test_404(clients: Clients, path: str) -> None:
    problem(clients.admin.get(path), 404, "not-found")


def test_405_names_what_is_allowed(clients: Clients) -> None:
    answer = clients.admin.put(f"{API}/consumers/web1", json={})
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, PATCH, DELETE"
    problem(clients.admin.request("TRACE", f"{API}/tasks"), 405, "method-not-allowed")
    problem(clients.admin.request("BREW", f"{API}/tasks"), 405, "method-not-allowed")


def test_head_is_get_without_a_body(clients: Clients) -> None:
    answer = clients.viewer.head(f"{API}/consumers/web1")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(
        len(clients.viewer.get(f"{API}/consumers/web1").content)
    )


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 8 * 1024 * 1024])
def test_413(clients: Clients, size: int) -> None:
    answer = clients.operator.post(
        INSTALL, content=b"x" * size, headers={"Content-Type": "application/json"}
    )
    problem(answer, 413, "too-large")


def test_headers_have_a_limit_and_bodies_a_length(clients: Clients) -> None:
    answer = clients.viewer.get(f"{API}/tasks", headers={"X-Long": "x" * 40_000})
    problem(answer, 431, "too-large")
    answer = clients.operator.post(INSTALL, content=iter([b"{}"]))
    problem(answer, 411, "length-required")


def test_415_and_400(clients: Clients) -> None:
    problem(
        clients.operator.post(INSTALL, data={"packages": "nginx"}), 415, "unsupported-media-type"
    )
    headers = {"Content-Type": "application/json"}
    for content in (b"{", b"\xff", b"[" * 10_000, b"nonsense"):
        answer = clients.operator.post(INSTALL, content=content, headers=headers)
        problem(answer, 400, "malformed")


def test_422_names_every_bad_field(clients: Clients) -> None:
    body = {"packages": ["a b"], "timeout": "soon", "extra": 1}
    answer = clients.operator.post(f"{INSTALL}?foo=1", json=body)
    assert fields(problem(answer, 422, "invalid")) == ["foo"]
    answer = clients.operator.post(INSTALL, json=body)
    assert set(fields(problem(answer, 422, "invalid"))) == {"packages[0]", "timeout", "extra"}
    past = {**NGINX, "not_before": "2020-01-01T00:00:00Z", "timeout": "0s"}
    answer = clients.operator.post(INSTALL, json=past)
    assert set(fields(problem(answer, 422, "invalid"))) == {"not_before", "timeout"}


def test_409_for_what_the_agent_cannot_take(clients: Clients) -> None:
    clients.site.rest.change("web1", agent=agent_info(version="0.0.1", methods={}))
    assert (
        "0.0.1" in problem(clients.operator.post(INSTALL, json=NGINX), 409, "unsupported")["detail"]
    )


def test_five_wrong_passwords_give_429(clients: Clients) -> None:
    wrong = {"login": "olga", "password": "wrong"}
    for _ in range(5):
        problem(clients.nobody.post(f"{API}/login", json=wrong), 401, "unauthenticated")
    right = {"login": "olga", "password": PASSWORD}
    answer = clients.nobody.post(f"{API}/login", json=right)
    problem(answer, 429, "too-many-attempts")
    assert answer.headers["retry-after"] == "60"
    clients.site.rest.clock.go(60_000)
    assert clients.nobody.post(f"{API}/login", json=right).status_code == 200


def test_idempotency_keys(clients: Clients) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = clients.operator.post(INSTALL, json=NGINX, headers=headers)
    again = clients.operator.post(INSTALL, json=NGINX, headers=headers)
    assert again.status_code == 202
    assert again.headers["location"] == first.headers["location"]
    other = clients.operator.post(INSTALL, json={"packages": ["x"]}, headers=headers)
    problem(other, 422, "idempotency-key-reused")
    for bad in ("", "a b", "x" * 129):
        answer = clients.operator.post(INSTALL, json=NGINX, headers={"Idempotency-Key": bad})
        assert fields(problem(answer, 422, "invalid")) == ["Idempotency-Key"]
    headers = {"Idempotency-Key": "k-2"}
    for path, body in (
        ("registration-tokens", {}),
        ("users", {"login": "nora", "password": PASSWORD, "role": "viewer"}),
    ):
        url = f"{API}/{path}"
        first = clients.admin.post(url, json=body, headers=headers)
        again = clients.admin.post(url, json=body, headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.headers["location"] == again.headers["location"]
        headers = {"Idempotency-Key": "k-3"}


def test_the_same_key_at_the_same_time_makes_one_task(clients: Clients) -> None:
    def post(_: int) -> str:
        headers = {"Idempotency-Key": "race"}
        return str(clients.operator.post(INSTALL, json=NGINX, headers=headers).headers["location"])

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(post, range(32)))) == 1
    assert len(clients.viewer.get(f"{API}/tasks").json()["items"]) == 1


def test_no_answer_of_any_route_shows_a_hash_a_key_or_a_traceback(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when everything behind the routes fails."""
    rest = clients.site.rest
    secret = "SECRET-in-an-exception"
    seen = [clients.admin.request(m, p).text for m, p, _ in declared() if p != f"{API}/login"]

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError(secret)

    with monkeypatch.context() as broken:
        apis = (rest.consumers, rest.history, rest.tasks, rest.schedules, rest.tokens)
        for api in (*apis, rest.packages, rest.windows, rest.plan):
            for name in [n for n in dir(api) if not n.startswith("_")]:
                broken.setattr(api, name, fail)
        for method, path, route in declared():
            if route.role is None or "users" in path or "login" in path:
                continue
            body = NGINX if route.body and "actions" in path else {}
            answer = clients.admin.request(method, path, json=body)
            if answer.status_code != 422:
                assert "incident" in problem(answer, 500, "internal")["detail"], path
            seen.append(answer.text)
    assert len(seen) > 40
    for text in seen:
        for forbidden in (secret, "Traceback", "argon2", "password_hash", "PRIVATE KEY", "digest"):
            assert forbidden not in text


def test_a_store_that_is_gone_is_503_and_names_no_path(clients: Clients) -> None:
    clients.viewer.get(f"{API}/tasks")
    clients.site.rest.store.close()
    answer = clients.viewer.get(f"{API}/tasks")
    body = problem(answer, 503, "store-unavailable")
    assert "/" not in body["detail"]
    assert "retry-after" in answer.headers


# --- waiting ---


def timed(call: Callable[[], httpx.Response]) -> tuple[httpx.Response, float]:
    begin = time.monotonic()
    return call(), time.monotonic() - begin


def waiting(site: Site, number: int) -> None:
    """Until that many requests wait."""
    deadline = time.monotonic() + 10
    while len(site.server._waiters) < number:
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.002)


def test_a_wait_ends_when_the_task_changes(clients: Clients) -> None:
    task = clients.operator.post(INSTALL, json=NGINX).json()
    url = f"{API}/tasks/{task['id']}"
    took = []
    with ThreadPoolExecutor(1) as pool:
        for revision in range(1, 7):
            params = {"wait": "20", "after": str(revision)} if revision % 2 else {"wait": "20"}
            future = pool.submit(clients.viewer.get, url, params=params)
            waiting(clients.site, 1)
            begin = time.monotonic()
            clients.site.rest.change_task(task["id"], sent_at=revision)
            assert future.result(10).json()["revision"] == revision + 1
            took.append(time.monotonic() - begin)
    assert min(took) < 0.2  # the others may have met a busy machine


def test_a_wait_is_answered_at_once_when_there_is_news_or_the_end(clients: Clients) -> None:
    task = clients.operator.post(INSTALL, json=NGINX).json()
    url = f"{API}/tasks/{task['id']}"
    answer, took = timed(lambda: clients.viewer.get(url, params={"wait": 20, "after": 0}))
    assert (answer.status_code, took < 5) == (200, True)
    clients.operator.post(f"{url}/cancel")
    answer, took = timed(lambda: clients.viewer.get(url, params={"wait": 20, "after": 99}))
    assert (answer.json()["state"], took < 5) == ("canceled", True)
    problem(clients.viewer.get(f"{API}/tasks/nope?wait=20"), 404, "not-found")
    assert len(clients.site.server._waiters) == 0


def test_a_wait_without_news_ends_in_time_with_the_task_as_it_is(clients: Clients) -> None:
    task = clients.operator.post(INSTALL, json=NGINX).json()
    url = f"{API}/tasks/{task['id']}?wait=0.3&after={task['revision']}"
    answer, took = timed(lambda: clients.viewer.get(url))
    assert answer.json() == task
    assert 0.3 <= took < 5


def test_more_waiters_than_threads_and_others_go_on(tmp_path: Path) -> None:
    with rest_world.site(tmp_path, threads=2) as site:
        site.rest.register("web1", agent=agent_info(), online=True)
        token = site.login(OPERATOR)
        with site.client(token, limits=httpx.Limits(max_connections=60)) as client:
            task = client.post(INSTALL, json=NGINX).json()
            url = f"{API}/tasks/{task['id']}?wait=25"
            with ThreadPoolExecutor(40) as pool:
                waits = [pool.submit(client.get, url) for _ in range(40)]
                waiting(site, 40)
                _, took = timed(lambda: client.get(f"{API}/tasks"))
                assert took < 5
                site.rest.change_task(task["id"], state=TaskState.RUNNING, phase="commit")
                assert {w.result(10).json()["phase"] for w in waits} == {"commit"}


def test_beyond_the_limit_of_waiters_the_answer_comes_at_once(tmp_path: Path) -> None:
    with rest_world.site(tmp_path, waiters=1) as site:
        site.rest.register("web1", agent=agent_info(), online=True)
        with site.client(site.login(OPERATOR)) as client, ThreadPoolExecutor(1) as pool:
            task = client.post(INSTALL, json=NGINX).json()
            url = f"{API}/tasks/{task['id']}?wait=25"
            first = pool.submit(client.get, url)
            waiting(site, 1)
            answer, took = timed(lambda: client.get(url))
            assert (answer.status_code, "retry-after" in answer.headers) == (200, True)
            assert took < 5
            site.rest.change_task(task["id"], phase="sent")
            assert first.result(10).json()["phase"] == "sent"


def test_a_stopping_server_answers_who_waits(tmp_path: Path) -> None:
    with rest_world.site(tmp_path) as site:
        site.rest.register("web1", agent=agent_info(), online=True)
        with site.client(site.login(OPERATOR)) as client, ThreadPoolExecutor(5) as pool:
            task = client.post(INSTALL, json=NGINX).json()
            waits = [pool.submit(client.get, f"{API}/tasks/{task['id']}?wait=25") for _ in range(5)]
            waiting(site, 5)
            site.server.stop(4)
            assert {w.result(10).status_code for w in waits} == {200}


def test_a_token_that_ended_while_its_request_waited_gets_no_task(clients: Clients) -> None:
    task = clients.operator.post(INSTALL, json=NGINX).json()
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(clients.viewer.get, f"{API}/tasks/{task['id']}?wait=25")
        waiting(clients.site, 1)
        assert clients.admin.delete(f"{API}/users/viktor").status_code == 204
        clients.site.rest.change_task(task["id"], phase="sent")
        problem(wait.result(10), 401, "unauthenticated")


def test_times_are_taken_with_any_offset_and_given_in_utc(clients: Clients) -> None:
    body = {**NGINX, "not_before": "2027-01-15T10:00:00+01:00"}
    task = clients.operator.post(INSTALL, json=body).json()
    assert task["not_before"] == "2027-01-15T09:00:00Z"
    assert task["state"] == "scheduled"
    assert to_datetime(clients.site.rest.clock.now()).hour == 8
