"""The one place that picks the parts and joins them. Everything else is handed what it needs."""

from __future__ import annotations

import socket
import ssl
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pulp import __version__
from pulp.common.clock import Clock, SystemClock
from pulp.common.errors import FieldError, InvalidInput, PulpError
from pulp.common.failpoints import failpoint
from pulp.common.times import MINUTE, SECOND
from pulp.crypto.ca import Authority
from pulp.crypto.keys import fingerprint
from pulp.messaging.listener import Limits, ListenerBus
from pulp.rmi.versions import FEATURES
from pulp.server import backup
from pulp.server.agent import Pending
from pulp.server.api.consumer import ConsumerApi
from pulp.server.api.history import ConsumerHistoryApi
from pulp.server.api.housekeeping import Housekeeper, Retention
from pulp.server.api.installed import PackageApi
from pulp.server.api.packages import TASK_CLASSES
from pulp.server.api.passwords import Passwords
from pulp.server.api.plan import PlanApi
from pulp.server.api.ports import AgentProfile
from pulp.server.api.schedule_runs import ScheduleRunner
from pulp.server.api.schedules import ScheduleApi
from pulp.server.api.sessions import Sessions as LoginSessions
from pulp.server.api.tasks import TaskApi
from pulp.server.api.tokens import RegistrationTokenApi
from pulp.server.api.types import UserBody
from pulp.server.api.users import UserApi
from pulp.server.api.windows import WindowApi
from pulp.server.async_.dispatcher import Dispatcher
from pulp.server.async_.duplicates import IDLE_TIMEOUTS
from pulp.server.async_.gateway import Gateway
from pulp.server.async_.identities import REPLIES, Identities
from pulp.server.async_.inbox import Inbox
from pulp.server.async_.links import Links
from pulp.server.async_.news import News
from pulp.server.async_.planner import Planner
from pulp.server.async_.plans import Plans
from pulp.server.async_.reception import IssueCertificate, Reception, ServerProfile
from pulp.server.async_.replies import ReplyListener
from pulp.server.async_.sessions import Sessions
from pulp.server.async_.sweep import Sweep
from pulp.server.check import Violation, check
from pulp.server.config import ServerSettings
from pulp.server.db.base import Store, StoreError, UnitOfWork
from pulp.server.db.sqlite import SqliteStore, snapshot
from pulp.server.domain.task import PARKED_VERSION
from pulp.server.home import STORE, Home
from pulp.server.tasking.fifo import FIFOQueue
from pulp.server.tasking.loop import Loop
from pulp.server.tasking.scheduler import Scheduler
from pulp.server.tasking.task import TaskKinds
from pulp.server.webservices import application
from pulp.server.webservices.application import WebSettings
from pulp.server.webservices.routes import Apis
from pulp.server.webservices.server import RestServer

PROGRESS_EVERY = SECOND
"""Agents report a call's progress at most this often (docs/WIRE.md)."""

PATIENCE = MINUTE
"""Agents are back this soon after a start of the server, and say what they have taken."""


class StartError(PulpError):
    """Something this server needs to serve is taken or unusable."""

    code = "start"


@dataclass(frozen=True, slots=True)
class Core:
    """The server without its REST side. Built with its listener bound, so that the port is known; nothing an agent says is
    looked at before start()."""

    store: Store
    bus: ListenerBus
    queue: FIFOQueue
    apis: Apis
    loops: tuple[Loop, ...]

    def start(self) -> None:
        self.store.write(lambda uow: uow.consumers.set_offline())
        self.store.write(lambda uow: uow.tasks.release(PARKED_VERSION))
        failpoint("server.start.committed")
        for loop in self.loops:
            loop.start()

    def stop(self) -> None:
        """Take no more from agents, settle what is in hand, close the store."""
        for loop in self.loops:
            loop.stop()
        self.bus.stop()
        self.store.close()


@dataclass(frozen=True, slots=True)
class PulpServer:
    """The whole server. Ports are known once it is started."""

    core: Core
    rest: RestServer

    def start(self) -> None:
        """StartError when the REST port cannot be had."""
        self.core.start()
        try:
            self.rest.start()
        except OSError as e:
            self.core.stop()
            raise StartError(f"cannot listen for REST: {e}") from e

    def stop(self) -> None:
        """Finish what is being answered, settle what agents have said, close the store. Nothing that was acknowledged is lost
        if this is cut short."""
        self.rest.stop()
        self.core.stop()


def build(settings: ServerSettings, clock: Clock | None = None) -> PulpServer:
    """Join the parts over the data directory. PulpError, with what to do, when something is missing or taken."""
    core = build_core(settings, clock or SystemClock())
    try:
        return PulpServer(core, _rest(settings, core.apis))
    except BaseException:
        core.stop()
        raise


