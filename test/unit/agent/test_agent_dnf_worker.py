"""A worker of dnf that cannot work."""

from __future__ import annotations

import sys
from contextlib import closing

import pytest
from pulp_agent.handlers.base import HandlerError
from pulp_agent.handlers.packages import Dnf5Settings, DnfSettings
from pulp_agent.handlers.packages.dnf.backend import DnfBackend


@pytest.mark.parametrize("kind", [DnfSettings, Dnf5Settings])
def test_a_python_without_dnfs_module_is_told_as_such(kind: type[DnfSettings]) -> None:
    """Each time anew: the worker lives on."""
    with closing(DnfBackend(kind(python=sys.executable))) as backend:
        for _ in range(2):
            with pytest.raises(HandlerError, match="dnf cannot be used: No module") as caught:
                backend.state()
            assert caught.value.code == "internal"
