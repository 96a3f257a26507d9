"""Writes the sample settings in etc/ from the settings types. `./dev samples`; a test holds the two equal."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct
from pulp_agent.config import AgentSettings

from pulp.common.config import sample
from pulp.server.config import ServerSettings

ETC = Path(__file__).parents[1] / "etc" / "pulp"
SAMPLES: dict[str, type[Struct]] = {"agent.toml": AgentSettings, "server.toml": ServerSettings}

if __name__ == "__main__":
    ETC.mkdir(parents=True, exist_ok=True)
    for name, type_ in SAMPLES.items():
        (ETC / name).write_text(sample(type_))
        print(f"wrote etc/pulp/{name}")
