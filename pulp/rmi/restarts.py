"""A host's restart: what is asked for, and what an agent answers once it has decided and before the host goes down."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class RestartArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`delay`: ms that the agent waits before it decides; until then the call can be canceled. `if_needed`: only where the
    package system says that something takes effect with a restart only."""

    delay: Annotated[int, Meta(ge=0)] = 0
    if_needed: bool = False


class RestartResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`needed` and `reasons`: what the package system says. `rebooting`: the host is restarted once this answer is confirmed, or
    soon without that. `boot_id`: put in by the agent, of the start of the host that ends with it; it is back when its hello has
    another one."""

    needed: bool
    reasons: list[str] = []
    rebooting: bool = False
    boot_id: str = ""
