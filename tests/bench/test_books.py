"""The books of an engine after a step: whatever is missing in store or journals is found."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.clock import SystemClock, unix_ms
from core.ids import CallId, new_call_id
from core.journal import Journal
from core.store import CallRow, Direction, PermitKind, Store
from scripts.bench.ground import books_problems

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def row_of(call_id: CallId) -> CallRow:
    return CallRow(
        call_id=call_id,
        engine="lkbench",
        app="lkbench",
        engine_run="run",
        direction=Direction.OUTBOUND,
        state="begun",
        started_at=AT,
    )


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """The data folder of an engine that has had three calls."""
    rng = random.Random(1)
    async with Store.open(tmp_path / "linekeeper.db", SystemClock(), rng) as store:
        for _ in range(3):
            call_id = new_call_id(unix_ms(AT), rng)
            permit = await store.permits.permit_attempt(
                call_id=call_id,
                number="+12025550101",
                line="+12025550199",
                scenario="hold",
                kind=PermitKind.MANUAL,
                granted_by="a test",
                decision={},
                at=AT,
            )
            await store.permits.begin_dial(permit, at=AT, call=row_of(call_id))
            await store.calls.finish_call(call_id, "completed", at=AT)
            journal = Journal.open(tmp_path / "journal", {"call_id": call_id}, at=AT)
            journal.write("end", 1.0, {"outcome": "completed"})
            journal.close()
    return tmp_path


def journals(data: Path) -> list[Path]:
    return sorted((data / "journal").glob("*/*.jsonl"))


async def test_books_that_agree(data: Path) -> None:
    assert books_problems(data, 3) == []


async def test_a_call_too_few(data: Path) -> None:
    """Rows, outcomes, permits, attempts and journals: each is compared with the calls that were placed."""
    assert len(books_problems(data, 4)) == 5


async def test_a_call_that_never_ended(data: Path) -> None:
    rng = random.Random(2)
    async with Store.open(data / "linekeeper.db", SystemClock(), rng) as store:
        store.calls.open_call(row_of(new_call_id(unix_ms(AT), rng)))
    assert books_problems(data, 4)[0] == "3 calls that have ended with an outcome, 4 calls placed"


async def test_a_missing_journal(data: Path) -> None:
    journals(data)[0].unlink()
    assert books_problems(data, 3) == ["2 journals, 3 calls placed"]


async def test_a_journal_that_was_never_closed(data: Path) -> None:
    path = journals(data)[0]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert books_problems(data, 3) == ["1 journals incomplete"]


async def test_a_call_that_closed_twice(data: Path) -> None:
    path = journals(data)[0]
    header, end, closed = path.read_text().splitlines(keepends=True)
    again = end.replace('"n":1', '"n":2'), closed.replace('"n":2', '"n":3')
    path.write_text("".join([header, end, *again]))
    assert books_problems(data, 3) == ["1 journals without one closing routine"]


async def test_books_that_are_not_there(tmp_path: Path) -> None:
    (problem,) = books_problems(tmp_path, 3)
    assert problem.startswith("the books cannot be read")
