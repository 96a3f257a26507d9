"""The network between agent and server at its worst: whatever is lost on the way, each task ends once and truly."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest
from fault_stage import Stage
from proxy import Fault, Proxy, Way
from world import until

from pulp.common.ids import new_id

# --- AMQP


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, proxy: Proxy) -> Iterator[Stage]:
    """Its agents reach the server through the proxy; a silent one is given up after two seconds."""
    settings = {
        "PULP_MESSAGING_URLS": f"amqps://127.0.0.1:{proxy.port}",
        "PULP_MESSAGING_IDLE_TIMEOUT": "2s",
    }
    with Stage(tmp_path_factory.mktemp("network"), settings=settings) as stage:
        proxy.upstream = stage.world.messaging_port
        yield stage


@pytest.fixture(scope="module")
def usual(stage: Stage, proxy: Proxy) -> dict[Way, int]:
    """Bytes of an undisturbed installation, from the request to the confirmed final."""
    stage.begin()
    stage.publish("usual")
    proxy.measure()
    task = stage.ask("usual")
    stage.sound(task, "usual", state="finished", history="packages_installed")
    return dict(proxy.passed)


_SHARES = (0.1, 0.4, 0.75)
"""Of the bytes of an installation: within the request, accepted and started, progress, the final."""
_QUICK = {(Fault.RESET, "up", 0.4), (Fault.CORRUPT, "up", 0.75)}


@pytest.mark.parametrize(
    ("fault", "way", "share"),
    [
        pytest.param(
            *(fault, way, share),
            id=f"{fault.value}-{way}-{share}",
            marks=() if (fault, way, share) in _QUICK else pytest.mark.exhaustive,
        )
        for fault in Fault
        for way in ("up", "down")
        for share in _SHARES
    ],
)
def test_a_connection_breaks_in_the_middle(
    stage: Stage, proxy: Proxy, usual: dict[Way, int], fault: Fault, way: Way, share: float
) -> None:
    package = f"{fault.value}-{way}-{round(100 * share)}"
    stage.publish(package)
    stage.begin_near()
    proxy.set_trap(fault, way, round(usual[way] * share))
    task = stage.ask(package)
    until(lambda: proxy.sprung, "the trap to spring")
    if fault is Fault.HOLE:
        stage.world.wait_online(stage.host, False)
    proxy.heal()
    stage.sound(task, package, state="finished", history="packages_installed")


@pytest.mark.exhaustive
def test_an_agent_finds_out_by_itself_that_nobody_hears_it(stage: Stage, proxy: Proxy) -> None:
    """No end of the old connection ever reaches it; new ones work."""
    stage.publish("unheard")
    stage.begin_near()
    proxy.set_trap(Fault.HOLE, "up", 0)
    task = stage.ask("unheard")
    stage.world.wait_online(stage.host, False)
    proxy.open_to_new_ones()
    stage.world.wait_online(stage.host, limit=150)
    stage.sound(task, "unheard", state="finished", history="packages_installed")
    proxy.heal()


def test_a_slow_line_that_passes_a_few_bytes_at_a_time(stage: Stage, proxy: Proxy) -> None:
    stage.publish("slow")
    stage.begin_near()
    proxy.chunk, proxy.delay = 97, 0.003
    try:
        task = stage.ask("slow")
        stage.sound(task, "slow", state="finished", history="packages_installed")
    finally:
        proxy.chunk, proxy.delay = 64 * 1024, 0.0


def test_a_line_that_is_cut_again_and_again(stage: Stage, proxy: Proxy) -> None:
    stage.publish("cut")
    stage.begin_near()
    task = stage.ask("cut")
    for _ in range(4):
        passed = proxy.passed["up"]
        until(lambda p=passed: proxy.passed["up"] > p or stage.over(task), "bytes to pass")  # type: ignore[misc]
        proxy.cut()
    stage.sound(task, "cut", state="finished", history="packages_installed")


# --- REST


@pytest.fixture(scope="module")
def rest(stage: Stage) -> Iterator[Proxy]:
    with Proxy(stage.world.rest_port) as proxy:
        yield proxy


def post(stage: Stage, rest: Proxy, key: str) -> httpx.Response:
    """One request on a connection of its own; short of patience, as clients are."""
    tls = ssl.create_default_context(cafile=stage.world.ca)
    headers = {
        "Authorization": stage.world.rest.headers["Authorization"],
        "Idempotency-Key": key,
    }
    url = f"https://127.0.0.1:{rest.port}/api/v1/consumers/{stage.host.id}/actions/install"
    with httpx.Client(verify=tls, timeout=1.5) as client:
        return client.post(url, json={"packages": ["asked"], "dry_run": True}, headers=headers)


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
def test_a_request_that_is_repeated_makes_one_task(stage: Stage, rest: Proxy, fault: Fault) -> None:
    """Cut at many places, there and back; the client asks again with its key and may trust the answer."""
    stage.publish("asked")
    stage.begin_near()
    rest.measure()
    wholes = [post(stage, rest, new_id()).json()["id"]]
    usual = dict(rest.passed)
    before = len(tasks(stage))
    cases = [(way, share) for way in ("up", "down") for share in (0.5, 0.9)]
    for way, share in cases:
        key = new_id()
        rest.set_trap(fault, way, round(usual[way] * share))  # type: ignore[arg-type,index]
        with suppress(httpx.TransportError):
            post(stage, rest, key)
        assert rest.sprung
        rest.heal()
        wholes.append(post(stage, rest, key).raise_for_status().json()["id"])
    assert len(set(wholes)) == len(cases) + 1
    assert len(tasks(stage)) == before + len(cases)
    for task_id in wholes:
        assert stage.ended({"id": task_id})["state"] == "finished"
    stage.violations_none()


def tasks(stage: Stage) -> list[str]:
    return [t["id"] for t in stage.world.get("/tasks", consumer=stage.host.id, limit=1000)["items"]]


def test_connections_that_hang_keep_no_other_from_being_answered(stage: Stage, rest: Proxy) -> None:
    """More of them than the server has threads, each in the middle of its request."""
    stage.begin_near()

    def hang(_: int) -> None:
        with suppress(httpx.TransportError):
            post(stage, rest, new_id())

    rest.set_trap(Fault.HOLE, "up", 900)
    with ThreadPoolExecutor(20) as pool:
        hanging = [pool.submit(hang, n) for n in range(20)]
        until(lambda: rest.sprung, "the first to hang")
        assert stage.world.get("/status")["ready"]
        assert stage.world.get(f"/consumers/{stage.host.id}")["online"]
        for future in hanging:
            future.result()
    rest.heal()
