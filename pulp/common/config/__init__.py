"""Settings that document themselves: one frozen value per program, read from a file, the environment and flags.

A settings type is a frozen Struct of sections, which are frozen Structs of fields with a default and a meaning:

    class Rest(Struct, frozen=True, kw_only=True):
        "The REST API."
        port: Annotated[int, Meta(description="TCP port.", ge=0, le=65535)] = 8443
        idle: Annotated[int, duration("An idle connection is closed after this.")] = MINUTE
"""

from pulp.common.config.fields import Effective, SettingsError, duration, secret
from pulp.common.config.load import load, read
from pulp.common.config.text import sample, show

__all__ = ["Effective", "SettingsError", "duration", "load", "read", "sample", "secret", "show"]
