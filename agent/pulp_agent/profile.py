"""Core: what the server is told of the host's packages: the whole profile when it changed, else its hash alone."""

from __future__ import annotations

from pulp.rmi.messages import Profile, ProfileHash, Welcome
from pulp.rmi.versions import PROFILE_HASH
from pulp_agent.desk import Desk
from pulp_agent.events import ProfileRead, ReadProfile
from pulp_agent.records import ProfileKnown


class ProfileReporter:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._profile: Profile | None = None
        """Until it has arrived."""
        self._hash: ProfileHash | None = None
        """Until it can be said once: it may be lost, the next reading says it again."""
        self._takes_hash = False

    def welcomed(self, welcome: Welcome) -> None:
        self._takes_hash = PROFILE_HASH in welcome.features
        if self._profile is not None:
            self._desk.send(self._profile)
        self._say_hash()

    def read(self, event: ProfileRead) -> None:
        known = self._desk.table.profile_hash if self._profile is None else self._profile.hash
        if event.hash != known:
            self._profile = Profile(hash=event.hash, packages=list(event.packages))
            self._hash = None
            self._desk.send(self._profile)
        elif self._profile is None:
            self._hash = ProfileHash(hash=event.hash)
            self._say_hash()

    def delivered(self, hash_: str) -> None:
        if self._profile is not None and self._profile.hash == hash_:
            self._profile = None
            self._desk.append(ProfileKnown(hash=hash_), sync=False)

    def wanted(self) -> None:
        """The server has another profile than this host thinks, or none: it was restored, or could not read it."""
        self._desk.append(ProfileKnown(hash=""), sync=False)
        self._desk.out.append(ReadProfile())

    def _say_hash(self) -> None:
        if self._hash is not None and self._takes_hash and self._desk.online:
            self._desk.send(self._hash)
            self._hash = None
