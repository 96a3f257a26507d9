"""The agent's journal: an append-only file of records that survives the power going away at any moment.

What cannot be written is not acknowledged: `append` raises and leaves the file as it was, and the agent stalls until
`recover` has succeeded (see daemon.py). Damage is cut out, kept aside and reported; intact records are never given up.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeGuard

import msgspec
from msgspec import Struct

from pulp.common.errors import PulpError
from pulp.common.failpoints import failpoint
from pulp.common.ids import new_id
from pulp_agent.files import sync_directory, write_atomically, write_whole
from pulp_agent.frames import Damaged, Intact, frame, scan
from pulp_agent.records import AnyRecord

_COMPACT_FROM = 256 * 1024  # bytes; below it a compaction is not worth its fsyncs
_COMPACT_GROWTH = 4


class JournalError(PulpError):
    """The journal cannot be read or written; the sentence names the file and the system's reason."""

    code = "journal"


@dataclass(frozen=True, slots=True)
class Cut:
    """A damaged span of the journal and the file its bytes were put aside in."""

    offset: int
    length: int
    kept: Path


class Journal(Protocol):
    id: str

    @property
    def seq(self) -> int:
        """Records that are safely on disk since the journal was made."""

    def append(self, records: Sequence[AnyRecord], *, sync: bool) -> None: ...

    def sync(self) -> None: ...

    def recover(self) -> list[AnyRecord]:
        """After a failed `append`: what is durable, written anew. Raises as long as it cannot be done."""

    def wants_compaction(self) -> bool: ...

    def compact(self, records: Iterable[AnyRecord]) -> None: ...

    def close(self) -> None: ...


class _Header(Struct, frozen=True, tag_field="t", tag="journal"):
    """Stands twice at the beginning, so that one damaged place cannot take it. `seq` counts the `snapshot` records too."""

    id: str
    seq: int
    snapshot: int


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[_Header | AnyRecord] = msgspec.json.Decoder(_Header | AnyRecord)


class FileJournal:
    """`open_journal` makes one. Not thread-safe; one process at a time (the data directory's lock)."""

    def __init__(self, path: Path, header: _Header, count: int, size: int) -> None:
        self.id = header.id
        self._path = path
        self._failed = False
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
        self._size = self._synced_size = size
        self._base_size = 0  # unknown: one that was long when it was opened is compacted first
        self._seq = self._synced_seq = header.seq - header.snapshot + count
        os.lseek(self._fd, size, os.SEEK_SET)

    @property
    def seq(self) -> int:
        return self._synced_seq

    def append(self, records: Sequence[AnyRecord], *, sync: bool) -> None:
        """One write, and one fsync if `sync` (it covers earlier appends without). JournalError: nothing of it counts."""
        if self._failed:
            raise JournalError(f"the journal {self._path} is waiting to be recovered")
        data = b"".join(frame(_encoder.encode(record)) for record in records)
        try:
            write_whole(self._fd, data)
        except OSError as error:
            raise self._failure("written", error) from error
        self._size += len(data)
        self._seq += len(records)
        if sync:
            self.sync()

    def sync(self) -> None:
        if self._size == self._synced_size:
            return
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            raise self._failure("written", error) from error
        self._synced_size, self._synced_seq = self._size, self._seq

    def recover(self) -> list[AnyRecord]:
        """After a failed fsync the page cache cannot be trusted, so the durable part is written to a new file."""
        try:
            durable = self._path.read_bytes()[: self._synced_size]
            self._replace(durable, self._synced_seq)
        except OSError as error:
            raise self._failure("written", error) from error
        self._failed = False
        return _records(scan(durable))

    def wants_compaction(self) -> bool:
        return self._size > max(_COMPACT_FROM, _COMPACT_GROWTH * self._base_size)

    def compact(self, records: Iterable[AnyRecord]) -> None:
        """Replace all records by `records`; `seq` stays. JournalError leaves the journal as it was."""
        lines = [frame(_encoder.encode(record)) for record in records]
        head = frame(_encoder.encode(_Header(self.id, self._seq, len(lines))))
        try:
            self._replace(head + head + b"".join(lines), self._seq)
        except OSError as error:
            raise self._failure("compacted", error) from error

    def _replace(self, data: bytes, seq: int) -> None:
        """The new file is held open from before it gets its name, so that no append can go to the old one."""
        part = self._path.with_name(f".{self._path.name}.part")
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            write_whole(fd, data)
            os.fsync(fd)
            failpoint("agent.journal.rewritten")
            part.rename(self._path)
            failpoint("agent.journal.replaced")
        except OSError:
            os.close(fd)
            raise
        os.close(self._fd)
        self._fd, self._seq, self._synced_seq = fd, seq, seq
        self._size = self._synced_size = self._base_size = len(data)
        sync_directory(self._path.parent)

    def _failure(self, what: str, error: OSError) -> JournalError:
        self._failed = True
        return JournalError(f"the journal {self._path} cannot be {what}: {error.strerror}")

    def close(self) -> None:
        os.close(self._fd)


