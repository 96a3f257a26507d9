"""A server's APIs over a real store, with a clock and agents' links of the test's own; and the same behind real HTTPS."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher

from pulp.common.errors import PulpError
from pulp.crypto.ca import Authority
from pulp.crypto.keys import make_csr, new_key
from pulp.server.api.consumer import ConsumerApi
from pulp.server.api.history import ConsumerHistoryApi
from pulp.server.api.installed import PackageApi
from pulp.server.api.packages import TASK_CLASSES
from pulp.server.api.passwords import Passwords
from pulp.server.api.plan import PlanApi
from pulp.server.api.ports import AgentProfile
from pulp.server.api.schedules import ScheduleApi
from pulp.server.api.sessions import Sessions
from pulp.server.api.tasks import TaskApi
from pulp.server.api.tokens import RegistrationTokenApi
from pulp.server.api.types import RegisterBody, RegistrationTokenBody, UserBody
from pulp.server.api.users import UserApi
from pulp.server.api.windows import WindowApi
from pulp.server.async_.plans import Plans
from pulp.server.db.base import UnitOfWork
from pulp.server.db.sqlite import SqliteStore
from pulp.server.domain.consumer import AgentInfo, Consumer
from pulp.server.domain.task import TaskRecord
from pulp.server.domain.user import Principal, Role
from pulp.server.tasking.fifo import FIFOQueue
from pulp.server.tasking.task import TaskKinds
from pulp.server.webservices.application import App, WebSettings, build
from pulp.server.webservices.routes import Apis
from pulp.server.webservices.server import RestServer

NOON = 1_800_000_000_000
PASSWORD = "correct horse"
QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

ADMIN = Principal("admin", Role.ADMIN)
OPERATOR = Principal("olga", Role.OPERATOR)
VIEWER = Principal("viktor", Role.VIEWER)
PEOPLE = (ADMIN, OPERATOR, VIEWER)


class FakeClock:
    def __init__(self) -> None:
        self.ms = NOON

    def now(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.ms / 1000

    def go(self, ms: int) -> None:
        self.ms += ms


class NoAgents:
    """A gateway to nobody: tasks stay queued, as nothing steps the queue here."""


class OfflineError(PulpError):
    code = "agent-offline"


class FakeLinks:
    def __init__(self) -> None:
        self.rtt: dict[str, float] = {}
        self.closed: list[str] = []

    def ping(self, uid: str) -> float:
        if uid not in self.rtt:
            raise OfflineError("not connected")
        return self.rtt[uid]

    def close(self, uid: str) -> None:
        self.closed.append(uid)


def agent_info(**changes: Any) -> AgentInfo:
    """The hello of an agent that can do everything."""
    said: dict[str, Any] = {
        "version": "0.1.0",
        "protocols": [1],
        "methods": {
            f"Packages.{m}": [1]
            for m in (
                *("install", "update", "remove", "update_all", "updates", "profile"),
                *("install_group", "remove_group", "groups", "repair", "refresh"),
            )
        },
        "features": ["window", "cancel", "query"],
        "boot_id": "b",
        "timezone": "UTC",
        "os": {"id": "debian"},
        "journal_id": "j",
        "journal_seq": 1,
    }
    return AgentInfo(**(said | changes))


@dataclass
class Rest:
    """Everything behind the web layer."""

    store: SqliteStore
    clock: FakeClock = field(default_factory=FakeClock)
    links: FakeLinks = field(default_factory=FakeLinks)
    authority: Authority = field(default_factory=Authority.create)
    ready: Callable[[], bool] = lambda: True

    def __post_init__(self) -> None:
        kinds = TaskKinds(TASK_CLASSES)
        self.queue = FIFOQueue(
            self.store,
            kinds,
            NoAgents(),  # type: ignore[arg-type]
            wake=lambda: None,
            wake_scheduler=lambda: None,
        )
        profile = AgentProfile(
            ca=(self.authority.certificate_pem,),
            signing_keys=("signing key",),
            urls=("amqps://pulp.example.com:5671",),
        )
        self.users = UserApi(
            self.store,
            self.clock,
            passwords=Passwords(QUICK),
            sessions=Sessions(self.store, self.clock),
        )
        self.consumers = ConsumerApi(
            self.store,
            self.clock,
            self.queue,
            authority=self.authority,
            links=self.links,
            profile=profile,
            plans=Plans(),
        )
        self.history = ConsumerHistoryApi(self.store)
        self.packages = PackageApi(self.store)
        self.tasks = TaskApi(self.store, self.clock, self.queue, kinds)
        self.tokens = RegistrationTokenApi(self.store, self.clock)
        self.schedules = ScheduleApi(self.store, self.clock, lambda: None)
        self.plan = PlanApi(self.store, self.clock)
        self.windows = WindowApi(self.store, self.clock, Plans())

    @property
    def apis(self) -> Apis:
        return Apis(
            consumers=self.consumers,
            history=self.history,
            packages=self.packages,
            tasks=self.tasks,
            schedules=self.schedules,
            windows=self.windows,
            plan=self.plan,
            users=self.users,
            tokens=self.tokens,
            ready=lambda: bool(self.ready()),
        )

    def app(self, waiters: int = 5000) -> App:
        return build(self.apis, WebSettings(version="0.1.0", waiters=waiters))

    # --- what tests begin with ---

    def add_people(self) -> None:
        self.users.create_first(UserBody(login="admin", password=PASSWORD, role="admin"))
        for person in (OPERATOR, VIEWER):
            body = UserBody(login=person.login, password=PASSWORD, role=person.role.label)  # type: ignore[arg-type]
            self.users.create(ADMIN, body)

    def token(self, **body: Any) -> str:
        made = self.tokens.create(ADMIN, RegistrationTokenBody(**body)).token
        assert made is not None
        return made

    def register(self, consumer_id: str = "web1", **changes: Any) -> Consumer:
        """Register a host; with `changes` to its stored record, as an agent's hello would make them."""
        csr = make_csr(new_key(), common_name=consumer_id)
        self.consumers.register(RegisterBody(id=consumer_id, csr=csr, token=self.token()))
        return self.change(consumer_id, **changes)

    def change(self, consumer_id: str, **changes: Any) -> Consumer:
        def job(uow: UnitOfWork) -> Consumer:
            consumer = uow.consumers.get(consumer_id)
            assert consumer is not None
            uow.consumers.save(consumer.replace(**changes))
            return consumer.replace(**changes)

        return self.store.write(job)

    def change_task(self, task_id: str, **changes: Any) -> TaskRecord:
        def job(uow: UnitOfWork) -> TaskRecord:
            record = uow.tasks.get(task_id)
            assert record is not None
            return uow.tasks.save(record.replace(**changes))

        return self.store.write(job)

    def task(self, task_id: str) -> TaskRecord:
        record = self.store.read(lambda uow: uow.tasks.get(task_id))
        assert record is not None
        return record


