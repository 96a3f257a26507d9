"""The journal: what is cut or rotten costs nothing that was intact, and what cannot be written does not count."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path

import pytest
from agent_plays import T0, request
from pulp_agent import journal as journal_module
from pulp_agent.calls import CallTable
from pulp_agent.files import write_whole
from pulp_agent.frames import Damaged, Intact, frame, scan
from pulp_agent.journal import Cut, FileJournal, JournalError, open_journal, read_records
from pulp_agent.records import AnyRecord, Began, Confirmed, Ended, Opening, ProfileKnown, Took

from pulp.rmi.messages import Canceled, Failed

RECORDS: list[AnyRecord] = [
    Took(request=request("a"), at=T0),
    Began(id="a", at=T0 + 1),
    Ended(final=Failed(id="a", code="script", message="ü\n"), at=T0 + 2),
    Confirmed(ids=["a"], at=T0 + 3),
    Ended(final=Canceled(id="b"), at=T0 + 4),
]


def filled(path: Path) -> bytes:
    """A journal of RECORDS; its bytes."""
    journal, _, _ = open_journal(path)
    journal.append(RECORDS, sync=True)
    journal.close()
    return path.read_bytes()


def opened(path: Path) -> tuple[FileJournal, list[AnyRecord], list[Cut]]:
    journal, records, cuts = open_journal(path)
    journal.close()
    return journal, records, cuts


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    filled(path)
    before, records, cuts = opened(path)
    assert (records, cuts, before.seq) == (RECORDS, [], len(RECORDS))
    after, _, _ = opened(path)
    assert after.id == before.id
    assert read_records(path) == RECORDS


@pytest.fixture
def fast_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that write thousands of files and pull no plug."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
    monkeypatch.setattr(os, "fdatasync", lambda fd: None)


@pytest.mark.usefixtures("fast_disk")
def test_a_cut_at_any_byte_loses_no_intact_record(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = filled(path)
    ends = [
        part.end - 1 for part in scan(whole) if isinstance(part, Intact)
    ]  # a line's end may lack
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        journal, records, cuts = opened(path)
        intact = sum(end <= length for end in ends)
        assert records == RECORDS[: max(0, intact - 2)]
        assert journal.seq == len(records)
        whole_lines = {0, *ends, *(end + 1 for end in ends)}
        assert bool(cuts) == (length not in whole_lines)
        if cuts:
            assert cuts[0].offset == max([0, *(e + 1 for e in ends if e <= length)])
            assert cuts[0].kept.read_bytes() == whole[cuts[0].offset : length]
        for kept in tmp_path.glob("journal.bad-*"):
            kept.unlink()


@pytest.mark.usefixtures("fast_disk")
def test_a_flipped_byte_costs_at_most_the_record_it_is_in(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = filled(path)
    id_ = opened(path)[0].id
    for at in range(len(whole)):
        rotten = bytearray(whole)
        rotten[at] ^= 0x5A
        path.write_bytes(rotten)
        journal, records, cuts = opened(path)
        kept = [record for record in RECORDS if record in records]
        assert kept == records and len(records) >= len(RECORDS) - 1
        assert journal.id == id_ and journal.seq == len(records)
        assert len(cuts) == 1
        assert opened(path)[1:] == (records, [])
        cuts[0].kept.unlink()


def test_after_a_repair_it_is_written_on_as_before(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    whole = filled(path)
    path.write_bytes(whole[:-7])
    journal, records, _ = open_journal(path)
    more = Opening(begin=1, end=2, closed=True)
    journal.append([more], sync=True)
    journal.close()
    assert opened(path)[1] == [*records, more]


def test_bad_parts_get_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    for _ in range(2):
        path.unlink(missing_ok=True)
        path.write_bytes(filled(path)[:-2])
        opened(path)
    assert sorted(p.name for p in tmp_path.glob("journal.bad-*")) == [
        "journal.bad-1",
        "journal.bad-2",
    ]


def test_every_byte_belongs_to_a_part() -> None:
    data = b"rubbish\n" + frame(b"{}") + b"\nff\n" + frame(b"[1]") + b"tail"
    parts = list(scan(data))
    assert [type(p) for p in parts] == [Damaged, Intact, Damaged, Intact, Damaged]
    assert parts[0].start == 0 and parts[-1].end == len(data)
    assert all(one.end == two.start for one, two in pairwise(parts))


def test_only_what_is_synced_is_claimed(tmp_path: Path) -> None:
    journal, _, _ = open_journal(tmp_path / "journal")
    journal.append(RECORDS[:1], sync=True)
    journal.append(RECORDS[3:4], sync=False)
    assert journal.seq == 1
    journal.sync()
    assert journal.seq == 2
    journal.close()


def test_compaction_keeps_the_state_the_id_and_the_seq(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    filled(path)
    journal, records, _ = open_journal(path)
    table = CallTable(records)
    journal.compact(table.snapshot())
    journal.append([ProfileKnown(hash="h")], sync=True)
    journal.close()
    again, shorter, cuts = opened(path)
    assert (again.id, again.seq, cuts) == (journal.id, len(RECORDS) + 1, [])
    assert list(CallTable(shorter[:-1]).snapshot()) == list(table.snapshot())
    path.write_bytes(path.read_bytes()[:-2])
    assert opened(path)[0].seq == len(RECORDS)


def test_it_asks_for_compaction_when_it_has_grown(tmp_path: Path) -> None:
    journal, _, _ = open_journal(tmp_path / "journal")
    while not journal.wants_compaction():
        journal.append(RECORDS, sync=False)
    journal.compact([])
    assert not journal.wants_compaction()
    journal.close()


@pytest.mark.parametrize("written", [0, 10])
def test_a_full_disk_leaves_the_journal_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    path = tmp_path / "journal"
    journal, _, _ = open_journal(path)
    journal.append(RECORDS[:1], sync=True)

    def full(fd: int, data: bytes) -> None:
        write_whole(fd, data[:written])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(journal_module, "write_whole", full)
    with pytest.raises(JournalError, match="No space left"):
        journal.append(RECORDS[1:2], sync=True)
    with pytest.raises(JournalError, match="waiting to be recovered"):
        journal.append(RECORDS[1:2], sync=True)
    with pytest.raises(JournalError, match="No space left"):
        journal.recover()
    monkeypatch.undo()
    assert journal.recover() == RECORDS[:1]
    journal.append(RECORDS[1:2], sync=True)
    assert journal.seq == 2
    journal.close()
    assert opened(path)[1:] == (RECORDS[:2], [])


def test_after_a_failed_fsync_nothing_of_the_page_cache_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal"
    journal, _, _ = open_journal(path)
    journal.append(RECORDS[:1], sync=True)

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(JournalError):
        journal.append(RECORDS[1:2], sync=True)
    monkeypatch.undo()
    assert journal.recover() == RECORDS[:1]
    assert journal.seq == 1
    journal.close()
    assert opened(path)[1] == RECORDS[:1]


def test_a_journal_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="cannot be opened: Is a directory"):
        open_journal(tmp_path)


def test_one_that_is_long_when_it_is_opened_is_compacted_first(tmp_path: Path) -> None:
    """Else an agent that is restarted often would let it grow without end."""
    path = tmp_path / "journal"
    journal, _, _ = open_journal(path)
    journal.append([Confirmed(ids=[f"call-{n}"], at=T0) for n in range(6000)], sync=True)
    journal.close()
    journal, records, _ = open_journal(path)
    assert path.stat().st_size > 256 * 1024 and journal.wants_compaction()
    journal.compact(records)
    assert not journal.wants_compaction()
    journal.close()
