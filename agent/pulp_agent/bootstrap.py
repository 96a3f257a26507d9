"""Joins the parts of `pulp-agent run`; the only place that picks them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from dataclasses import dataclass

import msgspec

from pulp.common.times import SECOND
from pulp.rmi.interfaces import Method
from pulp.rmi.versions import FEATURES
from pulp_agent import __version__, host, reboot
from pulp_agent.call import Phase
from pulp_agent.calls import CallTable
from pulp_agent.config import AgentSettings, Reboot
from pulp_agent.daemon import Agent
from pulp_agent.desk import Me
from pulp_agent.errands import Errands
from pulp_agent.events import Event
from pulp_agent.fetching import ProcessFetcher
from pulp_agent.files import write_atomically
from pulp_agent.home import Home, Registration
from pulp_agent.household import HomeHousehold
from pulp_agent.jobs import ProcessExecutor
from pulp_agent.journal import Cut, FileJournal, open_journal
from pulp_agent.link import AmqpConnector, LinkKeeper
from pulp_agent.records import AnyRecord
from pulp_agent.spool import SETTINGS
from pulp_agent.status import Status, StatusFile

_log = logging.getLogger(__name__)


async def run(settings: AgentSettings) -> None:
    """Until SIGTERM or SIGINT. HomeError or JournalError where the data directory cannot be used."""
    home = Home(settings.agent.data)
    registration = home.registration()
    lock = home.lock()
    try:
        journal, records, cuts = open_journal(home.journal)
        _report(cuts)
        for folder in (home.jobs, home.fetches):
            folder.mkdir(exist_ok=True, mode=0o700)
            write_atomically(folder / SETTINGS, msgspec.json.encode(settings.packages))
        await _live(home, registration, journal, records, settings)
    finally:
        os.close(lock)


@dataclass(slots=True)
class _Parts:
    """Knots that are tied last: errands and status need the agent, and it needs them."""

    agent: Agent | None = None
    link: LinkKeeper | None = None

    def post(self, event: Event) -> None:
        if self.agent is not None:
            self.agent.post(event)


async def _live(
    home: Home,
    registration: Registration,
    journal: FileJournal,
    records: list[AnyRecord],
    settings: AgentSettings,
) -> None:
    parts, rebooting = _Parts(), settings.reboot
    errands = Errands(home, parts.post)
    me = _me(registration, journal.id, await errands.offered_methods(), rebooting)
    household = HomeHousehold(home, errands, reboot=rebooting.command)
    executor = ProcessExecutor(home.jobs)
    executor.sweep(keep=_begun(CallTable(records)))
    fetcher = ProcessFetcher(home.fetches)
    agent = Agent(me, records, journal, executor, fetcher, household)
    status = StatusFile(home, lambda: _status(parts, registration))
    link = LinkKeeper(AmqpConnector(home), seq=agent.durable_seq, changed=status.changed)
    parts.agent, parts.link = agent, link
    agent.start(link)
    status.write()
    errands.read_profile()
    errands.watch_profile(settings.agent.profile_interval)
    errands.watch_certificate()
    await _asked_to_stop()
    _log.info("pulp-agent is stopping; running jobs go on")
    await errands.stop()
    await agent.stop()
    link.state, link.problem = "stopped", ""
    status.write()


async def _asked_to_stop() -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _me(
    registration: Registration,
    journal_id: str,
    methods: dict[tuple[str, int], Method],
    rebooting: Reboot,
) -> Me:
    boot_id = host.boot_id(rebooting.boot_id_file)
    methods, features = reboot.offered(
        methods, FEATURES, configured=rebooting.command, boot_id=boot_id
    )
    return Me(
        names=frozenset({registration.consumer_id, registration.uid}),
        version=__version__,
        methods=methods,
        features=features,
        boot_id=boot_id,
        timezone=host.timezone(),
        os=host.os_facts(),
        journal_id=journal_id,
        confirm=registration.confirm,
        heartbeat=registration.heartbeat * SECOND,
    )


def _begun(table: CallTable) -> set[str]:
    """What a call that waits again has left behind is of no use."""
    return {call.id for call in table.open.values() if call.phase is not Phase.WAITING}


def _report(cuts: list[Cut]) -> None:
    for cut in cuts:
        _log.warning(
            "The journal was damaged; the bad bytes were put aside",
            extra={"offset": cut.offset, "bytes": cut.length, "kept": str(cut.kept)},
        )


def _status(parts: _Parts, registration: Registration) -> Status:
    agent, link, now = parts.agent, parts.link, host.instant()
    return Status(
        pid=os.getpid(),
        version=__version__,
        at=now.wall,
        state=link.state if link else "connecting",
        problem=link.problem if link else "",
        server=registration.urls[0],
        last_welcome=link.last_welcome if link else None,
        clock_offset=agent.core.offset(now) if agent else None,
        journal_problem=agent.stalled if agent else "",
    )
