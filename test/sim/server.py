"""The server's process on a simulated disk: the real parts, joined as bootstrap joins them, stepped in virtual time. At every
look at the store other threads (scheduler, API) may get their turn in the middle of the dispatcher's step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pulp.messaging.base import Grant, PeerCertificate
from pulp.rmi.versions import FEATURES
from pulp.server.agent import Pending
from pulp.server.api.consumer import ConsumerApi
from pulp.server.api.packages import TASK_CLASSES
from pulp.server.api.ports import AgentProfile
from pulp.server.api.schedule_runs import ScheduleRunner
from pulp.server.api.schedules import ScheduleApi
from pulp.server.api.tasks import TaskApi
from pulp.server.async_.dispatcher import Dispatcher
from pulp.server.async_.gateway import Gateway
from pulp.server.async_.identities import Identities
from pulp.server.async_.inbox import Inbox
from pulp.server.async_.links import Links
from pulp.server.async_.news import News
from pulp.server.async_.planner import Planner
from pulp.server.async_.plans import Plans
from pulp.server.async_.reception import Reception, ServerProfile
from pulp.server.async_.replies import ReplyListener
from pulp.server.async_.sessions import Sessions
from pulp.server.async_.sweep import Sweep
from pulp.server.db.base import StoreUnavailable, TaskChange
from pulp.server.domain.task import PARKED_VERSION
from pulp.server.tasking.fifo import FIFOQueue
from pulp.server.tasking.loop import LONGEST, RETRY
from pulp.server.tasking.scheduler import Scheduler
from pulp.server.tasking.task import Task, TaskKinds
from sim.connection import Connection
from sim.network import Network
from sim.store import Disk, SimStore
from sim.world import Process, Timer, World

if TYPE_CHECKING:
    from sim.checks import Checks


class _Clock:
    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> int:
        return self._world.now

    def monotonic(self) -> float:
        return self._world.now / 1000


class _Authority:
    """Certificates are their names; `fp:` before one is its fingerprint."""

    def __init__(self) -> None:
        self.issued = 0

    def issue_client(self, csr_pem: str, *, common_name: str) -> str:
        self.issued += 1
        return f"{common_name}/{csr_pem}/{self.issued}"

    def renew(self, csr: str, uid: str) -> tuple[str, str]:
        certificate = self.issue_client(csr, common_name=uid)
        return certificate, f"fp:{certificate}"


class _Thread:
    """A loop around a step, as tasking.loop has it."""

    def __init__(self, server: Server, name: str, step: Callable[[int], int | None]) -> None:
        self._server = server
        self._name = name
        self._step = step
        self._timer: Timer | None = None
        self._due = 0
        self.stepping = False
        self._woken = False

    def wake(self) -> None:
        self._woken = True
        world = self._server.world
        slow = world.chaos and world.chance(0.05)
        self.come(world.random.randrange(3000 if slow else 20))

    def come(self, delay: int) -> None:
        due = self._server.world.now + delay
        if self._timer is not None and self._timer.call is not None and self._due <= due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._server.later(delay, self.turn)

    def turn(self) -> None:
        """One step. Errors are as the real loop treats them, but only a store that is away may be one."""
        world = self._server.world
        if self.stepping:
            return
        self.stepping = True
        self._woken = False
        try:
            due = self._step(world.now)
            self._rests(due)
        except StoreUnavailable:
            due = world.now + RETRY
        except Exception as error:
            self._server.checks.step_failed(self._name, error)
            due = world.now + RETRY
        finally:
            self.stepping = False
        if due is not None:
            self.come(max(0, due - world.now))

    def _rests(self, due: int | None) -> None:
        done = due is None or due > self._server.world.now
        if done and not self._woken and self._name == "dispatcher":
            self._server.checks.comes_to_rest(self._server.connections)


class Server(Process):
    """One life of `pulp-server`. `between`: what other threads of it may do in the middle of a step."""

    def __init__(
        self,
        world: World,
        disk: Disk,
        network: Network,
        checks: Checks,
        *,
        sweep: int,
        full: Callable[[], bool],
        visitor: Callable[[Server], None],
        died: Callable[[], None],
        classes: Sequence[type[Task]] = TASK_CLASSES,
    ) -> None:
        super().__init__(world, "server")
        self.checks = checks
        self.process: Process = self
        self._network = network
        self._visitor = visitor
        self._died = died
        self._inside = False
        clock, sessions, pending = _Clock(world), Sessions(), Pending()
        self.pending = pending
        world.note("server starts")
        self.store = SimStore(
            disk, self, committed=self._committed, between=self._between, full=full
        )
        kinds = TaskKinds(classes)
        self.receiver = inbox = Inbox(network, pending, self._wake_dispatcher)
        self.gateway = gateway = Gateway(network, self.store, sessions, clock)
        self.queue = FIFOQueue(
            self.store,
            kinds,
            gateway,
            wake=self._wake_dispatcher,
            wake_scheduler=self._wake_scheduler,
        )
        authority = _Authority()
        reception = Reception(
            bus=network,
            store=self.store,
            kinds=kinds,
            queue=self.queue,
            sessions=sessions,
            profile=ServerProfile(sorted(FEATURES), [], [], [], 1000),
            issue=authority.renew,
        )
        replies = ReplyListener(
            bus=network,
            store=self.store,
            kinds=kinds,
            queue=self.queue,
            inbox=inbox,
            sessions=sessions,
            tell_newest=gateway.tell_newest,
            reception=reception,
        )
        self.sessions = sessions
        news = News(self.store, gateway, self._wake_dispatcher)
        self.dispatching = _Thread(
            self,
            "dispatcher",
            Dispatcher(
                replies,
                news,
                self.queue,
                Sweep(
                    self.store,
                    sessions,
                    gateway,
                    interval=sweep,
                    has_room=self.queue.has_room,
                ),
            ).step,
        )
        scheduler = Scheduler(self.store, kinds, gateway, self.dispatching.wake)
        self.scheduling = _Thread(self, "scheduler", scheduler.step)
        planner = Planner(self.store, kinds, news.task_moved)
        self.planning = _Thread(self, "planner", planner.step)
        self.recurring = _Thread(
            self, "schedules", ScheduleRunner(self.store, kinds, self.queue).step
        )
        self.schedules = ScheduleApi(self.store, clock, self.recurring.wake)
        self.plans = Plans(news.calendars_changed, lambda _: self.planning.wake())
        self._identities = Identities(self.store)
        self.consumers = ConsumerApi(
            self.store,
            clock,
            self.queue,
            authority=authority,
            links=Links(network, self.store, gateway, pending),
            profile=AgentProfile(ca=(), signing_keys=(), urls=()),
            plans=self.plans,
        )
        self.tasks = TaskApi(self.store, clock, self.queue, kinds)

    def _wake_dispatcher(self) -> None:
        self.dispatching.wake()

    def _wake_scheduler(self) -> None:
        self.scheduling.wake()

    @property
    def connections(self) -> dict[int, Connection]:
        return self._network.connections

    def start(self) -> None:
        """As bootstrap's Core.start()."""
        self.store.write(lambda uow: uow.consumers.set_offline())
        self.store.write(lambda uow: uow.tasks.release(PARKED_VERSION))
        self._network.ear = self
        self.dispatching.come(0)
        self.scheduling.come(0)
        self.planning.come(0)
        self.recurring.come(0)

    def authenticate(self, certificate: PeerCertificate) -> Grant | None:
        self._inside, before = True, self._inside
        try:
            return self._identities(certificate)
        finally:
            self._inside = before

    def died(self) -> None:
        self._network.process_ended(self)
        self._died()

    def _committed(self, changes: Sequence[TaskChange]) -> None:
        """A real thread looks every 30 s; here it is enough to look that soon after anything has changed."""
        self.checks.committed(changes)
        self.dispatching.come(LONGEST)
        self.scheduling.come(LONGEST)
        self.planning.come(LONGEST)

    def _between(self) -> None:
        world = self.world
        likely = 0.4 if self.scheduling.stepping else 0.06
        if self._inside or not world.chaos or not world.chance(likely):
            return
        turns = (
            self.scheduling.turn,
            self.planning.turn,
            self.recurring.turn,
            self.dispatching.turn,
            lambda: self._visitor(self),
        )
        self._inside = True
        try:
            world.random.choice(turns)()
        finally:
            self._inside = False
