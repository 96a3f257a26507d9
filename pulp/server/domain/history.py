"""What really happened on a consumer. Written once, never changed."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from pulp.server.domain.task import Json


class HistoryType(Enum):
    CONSUMER_REGISTERED = "consumer_registered"
    CONSUMER_UNREGISTERED = "consumer_unregistered"
    CERTIFICATE_RENEWED = "certificate_renewed"
    PACKAGES_INSTALLED = "packages_installed"
    PACKAGES_UPDATED = "packages_updated"
    PACKAGES_REMOVED = "packages_removed"
    PACKAGES_REPAIRED = "packages_repaired"
    ACTION_FAILED = "action_failed"
    ACTION_CANCELED = "action_canceled"
    WINDOW_MISSED = "window_missed"
    LATE_RESULT = "late_result"
    ORPHAN_RESULT = "orphan_result"
    PROFILE_CHANGED = "profile_changed"
    WINDOWS_CHANGED = "windows_changed"
    REBOOTED = "rebooted"
    OVERRIDE_USED = "override_used"


class HistoryEvent(Struct, frozen=True, kw_only=True):
    """`originator`: the login of the user who asked, or `agent`/`server` where nobody did. `details`: a JSON object.
    (task_id, type) occurs once: a second append of the same is no second event."""

    consumer_id: str
    type: HistoryType
    at: int
    originator: str
    task_id: str | None = None
    details: Json = b"{}"
    id: int = 0  # given by the store
