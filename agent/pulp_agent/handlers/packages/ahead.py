"""Fetching what a request will need: metadata, a plan that its policy allows, and the packages. Nothing here can change one:
a `Source` has no way to."""

from __future__ import annotations

from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages.base import Request, Source
from pulp_agent.handlers.packages.planning import Planner
from pulp_agent.handlers.packages.run import Run


def fetch(backend: Source, request: Request, run: Run) -> None:
    """Into the package system's own cache, where the request's execution finds it."""
    planner = Planner(backend, request, run)
    planner.refresh()
    if not planner.plan():
        return
    try:
        with run.phase("download"):
            run.retrying(lambda: backend.download(request, run))
    except HandlerError as error:
        raise planner.blame_metadata(error) from error