def _rest(settings: ServerSettings, apis: Apis) -> RestServer:
    wanted, home = settings.rest, Home(settings.server.data)
    app = application.build(apis, WebSettings(version=__version__, waiters=wanted.waiters))
    try:
        return RestServer(
            app,
            wanted.host,
            wanted.port,
            wanted.certificate or home.server_certificate,
            wanted.key or home.server_key,
            threads=wanted.threads,
        )
    except OSError as e:
        raise StartError(f"the REST certificate or key cannot be used: {e}") from e


def create_first_admin(settings: ServerSettings, login: str, password: str) -> None:
    """For `init`: a new store with its first admin. InvalidInput for a login or password that no user could have."""
    clock = SystemClock()
    store = SqliteStore(settings.server.data)
    try:
        logins = LoginSessions(store, clock)
        users = UserApi(store, clock, passwords=Passwords(), sessions=logins)
        users.create_first(first_admin(login, password))
        failpoint("home.admin.made")
    finally:
        store.close()


def back_up(settings: ServerSettings, file: Path) -> None:
    """BackupError, StoreUnavailable; the server may be running."""
    home = Home(settings.server.data)
    home.check()
    backup.back_up(home, lambda target: snapshot(home.directory, target), file)


def restore(settings: ServerSettings, file: Path) -> None:
    """HomeError, BackupError, StoreUnavailable."""
    data = settings.server.data
    backup.restore(file, Home(data), revive=lambda: _outrun(data))


def _outrun(data: Path) -> None:
    """Agents go by the newest plan numbers: what this server says from now on counts for more than what it said after the backup
    was made, and has forgotten."""
    store, now = SqliteStore(data), SystemClock().now()

    def job(uow: UnitOfWork) -> None:
        uow.consumers.outrun(now)
        uow.tasks.outrun(now)

    try:
        store.write(job)
    finally:
        store.close()


def check_store(settings: ServerSettings) -> list[Violation]:
    """What in the store breaks a rule; looked for in a copy, so the server may be running."""
    with tempfile.TemporaryDirectory(prefix="pulp-check-") as work:
        snapshot(settings.server.data, Path(work) / STORE)
        store = SqliteStore(Path(work))
        try:
            return list(check(store))
        finally:
            store.close()


def migrate(settings: ServerSettings) -> None:
    """Bring the store to this release's schema, a copy kept beside it; the server must not be running."""
    Home(settings.server.data).check()
    SqliteStore(settings.server.data).close()


def first_admin(login: str, password: str) -> UserBody:
    """InvalidInput names what no user could have."""
    try:
        return msgspec.convert({"login": login, "password": password, "role": "admin"}, UserBody)
    except msgspec.ValidationError as e:
        if "$.password" in str(e):
            raise InvalidInput(
                [FieldError("password", "must have from 8 to 256 characters")]
            ) from None
        raise InvalidInput(
            [FieldError("login", "is made of lower-case letters, digits, dots, - and _")]
        ) from None


def build_core(settings: ServerSettings, clock: Clock) -> Core:
    """The parts without REST; used alone by benchmarks."""
    home = Home(settings.server.data)
    home.check()
    if not home.store.exists():
        raise StartError(
            f"{home.store} is missing beside the CA and the keys: put it back, or restore a backup into a"
            " new data directory"
        )
    store = SqliteStore(settings.server.data)
    bus = _bus(settings, home, store)
    try:
        return _Joining(settings, clock, home, store, bus).core()
    except BaseException:
        bus.stop()
        store.close()
        raise