@contextmanager
def rest(folder: Path) -> Iterator[Rest]:
    folder.mkdir(parents=True, exist_ok=True)
    store = SqliteStore(folder)
    try:
        yield Rest(store)
    finally:
        store.close()


@dataclass
class Site:
    """The APIs behind a running HTTPS server."""

    rest: Rest
    server: RestServer
    ca: Path

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.port}"

    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def client(self, token: str | None = None, **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(
            base_url=self.url, verify=self.tls(), headers=headers, trust_env=False, **options
        )

    def login(self, who: Principal) -> str:
        with self.client() as client:
            body = {"login": who.login, "password": PASSWORD}
            answer = client.post("/api/v1/login", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["token"])


@contextmanager
def site(folder: Path, *, threads: int = 10, waiters: int = 5000) -> Iterator[Site]:
    with rest(folder / "store") as made:
        made.add_people()
        key, cert, ca = folder / "key.pem", folder / "cert.pem", folder / "ca.pem"
        key.write_text(new_key())
        cert.write_text(made.authority.issue_server(key.read_text(), hosts=["127.0.0.1"]))
        ca.write_text(made.authority.certificate_pem)
        server = RestServer(made.app(waiters), "127.0.0.1", 0, cert, key, threads)
        server.start()
        try:
            yield Site(made, server, ca)
        finally:
            server.stop(2)
