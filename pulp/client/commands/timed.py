"""The options that say when work is done, for every command that asks for some; declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, get_type_hints

from pulp.client.commands import options as o
from pulp.client.commands.timing import Timing

_PARAMETER = "timing"


def _options(
    at: o.At = None,
    window: o.WindowSpec = None,
    missed: o.MissedOption = None,
    grace: o.Grace = None,
    expected: o.Expected = None,
    predownload: o.Predownload = False,
    override: o.Override = None,
    override_for: o.OverrideFor = None,
    timeout: o.Timeout = None,
    deliver_within: o.DeliverWithin = None,
) -> None:
    """Never called: its signature is what `timed` adds to a command's."""


def _options_again(
    at: o.At = None,
    window: o.RetryWindow = None,
    missed: o.MissedOption = None,
    grace: o.Grace = None,
    expected: o.Expected = None,
    predownload: o.Predownload = False,
    override: o.Override = None,
    override_for: o.OverrideFor = None,
    timeout: o.RetryTimeout = None,
    deliver_within: o.DeliverWithin = None,
) -> None:
    """The same for asking once more."""


def timed(command: Callable[..., None]) -> Callable[..., None]:
    """The command with these options in place of its parameter `timing`, a Timing."""
    return _with(_options, command)


def timed_again(command: Callable[..., None]) -> Callable[..., None]:
    return _with(_options_again, command)


def _with(options: Callable[..., None], command: Callable[..., None]) -> Callable[..., None]:
    added = _typed(options)
    own = _typed(command)
    place = [parameter.name for parameter in own].index(_PARAMETER)

    @wraps(command)
    def run(**given: Any) -> None:
        said = {parameter.name: given.pop(parameter.name) for parameter in added}
        command(**given, timing=Timing(**said))

    parameters = [*own[:place], *added, *own[place + 1 :]]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    del run.__wrapped__
    return run


def _typed(function: Callable[..., None]) -> list[inspect.Parameter]:
    """Its parameters, all by keyword, with their annotations as objects."""
    hints = get_type_hints(function, include_extras=True)
    return [
        parameter.replace(kind=parameter.KEYWORD_ONLY, annotation=hints[name])
        for name, parameter in inspect.signature(function).parameters.items()
    ]