class _Joining:
    """The order in which the parts are made; each is handed those made before it."""

    def __init__(
        self, settings: ServerSettings, clock: Clock, home: Home, store: Store, bus: ListenerBus
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._home = home
        self._store = store
        self._bus = bus
        self._authority = home.authority()
        self._dispatch = threading.Event()
        self._schedule = threading.Event()
        self._pending = Pending()
        self._recur = threading.Event()
        self._plan = threading.Event()

    def core(self) -> Core:
        kinds, sessions = TaskKinds(TASK_CLASSES), Sessions()
        inbox = Inbox(self._bus, self._pending, self._wake)
        self._bus.start(inbox)
        gateway = Gateway(self._bus, self._store, sessions, self._clock)
        queue = FIFOQueue(
            self._store,
            kinds,
            gateway,
            wake=self._wake,
            wake_scheduler=self._schedule.set,
        )
        sweep = Sweep(
            self._store,
            sessions,
            gateway,
            interval=self._settings.tasks.sweep,
            has_room=queue.has_room,
        )
        news = News(self._store, gateway, self._wake)
        replies = self._replies(kinds, sessions, inbox, gateway, queue)
        plans = Plans(news.calendars_changed, lambda _: self._plan.set())
        return Core(
            store=self._store,
            bus=self._bus,
            queue=queue,
            apis=self._apis(kinds, queue, gateway, plans),
            loops=self._loops(kinds, gateway, queue, news, Dispatcher(replies, news, queue, sweep)),
        )

    def _replies(
        self,
        kinds: TaskKinds,
        sessions: Sessions,
        inbox: Inbox,
        gateway: Gateway,
        queue: FIFOQueue,
    ) -> ReplyListener:
        reception = Reception(
            bus=self._bus,
            store=self._store,
            kinds=kinds,
            queue=queue,
            sessions=sessions,
            profile=self._server_profile(),
            issue=_issuer(self._authority),
            still_there=IDLE_TIMEOUTS * self._settings.messaging.idle_timeout,
        )
        return ReplyListener(
            bus=self._bus,
            store=self._store,
            kinds=kinds,
            queue=queue,
            inbox=inbox,
            sessions=sessions,
            tell_newest=gateway.tell_newest,
            reception=reception,
        )

    def _loops(
        self,
        kinds: TaskKinds,
        gateway: Gateway,
        queue: FIFOQueue,
        news: News,
        dispatcher: Dispatcher,
    ) -> tuple[Loop, ...]:
        store, clock = self._store, self._clock
        patient_until = clock.now() + PATIENCE
        scheduler = Scheduler(
            store, kinds, gateway, self._dispatch.set, patient_until=patient_until
        )
        runner = ScheduleRunner(store, kinds, queue)
        planner = Planner(store, kinds, news.task_moved)
        return (
            Loop("pulp-dispatcher", dispatcher.step, clock, self._dispatch),
            Loop("pulp-scheduler", scheduler.step, clock, self._schedule),
            Loop("pulp-schedules", runner.step, clock, self._recur),
            Loop("pulp-planner", planner.step, clock, self._plan),
            Loop("pulp-housekeeper", self._housekeeper().step, clock),
        )

    def _wake(self) -> None:
        """For every message and every task: a look is cheaper than a lock."""
        if not self._dispatch.is_set():
            self._dispatch.set()

    def _housekeeper(self) -> Housekeeper:
        keep = self._settings.retention
        return Housekeeper(self._store, Retention(keep.age(keep.tasks), keep.age(keep.history)))

    def _apis(self, kinds: TaskKinds, queue: FIFOQueue, gateway: Gateway, plans: Plans) -> Apis:
        logins = LoginSessions(self._store, self._clock, life=self._settings.users.session)
        return Apis(
            consumers=ConsumerApi(
                self._store,
                self._clock,
                queue,
                authority=self._authority,
                links=Links(self._bus, self._store, gateway, self._pending),
                profile=self._agent_profile(),
                plans=plans,
            ),
            history=ConsumerHistoryApi(self._store),
            packages=PackageApi(self._store),
            tasks=TaskApi(self._store, self._clock, queue, kinds),
            schedules=ScheduleApi(self._store, self._clock, self._recur.set),
            windows=WindowApi(self._store, self._clock, plans),
            plan=PlanApi(self._store, self._clock),
            users=UserApi(self._store, self._clock, passwords=Passwords(), sessions=logins),
            tokens=RegistrationTokenApi(self._store, self._clock),
            ready=self._ready,
        )

    def _ready(self) -> bool:
        """Whether requests can be stored."""
        try:
            self._store.write(lambda uow: None)
        except StoreError:
            return False
        return True

    def _agent_profile(self) -> AgentProfile:
        said = self._server_profile()
        return AgentProfile(
            ca=tuple(said.ca),
            signing_keys=tuple(said.signing_keys),
            urls=tuple(said.urls),
            target=REPLIES,
            heartbeat=self._settings.messaging.idle_timeout // SECOND,
        )

    def _server_profile(self) -> ServerProfile:
        return ServerProfile(
            features=sorted(FEATURES),
            ca=[self._authority.certificate_pem],
            signing_keys=[self._home.signer().public_key],
            urls=self._urls(),
            progress_every=PROGRESS_EVERY,
        )

    def _urls(self) -> list[str]:
        messaging = self._settings.messaging
        if messaging.urls:
            return messaging.urls
        names = self._settings.rest.names
        name = names[0] if names else self._home.server_name()
        return [f"amqps://{name}:{self._bus.port}"]


def names_for_init(settings: ServerSettings) -> list[str]:
    """The names by which a new server is to be reached: as set, else this host's own."""
    return settings.rest.names or [socket.getfqdn(), "localhost", "127.0.0.1"]


def _bus(settings: ServerSettings, home: Home, store: Store) -> ListenerBus:
    wanted = settings.messaging
    return ListenerBus(
        host=wanted.host,
        port=wanted.port,
        tls=_tls(home.server_certificate, home.server_key, home.ca_certificate),
        authenticate=Identities(store),
        limits=Limits(
            idle_timeout=wanted.idle_timeout / SECOND,
            credit=wanted.credit,
            max_connections=wanted.max_connections,
        ),
    )


def _tls(certificate: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """For the listener: only clients with a certificate of our CA get past the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0  # nobody resumes: an agent connects once and stays
    try:
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(ca)
    except (OSError, ssl.SSLError) as e:
        raise StartError(f"{certificate}, {key} or {ca} cannot be used: {e}") from e
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _issuer(authority: Authority) -> IssueCertificate:
    def issue(csr: str, uid: str) -> tuple[str, str]:
        certificate = authority.issue_client(csr, common_name=uid)
        return certificate, fingerprint(certificate)

    return issue