def open_journal(path: Path) -> tuple[FileJournal, list[AnyRecord], list[Cut]]:
    """Read the journal, or make it. Damage is put aside as `journal.bad-<n>` first. JournalError where that is not possible."""
    try:
        if not path.exists():
            return FileJournal(path, *_make(path)), [], []
        data = path.read_bytes()
        parts = list(scan(data))
        cuts = _put_aside(path, data, parts)
        header = next(filter(_is_header, map(_read, parts)), None)
        count = sum(isinstance(p, Intact) and not _is_header(_read(p)) for p in parts)
        if header is None or not all(isinstance(p, Intact) and p.ended for p in parts):
            header = _rewrite(path, header, parts, count)
        return FileJournal(path, header, count, path.stat().st_size), _records(parts), cuts
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be opened: {error.strerror}") from error


def read_records(path: Path) -> list[AnyRecord]:
    """What an agent's journal says, without touching it; for `status`. Empty where there is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise JournalError(f"the journal {path} cannot be read: {error.strerror}") from error
    return _records(scan(data))


def _make(path: Path) -> tuple[_Header, int, int]:
    header = _Header(id=new_id(), seq=0, snapshot=0)
    head = frame(_encoder.encode(header))
    write_atomically(path, head + head)
    return header, 0, 2 * len(head)


def _rewrite(
    path: Path, header: _Header | None, parts: Sequence[Intact | Damaged], count: int
) -> _Header:
    """Keep the intact lines, in a new file. With both headers gone it is a new journal, and the server is told so."""
    if header is None:
        header = _Header(id=new_id(), seq=count, snapshot=count)
    head = frame(_encoder.encode(header))
    kept = [p for p in parts if isinstance(p, Intact) and not _is_header(_read(p))]
    lines = [frame(p.body) for p in kept]
    write_atomically(path, head + head + b"".join(lines))
    return header


def _put_aside(path: Path, data: bytes, parts: Iterable[Intact | Damaged]) -> list[Cut]:
    cuts = []
    for part in parts:
        if isinstance(part, Damaged):
            kept = _free_name(path)
            write_atomically(kept, data[part.start : part.end])
            cuts.append(Cut(part.start, part.end - part.start, kept))
    return cuts


def _free_name(path: Path) -> Path:
    taken = (path.with_name(f"{path.name}.bad-{n}") for n in _count())
    return next(name for name in taken if not name.exists())


def _count() -> Iterator[int]:
    n = 1
    while True:
        yield n
        n += 1


def _records(parts: Iterable[Intact | Damaged]) -> list[AnyRecord]:
    read = map(_read, parts)
    return [record for record in read if record and not isinstance(record, _Header)]


def _read(part: Intact | Damaged) -> _Header | AnyRecord | None:
    """None for damage, and for an intact line of a kind that this version does not know."""
    try:
        return _decoder.decode(part.body) if isinstance(part, Intact) else None
    except msgspec.MsgspecError:
        return None


def _is_header(record: _Header | AnyRecord | None) -> TypeGuard[_Header]:
    return isinstance(record, _Header)


class MemoryJournal:
    """The same interface without a disk, for simulated agents."""

    def __init__(self) -> None:
        self.id = new_id()
        self._records: list[AnyRecord] = []
        self.seq = 0

    def append(self, records: Sequence[AnyRecord], *, sync: bool) -> None:
        self._records += records
        self.seq += len(records)

    def sync(self) -> None:
        pass

    def recover(self) -> list[AnyRecord]:
        return list(self._records)

    def wants_compaction(self) -> bool:
        return len(self._records) > 1000

    def compact(self, records: Iterable[AnyRecord]) -> None:
        self._records = list(records)

    def close(self) -> None:
        pass
