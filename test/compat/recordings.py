"""What earlier releases wrote and sent, as it lies in this folder, and how today's reading of it is compared."""

from __future__ import annotations

import dataclasses
import enum
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Raw, Struct

HERE = Path(__file__).parent


def releases() -> list[Path]:
    """One folder for each release, the oldest first."""
    found = [path for path in HERE.iterdir() if (path / "messages.json").exists()]
    return sorted(found, key=lambda path: [int(part) for part in path.name.split(".")])


@dataclass(frozen=True, slots=True)
class Recorded:
    """One message as it was on the wire: its file, the direction it went, and what it meant then.

    `typed`: its arguments or value as the type of `method`, where it has some."""

    path: Path
    message: dict[str, Any]
    method: str | None
    typed: Any

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".gz").removesuffix(".json")

    @property
    def to_agent(self) -> bool:
        return self.path.parent.name == "to_agent"

    @property
    def encoding(self) -> str | None:
        return "gzip" if self.path.suffix == ".gz" else None

    @property
    def body(self) -> bytes:
        return self.path.read_bytes()

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object."""
        text = gzip.decompress(self.body) if self.encoding else self.body
        return dict(json.loads(text))


def recorded(release: Path) -> Iterator[Recorded]:
    index = json.loads((release / "messages.json").read_text())
    for file, entry in index.items():
        yield Recorded(release / file, entry["message"], entry["method"], entry["typed"])


def named(release: Path, name: str) -> Recorded:
    return next(r for r in recorded(release) if r.name == name)


def meaning(value: Any) -> Any:
    """A value as its attributes name it, whatever they are called in JSON."""
    match value:
        case Struct():
            fields = {name: meaning(getattr(value, name)) for name in value.__struct_fields__}
            return {"is": type(value).__name__, **fields}
        case Raw():
            return msgspec.json.decode(value)
        case bytes():
            return value.decode()
        case enum.Enum():
            return value.name
        case msgspec.UNSET:
            return "unset"
        case dict():
            return {key: meaning(item) for key, item in value.items()}
        case list() | tuple():
            return [meaning(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: meaning(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value


def lost(then: Any, now: Any, where: str = "") -> Iterator[str]:
    """What was there then and is not, or is otherwise, now. What was added since is no loss."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key, value in then.items():
            path = f"{where}.{key}" if where else key
            if key in now:
                yield from lost(value, now[key], path)
            else:
                yield f"{path} is gone"
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for index, (old, new) in enumerate(zip(then, now, strict=True)):
            yield from lost(old, new, f"{where}[{index}]")
    elif then != now:
        yield f"{where} was {then!r} and is {now!r}"
