"""What the store promises about calls, permits, attempts, flow states and runs."""

import ast
import asyncio
import copy
import dataclasses
import json
import random
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock import Clock, SystemClock
from core.errors import StoreError
from core.ids import CallId, new_call_id
from core.store import (
    AttemptId,
    AttemptState,
    CallRow,
    DialPermit,
    Direction,
    PermitKind,
    PermitUsed,
    PreviousEnd,
    Store,
)
from core.store.writer import Unit

ROOT = Path(__file__).parents[2]
AT = datetime(2026, 1, 5, 9, 0, 0, 123457, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NUMBER = "+14155550123"


@pytest.fixture
async def store(tmp_path: Path, clock: Clock) -> AsyncIterator[Store]:
    async with Store.open(tmp_path / "store.db", clock, random.Random(1)) as store:
        yield store


def call_id(n: int = 0) -> CallId:
    return new_call_id(1_767_600_000_000 + n, random.Random(n))


def call_row(n: int = 0, *, run: str = "run1", engine: str = "lk") -> CallRow:
    return CallRow(
        call_id=call_id(n),
        engine=engine,
        app="linekeeper",
        engine_run=run,
        direction=Direction.OUTBOUND,
        state="opened",
        started_at=AT + n * SECOND,
        scenario="survey",
        flow_hash="abc",
        number=NUMBER,
        line="+14155550100",
    )


async def permit(store: Store, n: int = 0, *, kind: PermitKind = PermitKind.MANUAL) -> DialPermit:
    return await store.permits.permit_attempt(
        call_id=call_id(n),
        number=NUMBER,
        line="+14155550100",
        scenario="survey",
        kind=kind,
        granted_by="the person typing",
        decision={"hours": "open", "pack": "none"},
        at=AT,
    )


# ------------------------------------------------------------------------------------------------------- permits


async def test_a_permit_is_on_disk_with_its_attempt_and_its_reasons(store: Store) -> None:
    """Who got a permit can show the decision: both rows are there when `permit_attempt` returns."""
    given_permit = await permit(store)
    [row] = await store.permits.permits_of_call(call_id())
    assert (row.permit_id, row.kind, row.granted_by) == (
        given_permit.permit_id,
        PermitKind.MANUAL,
        "the person typing",
    )
    assert (row.decision, row.granted_at, row.used_at) == ({"hours": "open", "pack": "none"}, AT, None)
    attempt = await store.attempts.get_attempt(given_permit.attempt_id)
    assert attempt is not None
    assert (attempt.state, attempt.call_id, attempt.number, attempt.permitted_at) == (
        AttemptState.PERMITTED,
        call_id(),
        NUMBER,
        AT,
    )


async def test_a_permit_that_could_not_be_stored_is_none(store: Store) -> None:
    """An attempt is permitted once: the second permit for it is refused, and leaves nothing."""
    first = await permit(store)
    with pytest.raises(StoreError):
        await store.permits.permit_attempt(
            call_id=call_id(1),
            number=NUMBER,
            line="",
            scenario="survey",
            kind=PermitKind.CAMPAIGN,
            granted_by="campaign 7",
            decision={},
            at=AT,
            attempt_id=first.attempt_id,
        )
    assert await store.permits.permits_of_call(call_id(1)) == []


async def test_a_permit_dials_once(store: Store) -> None:
    """`begin_dial` marks the permit used and the attempt as perhaps gone, opens the call, and refuses a second time."""
    given_permit = await permit(store)
    await store.permits.begin_dial(given_permit, at=AT + SECOND, call=call_row())
    [row] = await store.permits.permits_of_call(call_id())
    attempt = await store.attempts.get_attempt(given_permit.attempt_id)
    call = await store.calls.get_call(call_id())
    assert row.used_at == AT + SECOND
    assert attempt is not None
    assert (attempt.state, attempt.dialled_at) == (AttemptState.DIALLING, AT + SECOND)
    assert call is not None
    assert (call.permit_id, call.attempt_id) == (given_permit.permit_id, given_permit.attempt_id)
    with pytest.raises(PermitUsed):
        await store.permits.begin_dial(given_permit, at=AT + 2 * SECOND)


async def test_a_permit_whose_attempt_ended_does_not_dial(store: Store) -> None:
    """Recovery ended the attempt meanwhile: the permit is worth nothing, and stays unused."""
    given_permit = await permit(store)
    assert await store.attempts.end_attempt(given_permit.attempt_id, "not_sent", at=AT)
    with pytest.raises(PermitUsed):
        await store.permits.begin_dial(given_permit, at=AT, call=call_row())
    [row] = await store.permits.permits_of_call(call_id())
    assert row.used_at is None
    assert await store.calls.get_call(call_id()) is None


async def test_a_permit_is_for_the_call_it_names(store: Store) -> None:
    """It opens no other call."""
    with pytest.raises(ValueError, match="the permit is for call"):
        await store.permits.begin_dial(await permit(store), at=AT, call=call_row(1))


async def test_a_permit_cannot_be_made_or_changed_elsewhere(store: Store) -> None:
    """Neither the constructor nor `replace` gives one; a forged number finds no row."""
    given_permit = await permit(store)
    fields = {field.name: getattr(given_permit, field.name) for field in dataclasses.fields(given_permit)}
    for seal in ({}, {"seal": None}, {"seal": object()}):
        with pytest.raises(TypeError):
            DialPermit(**fields, **seal)
    with pytest.raises(ValueError, match="seal"):
        dataclasses.replace(given_permit, number="+15550100")  # type: ignore[call-arg]
    with pytest.raises(dataclasses.FrozenInstanceError):
        given_permit.number = "+15550100"  # type: ignore[misc]
    forged = copy.copy(given_permit)
    object.__setattr__(forged, "number", "+15550100")
    with pytest.raises(PermitUsed):
        await store.permits.begin_dial(forged, at=AT)
    await store.permits.begin_dial(given_permit, at=AT)


@settings(max_examples=15, deadline=None)
@given(racers=st.lists(st.integers(0, 3), min_size=2, max_size=12))
def test_of_racing_tasks_one_dials(racers: list[int]) -> None:
    """However many tasks hold a permit, and whenever they come: one of them dials."""

    async def race(store: Store, given_permit: DialPermit, late: int) -> bool:
        for _ in range(late):
            await asyncio.sleep(0.0005)
        try:
            await store.permits.begin_dial(given_permit, at=AT)
        except PermitUsed:
            return False
        return True

    async def scene(folder: str) -> list[bool]:
        async with Store.open(Path(folder) / "x.db", SystemClock(), random.Random(2)) as store:
            given_permit = await permit(store)
            return await asyncio.gather(*(race(store, given_permit, late) for late in racers))

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(scene(folder)).count(True) == 1


def test_only_the_store_makes_permits() -> None:
    """The source says it: `DialPermit(` is called in one module, and nobody else touches the seal."""
    rooms = ("config", "core", "logic", "llm", "stt_tts", "sessions", "integrations", "scripts")
    files = [file for room in rooms for file in (ROOT / room).rglob("*.py")] + [*ROOT.glob("*.py")]
    makers = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case (
                    ast.Call(func=ast.Name(id="DialPermit") | ast.Attribute(attr="DialPermit"))
                    | ast.Name(id="_SEAL")
                    | ast.Attribute(attr="_SEAL")
                    | ast.ClassDef(bases=[ast.Name(id="DialPermit"), *_])
                ):
                    makers.add(str(file.relative_to(ROOT)))
                case _:
                    pass
    assert makers == {"core/store/permits.py"}


# -------------------------------------------------------------------------------------------------------- attempts


async def test_an_attempt_never_goes_back(store: Store) -> None:
    """The database itself refuses to dial an ended attempt again, whatever statement asks for it."""
    given_permit = await permit(store)
    await store.permits.begin_dial(given_permit, at=AT)

    def set_state(state: str) -> Unit[object]:
        return lambda conn: conn.execute(
            "UPDATE attempts SET state = ?, outcome = NULL, ended_at = NULL", (state,)
        )

    with pytest.raises(StoreError, match="never goes back"):
        await store.db.durable("test", set_state("permitted"))
    assert await store.attempts.end_attempt(given_permit.attempt_id, "unknown", at=AT)
    for state in ("permitted", "dialling"):
        with pytest.raises(StoreError, match=r"never goes back|set once"):
            await store.db.durable("test", set_state(state))
    assert not await store.attempts.end_attempt(given_permit.attempt_id, "busy", at=AT)
    attempt = await store.attempts.get_attempt(given_permit.attempt_id)
    assert attempt is not None
    assert attempt.outcome == "unknown"


async def test_recovery_tells_what_was_dialled_from_what_was_not(store: Store) -> None:
    """After a crash: permitted attempts may be ended as not sent, dialling ones are left for adoption or `unknown`."""
    never, left = await permit(store, 1), await permit(store, 2)
    await store.permits.begin_dial(left, at=AT)
    assert await store.attempts.end_undialled("not_sent", before=AT, at=AT) == []
    assert await store.attempts.end_undialled("not_sent", before=AT + SECOND, at=AT) == [never.attempt_id]
    assert await store.attempts.open_attempts(AttemptState.PERMITTED) == []
    [open_attempt] = await store.attempts.open_attempts(AttemptState.DIALLING)
    assert open_attempt.attempt_id == left.attempt_id
    assert not await store.attempts.end_attempt(AttemptId("nobody"), "busy", at=AT)


# ----------------------------------------------------------------------------------------------------------- calls


async def test_a_call_is_read_as_it_was_written(store: Store) -> None:
    """Every field, times to the microsecond."""
    row = dataclasses.replace(
        call_row(),
        direction=Direction.INBOUND,
        outcome="completed",
        answered_at=AT + SECOND,
        ended_at=AT + 2 * SECOND,
        hangup_cause=16,
        dial_status="ANSWER",
        bridge_id="lk.lk.br.x",
        customer_channel="lk.lk.cu.x",
        error="none",
        recordings=("a", "ب"),
        journal="journal/2026-01-05/x.jsonl",
    )
    assert store.calls.open_call(row)
    assert await store.calls.get_call(row.call_id) == row


async def test_the_first_outcome_stays(store: Store) -> None:
    """A call's outcome is set once: the second says False and changes nothing; late notes change nothing either."""
    store.calls.open_call(call_row())
    store.calls.mark_answered(call_id(), at=AT + SECOND)
    store.calls.mark_answered(call_id(), at=AT + 9 * SECOND)
    store.calls.note_call(call_id(), state="talking", bridge_id="b")
    assert await store.calls.finish_call(
        call_id(), "interested", at=AT + 5 * SECOND, hangup_cause=16, recordings=["r1"]
    )
    assert not await store.calls.finish_call(call_id(), "hung_up", at=AT + 6 * SECOND, error="late")
    store.calls.note_call(call_id(), state="talking")
    store.calls.mark_answered(call_id(), at=AT)
    call = await store.calls.get_call(call_id())
    assert call == dataclasses.replace(
        call_row(),
        state="ended",
        outcome="interested",
        answered_at=AT + SECOND,
        ended_at=AT + 5 * SECOND,
        hangup_cause=16,
        bridge_id="b",
        recordings=("r1",),
    )
    with pytest.raises(StoreError, match="set once"):
        await store.db.durable("test", lambda conn: conn.execute("UPDATE calls SET outcome = 'busy'"))
    assert not await store.calls.finish_call(call_id(7), "busy", at=AT)


async def test_finishing_a_call_ends_its_attempts_in_the_same_transaction(store: Store) -> None:
    """The customer's and an operator's attempt that are still open end with the call; an ended one keeps its outcome."""
    customer, operator, earlier = (
        await permit(store),
        await permit(store, kind=PermitKind.OPERATOR),
        await permit(store, kind=PermitKind.OPERATOR),
    )
    await store.permits.begin_dial(customer, at=AT, call=call_row())
    await store.permits.begin_dial(operator, at=AT)
    await store.attempts.end_attempt(earlier.attempt_id, "busy", at=AT)
    assert await store.calls.finish_call(call_id(), "connected_to_operator", at=AT + SECOND)
    attempts = await store.attempts.attempts_of_call(call_id())
    assert {row.attempt_id: row.outcome for row in attempts} == {
        customer.attempt_id: "connected_to_operator",
        operator.attempt_id: "connected_to_operator",
        earlier.attempt_id: "busy",
    }
    assert {row.state for row in attempts} == {AttemptState.ENDED}


async def test_a_call_cannot_name_a_permit_that_is_not_there(store: Store) -> None:
    """A row that claims a permit has one."""
    store.calls.open_call(dataclasses.replace(call_row(), permit_id="invented"))
    assert await store.calls.get_call(call_id()) is None
    assert store.db.stats.failed == 1


async def test_lost_calls_are_ended_except_the_adopted(store: Store) -> None:
    """After a crash every unfinished call of earlier runs ends, once; other engines' calls and this run's stay."""
    dialled = await permit(store, 0)
    await store.permits.begin_dial(dialled, at=AT, call=call_row(0))
    for row in (call_row(1), call_row(2, run="run2"), call_row(3, engine="other")):
        store.calls.open_call(row)

    async def end_lost() -> list[CallId]:
        return await store.calls.end_lost_calls(
            "lk", current_run="run2", outcome="lost", attempt_outcome="unknown", at=AT, spare=[call_id(1)]
        )

    assert await end_lost() == [call_id(0)]
    assert await end_lost() == []
    assert [row.call_id for row in await store.calls.unfinished_calls("lk")] == [call_id(1), call_id(2)]
    assert [row.call_id for row in await store.calls.unfinished_calls("other")] == [call_id(3)]
    [attempt] = await store.attempts.attempts_of_call(call_id(0))
    assert attempt.outcome == "unknown"


async def test_calls_are_listed_in_pages_and_found_by_the_start_of_their_id(store: Store) -> None:
    """The newest first; the last id of a page begins the next; a person may type capitals."""
    for n in range(5):
        store.calls.open_call(call_row(n))
    first = await store.calls.list_calls(limit=3)
    second = await store.calls.list_calls(limit=3, before=first[-1].call_id)
    assert [row.call_id for row in [*first, *second]] == [call_id(n) for n in (4, 3, 2, 1, 0)]
    assert [row.call_id for row in await store.calls.find_calls(call_id(2)[:12].upper())] == [call_id(2)]
    assert len(await store.calls.find_calls(call_id(2)[:4])) == 5
    assert await store.calls.find_calls("zzz") == []
    assert await store.calls.find_calls("%") == []


# ------------------------------------------------------------------------------------------- flow states and runs


async def test_the_newest_flow_state_wins(store: Store) -> None:
    """A state that arrives late never replaces a newer one."""
    assert await store.flow_states.latest_flow_state(call_id()) is None
    for seq in (1, 3, 2):
        assert store.flow_states.save_flow_state(
            call_id(), seq, json.dumps({"at": f"step {seq}", "سلام": [1]}), at=AT
        )
    row = await store.flow_states.latest_flow_state(call_id())
    assert row is not None
    assert (row.seq, row.state, row.at) == (3, {"at": "step 3", "سلام": [1]}, AT)


async def test_a_run_knows_how_the_one_before_it_ended(tmp_path: Path, clock: Clock) -> None:
    """First, killed, clean: the start marker can say why the engine is here again."""
    rng = random.Random(3)

    async def run(n: int, goodbye: str | None) -> tuple[PreviousEnd, str | None]:
        async with Store.open(tmp_path / "x.db", clock, rng) as store:
            start = await store.runs.begin_run(build="b1", pid=100 + n, app="linekeeper", at=AT + n * SECOND)
            if goodbye is not None:
                assert await store.runs.end_run(start.run_id, goodbye, at=AT + n * SECOND)
                assert not await store.runs.end_run(start.run_id, goodbye, at=AT)
            return start.previous, start.previous_run.how if start.previous_run else None

    assert await run(0, None) == (PreviousEnd.FIRST, None)
    assert await run(1, None) == (PreviousEnd.KILLED, "killed")
    assert await run(2, "drained") == (PreviousEnd.KILLED, "killed")
    assert await run(3, "stopped") == (PreviousEnd.CLEAN, "drained")
    async with Store.open(tmp_path / "x.db", clock, rng) as store:
        assert [(row.pid, row.how) for row in await store.runs.list_runs(limit=2)] == [
            (103, "stopped"),
            (102, "drained"),
        ]
        with pytest.raises(ValueError, match="not a reason"):
            await store.runs.end_run((await store.runs.list_runs())[0].run_id, "killed", at=AT)


async def test_what_a_killed_process_wrote_durably_is_there(tmp_path: Path, clock: Clock) -> None:
    """A second connection sees a permit the moment `permit_attempt` returned, without any closing."""
    async with Store.open(tmp_path / "x.db", clock, random.Random(1)) as store:
        await permit(store)
        other = sqlite3.connect(tmp_path / "x.db")
        assert other.execute("SELECT count(*) FROM permits").fetchone() == (1,)
        other.close()
