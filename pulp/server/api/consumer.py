"""ConsumerApi: hosts and what can be asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from threading import BoundedSemaphore

import msgspec

from pulp.common.clock import Clock
from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.server.api.access import require
from pulp.server.api.actions import Actions, found
from pulp.server.api.arguments import package_arguments, update_all_arguments
from pulp.server.api.errors import AgentOffline, Busy, NotFound, Unsupported
from pulp.server.api.faults import Faults
from pulp.server.api.package_tasks import ConsumerTask
from pulp.server.api.package_work import PackageWork
from pulp.server.api.packages import (
    FindUpdates,
    InstallPackages,
    NoArguments,
    RefreshProfile,
    RemovePackages,
    UpdateAll,
    UpdatePackages,
    UpdatesArguments,
)
from pulp.server.api.paging import listed
from pulp.server.api.ports import AgentProfile, Authority, Links, Plans, Queue
from pulp.server.api.registration import Registrar
from pulp.server.api.restarts import Restarts
from pulp.server.api.types import (
    ActionBody,
    ConsumerView,
    ListView,
    PackagesActionBody,
    PatchConsumerBody,
    PingView,
    ProfileView,
    RegisterBody,
    RegisteredView,
    TaskView,
    UpdateAllBody,
    UpdatesBody,
)
from pulp.server.api.views import consumer_view, profile_view
from pulp.server.api.window_bindings import check_enforceable, check_unchanged, note
from pulp.server.db.base import ConsumerFilter, Store, StoreError, UnitOfWork
from pulp.server.domain.consumer import Consumer
from pulp.server.domain.history import HistoryEvent, HistoryType
from pulp.server.domain.task import TaskError, TaskRecord
from pulp.server.domain.user import Principal, Role

PINGS = 4
"""How many pings may wait for their agents at a time, so that they never take every thread."""


class ConsumerApi:
    def __init__(
        self,
        store: Store,
        clock: Clock,
        queue: Queue,
        *,
        authority: Authority,
        links: Links,
        profile: AgentProfile,
        plans: Plans,
    ) -> None:
        self._store = store
        self._clock = clock
        self._queue = queue
        self._links = links
        self._plans = plans
        self._registrar = Registrar(store, clock, authority, links, profile)
        self._actions = Actions(store, clock, queue)
        self.work = PackageWork(self._actions)
        self.restarts = Restarts(self._actions)
        self._pings = BoundedSemaphore(PINGS)

    def register(self, body: RegisterBody) -> RegisteredView:
        """For agents: the token in the body is the right. Registrar.register() says what is refused."""
        return self._registrar.register(body)

    def list(
        self, who: Principal, where: ConsumerFilter, *, after: str | None, limit: int
    ) -> ListView[ConsumerView]:
        require(who, Role.VIEWER)
        return listed(
            lambda: self._store.read(lambda uow: uow.consumers.page(where, after, limit)),
            consumer_view,
        )

    def show(self, who: Principal, consumer_id: str) -> ConsumerView:
        require(who, Role.VIEWER)
        return consumer_view(self._get(consumer_id))

    def patch(self, who: Principal, consumer_id: str, body: PatchConsumerBody) -> ConsumerView:
        """Absent fields stay; a note that is null is removed. Only admins say whether a host's windows are enforced."""
        require(who, Role.OPERATOR if body.enforced is None else Role.ADMIN)
        now = self._clock.now()
        seen = check_enforceable(self._store, consumer_id, now) if body.enforced else None

        def job(uow: UnitOfWork) -> Consumer:
            consumer = found(uow.consumers.get(consumer_id), consumer_id)
            if seen is not None:
                check_unchanged(consumer, seen)
            changed = _patched(consumer, body)
            uow.consumers.save(changed)
            if changed.enforced is not consumer.enforced:
                note(uow, consumer_id, who.login, {"enforced": changed.enforced}, now)
                self._plans.changed(uow, None, [consumer_id], now)
            return changed

        return consumer_view(self._store.write(job))

    def unregister(self, who: Principal, consumer_id: str) -> None:
        """Cancel its open tasks, forget it, cut its connection; its history stays and says who did it."""
        require(who, Role.OPERATOR)
        now = self._clock.now()
        uid, ended = self._store.write(lambda uow: self._unregister(uow, who, consumer_id, now))
        failpoint("server.unregister.committed")
        self._queue.call_off(ended)
        self._links.close(uid)

    def _unregister(
        self, uow: UnitOfWork, who: Principal, consumer_id: str, now: int
    ) -> tuple[str, Sequence[TaskRecord]]:
        """The uid, and the tasks that were ended."""
        consumer = found(uow.consumers.get(consumer_id), consumer_id)
        error = TaskError(
            code="consumer-unregistered", message=f"The consumer was unregistered by {who.login}."
        )
        ended = [
            self._queue.end(uow, record, error, now) for record in uow.tasks.open_of(consumer_id)
        ]
        uow.consumers.remove(consumer_id)
        uow.history.add(
            HistoryEvent(
                consumer_id=consumer_id,
                type=HistoryType.CONSUMER_UNREGISTERED,
                at=now,
                originator=who.login,
                details=msgspec.json.encode({"uid": consumer.uid}),
            )
        )
        return consumer.uid, ended

    def profile(self, who: Principal, consumer_id: str) -> ProfileView:
        """The installed packages as last reported; NotFound when nothing was reported yet."""
        require(who, Role.VIEWER)

        def job(uow: UnitOfWork) -> ProfileView:
            found(uow.consumers.get(consumer_id), consumer_id)
            profile = uow.consumers.profile(consumer_id)
            if profile is None:
                raise NotFound(
                    f"{consumer_id} has not reported its packages yet: ask for them with the action refresh-profile"
                )
            return profile_view(profile)

        return self._store.read(job)

    def ping(self, who: Principal, consumer_id: str) -> PingView:
        """A round trip to the agent. AgentOffline; Unsupported; Busy when too many pings wait already."""
        require(who, Role.OPERATOR)
        consumer = self._get(consumer_id)
        if not self._pings.acquire(blocking=False):
            raise Busy("too many pings are waiting for their agents: try again", retry_after=1)
        try:
            return PingView(rtt_ms=self._links.ping(consumer.uid))
        except StoreError:
            raise
        except PulpError as error:
            if error.code == AgentOffline.code:
                message = f"the agent of {consumer_id} does not answer: {error}"
                raise AgentOffline(message) from error
            raise Unsupported(f"the agent of {consumer_id} refused the ping: {error}") from error
        finally:
            self._pings.release()

    def install(
        self, who: Principal, consumer_id: str, body: PackagesActionBody, *, key: str | None = None
    ) -> TaskView:
        """Actions.start() says what is refused; `key` is the request's Idempotency-Key."""
        return self._packages(who, consumer_id, InstallPackages, body, key)

    def update(
        self, who: Principal, consumer_id: str, body: PackagesActionBody, *, key: str | None = None
    ) -> TaskView:
        return self._packages(who, consumer_id, UpdatePackages, body, key)

    def remove(
        self, who: Principal, consumer_id: str, body: PackagesActionBody, *, key: str | None = None
    ) -> TaskView:
        return self._packages(who, consumer_id, RemovePackages, body, key)

    def update_all(
        self, who: Principal, consumer_id: str, body: UpdateAllBody, *, key: str | None = None
    ) -> TaskView:
        require(who, Role.OPERATOR)
        faults = Faults()
        args = update_all_arguments(
            security_only=body.security_only,
            advisories=body.advisories,
            policy=body.policy,
            dry_run=body.dry_run,
            faults=faults,
        )
        return self._actions.start(who, consumer_id, UpdateAll, body, args, key=key, faults=faults)

    def updates(
        self, who: Principal, consumer_id: str, body: UpdatesBody, *, key: str | None = None
    ) -> TaskView:
        require(who, Role.OPERATOR)
        args = UpdatesArguments(refresh=body.refresh)
        return self._actions.start(
            who, consumer_id, FindUpdates, body, args, key=key, faults=Faults()
        )

    def refresh_profile(
        self, who: Principal, consumer_id: str, body: ActionBody, *, key: str | None = None
    ) -> TaskView:
        require(who, Role.OPERATOR)
        return self._actions.start(
            who, consumer_id, RefreshProfile, body, NoArguments(), key=key, faults=Faults()
        )

    def _packages(
        self,
        who: Principal,
        consumer_id: str,
        task: type[ConsumerTask],
        body: PackagesActionBody,
        key: str | None,
    ) -> TaskView:
        require(who, Role.OPERATOR)
        faults = Faults()
        args = package_arguments(
            task, body.packages, body.policy, dry_run=body.dry_run, faults=faults
        )
        return self._actions.start(who, consumer_id, task, body, args, key=key, faults=faults)

    def _get(self, consumer_id: str) -> Consumer:
        return found(self._store.read(lambda uow: uow.consumers.get(consumer_id)), consumer_id)


def _patched(consumer: Consumer, body: PatchConsumerBody) -> Consumer:
    name = consumer.display_name if body.display_name is None else body.display_name
    changes = body.notes or {}
    kept = {key: text for key, text in consumer.notes.items() if key not in changes}
    added = {key: text for key, text in changes.items() if text is not None}
    enforced = consumer.enforced if body.enforced is None else body.enforced
    return consumer.replace(display_name=name, notes=kept | added, enforced=enforced)
