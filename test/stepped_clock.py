"""Wall clocks of real, unchanged programs, stepped while they run (stepped_clock.c)."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


class SteppedClock:
    """`env` is for the programs that are to have this clock; made in `folder`, with the compiler that ./dev needs anyway."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        library = folder / "clock.so"
        compile_ = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", str(_SOURCE)]
        subprocess.run([*compile_, "-o", str(library)], check=True)
        self._file = folder / "offset"
        self._file.write_bytes(struct.pack("q", 0))
        self.env: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "CLOCK_OFFSET": str(self._file),
        }

    def set(self, seconds: float) -> None:
        """This far ahead of the true time, from now on."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("q", round(seconds * 1e9)))
