"""Single calls, in and out, and what goes wrong around them."""

import asyncio
import random
from collections.abc import Callable

import pytest

from core.ari_transport.seam import Request
from core.journal import read_journal
from core.store import AttemptState
from integrations.emulator.faults import Faults, RequestFault, RequestTrouble
from logic.outcomes import Outcome
from sessions import call as call_module
from sessions.call import Call
from sessions.deciding import decide
from sessions.engine import Engine
from sessions.events import KeyPressed, StopRequested
from sessions.report import CallReport
from tests.sessions.house import House, place, report_of

pytestmark = pytest.mark.virtual_time


def touches(method: str, *parts: str) -> Callable[[Request], bool]:
    """Requests of this method whose path holds all of these parts."""
    return lambda request: request.method == method and all(part in request.path for part in parts)


def trouble(
    kind: RequestTrouble, method: str, *parts: str, status: int = 500, at_most: int | None = None
) -> Faults:
    fault = RequestFault(kind, touches(method, *parts), status=status, at_most=at_most)
    return Faults(random.Random(1), requests=[fault])


async def one_call(
    house: House, person: str = "polite-yes", **overrides: str
) -> tuple[Engine, Call, CallReport]:
    """Place one call, wait for its end, stop the engine."""
    async with house.link() as link, house.engine(link, role=None, name="", **overrides) as engine:
        await engine.ready()
        call = await place(engine, person)
        report = await report_of(call)
        await asyncio.sleep(20)  # the sweep after a doubtful ending
    return engine, call, report


async def dial_in(house: House, engine: Engine, person: str) -> Call:
    """Somebody calls us; the call they became."""
    house.emulator.dial_in(person, engine.manager.rules.app, "100", house.clock.now())
    while not engine.manager.calls:
        await asyncio.sleep(0.0004)  # shorter than any request takes
    return next(iter(engine.manager.calls.values()))


def spoken(report: CallReport) -> list[tuple[object, object]]:
    """What was said and heard, in order."""
    kept = {"saying", "heard", "pressed"}
    return [
        (entry["what"], entry["detail"] if entry["what"] == "saying" else "")
        for entry in report.timeline
        if entry["what"] in kept
    ]


@pytest.mark.parametrize("person", ["polite-yes", "silent", "presses-1", "stop-and-hangs-up"])
async def test_inbound_runs_the_same_conversation_as_outbound(house: House, person: str) -> None:
    """Same person, same prompts, same recordings, same outcome, whoever called whom."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        outbound = await report_of(await place(engine, person))
        inbound = await report_of(await dial_in(house, engine, person))
        house.assert_nothing_left(engine)
    assert spoken(inbound) == spoken(outbound)
    assert inbound.outcome is outbound.outcome
    assert (inbound.direction, inbound.line) == ("inbound", "100")


async def test_the_bridge_comes_first_then_the_channel_then_the_words(house: House) -> None:
    """One mixing bridge is made and joined before any prompt, and deleted once."""
    _engine, call, _report = await one_call(house)
    paths = [
        f"{seen.method} {seen.path}"
        for seen in house.emulator.requests
        if call.plan.bridge_id in f"{seen.path}{seen.query}"
    ]
    assert paths[0] == "POST bridges"
    assert paths[1].endswith("/addChannel")
    assert "/play/" in paths[2]
    assert paths[-1] == f"DELETE bridges/{call.plan.bridge_id}"
    assert sum(path.startswith("DELETE bridges/") for path in paths) == 1
    made = next(seen for seen in house.emulator.requests if seen.method == "POST" and seen.path == "bridges")
    assert made.query["type"] == "mixing"


async def test_fifty_calls_have_fifty_bridges(house: House) -> None:
    """No two calls share a bridge."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        calls = [await place(engine, "polite-yes") for _ in range(50)]
        await asyncio.sleep(2)
        assert len({bridge.id for bridge in house.emulator.live_bridges()}) == 50
        reports = [await report_of(call) for call in calls]
        house.assert_nothing_left(engine)
    assert {report.outcome for report in reports} == {Outcome.COMPLETED}


@pytest.mark.parametrize("inbound", [False, True])
async def test_a_bridge_that_cannot_be_made_ends_the_call_as_a_technical_failure(
    house: House, inbound: bool
) -> None:
    """The channel is hung up, nothing leaks, and the sentence says what Asterisk refused."""
    house.faults = trouble(RequestTrouble.REFUSED, "POST", "bridges", status=500)
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await (dial_in(house, engine, "silent") if inbound else place(engine, "silent"))
        report = await report_of(call)
        await asyncio.sleep(5)
        house.assert_nothing_left(engine)
    assert report.outcome is Outcome.FAILED_TECHNICAL
    assert "POST bridges: 500" in report.error


async def test_an_endpoint_that_does_not_exist_fails_with_a_sentence(house: House) -> None:
    """Nothing was dialled, and the error names the endpoint."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await engine.call(
            number="+12025550101", scenario="marketing", line="", granted_by="a test", endpoint="NoTech/x"
        )
        report = await report_of(call)
        (attempt,) = await engine.store.attempts.attempts_of_call(call.call_id)
        house.assert_nothing_left(engine)
    assert report.outcome is Outcome.FAILED_TECHNICAL
    assert "NoTech/x" in report.error
    assert attempt.dialled_at is None


@pytest.mark.parametrize("method", ["create", "originate"])
@pytest.mark.parametrize("kind", [RequestTrouble.HANGS, RequestTrouble.BREAKS])
async def test_a_create_without_an_answer_makes_one_channel_and_one_call(
    house: House, method: str, kind: RequestTrouble
) -> None:
    """The channel came to be and the answer was lost: it is found by its id, never made twice."""
    path = "channels/create" if method == "create" else "channels"
    house.faults = Faults(
        random.Random(1),
        requests=[
            RequestFault(kind, lambda request: request.method == "POST" and request.path == path, at_most=1)
        ],
    )
    _engine, _call, report = await one_call(house, DIAL_METHOD=method, ARI_TIMEOUT="2")
    made = [seen for seen in house.emulator.requests if seen.method == "POST" and seen.path == path]
    assert len(made) == 1
    assert report.outcome in {Outcome.COMPLETED, Outcome.UNKNOWN, Outcome.FAILED_TECHNICAL}
    assert house.emulator.live_channels() == []
    assert house.emulator.live_bridges() == []


@pytest.mark.parametrize(
    "parts", [("bridges",), ("channels/create",), ("addChannel",), ("dial",), ("play",), ("record",)]
)
async def test_a_hanging_asterisk_ends_the_call_and_leaves_nothing(
    house: House, parts: tuple[str, ...]
) -> None:
    """Every request has a deadline; whichever hangs, the call ends and the sweep finds what is left."""
    house.faults = trouble(RequestTrouble.HANGS, "POST", *parts)
    engine, _call, report = await one_call(house, "silent", ARI_TIMEOUT="2")
    assert report.outcome is not None
    house.assert_nothing_left(engine)


@pytest.mark.parametrize("status", [404, 409, 412, 422])
async def test_refusals_after_a_hangup_are_normal(house: House, status: int) -> None:
    """What ARI says of a channel that has gone never becomes an error of the call."""
    house.faults = trouble(RequestTrouble.REFUSED, "DELETE", "channels", status=status)
    _engine, _call, report = await one_call(house, "hangs-up-at-once")
    assert (report.outcome, report.error) == (Outcome.HUNG_UP, "")


async def test_prompts_that_cannot_be_played_do_not_stop_the_conversation(house: House) -> None:
    """A missing file is noted in the timeline; the call goes on to its end."""
    house.emulator.sounds.pop("custom/alo")
    _engine, _call, report = await one_call(house, "silent")
    assert "not_said" in [entry["what"] for entry in report.timeline]
    assert (report.reason, report.outcome) == ("goodbye", Outcome.SILENT)


async def test_nobody_is_recorded_who_did_not_hear_the_disclosure(house: House) -> None:
    """When the words that say who calls cannot be played, the call ends instead of listening."""
    house.emulator.sounds.pop("custom/hello")
    _engine, _call, report = await one_call(house)
    assert (report.reason, report.outcome) == ("not_disclosed", Outcome.FAILED_TECHNICAL)
    assert report.recordings == ()
    assert "could not be played" in report.error


async def test_a_refused_recording_ends_politely_without_claiming_anything(house: House) -> None:
    """Nobody knows whether they spoke, so the outcome is unknown; goodbye is said."""
    house.faults = trouble(RequestTrouble.REFUSED, "POST", "record", status=500)
    _engine, _call, report = await one_call(house)
    assert report.outcome is Outcome.UNKNOWN
    assert spoken(report)[-1] == ("saying", "goodby")


async def test_the_permit_is_on_disk_and_used_before_the_dial_leaves(house: House) -> None:
    """A call by hand carries who allowed it; the attempt says when its dial may have left, and ends with the call."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "polite-yes")
        await asyncio.sleep(1.0)
        (permit,) = await engine.store.permits.permits_of_call(call.call_id)
        (dialling,) = await engine.store.attempts.attempts_of_call(call.call_id)
        assert (permit.granted_by, permit.used_at is not None) == ("a test", True)
        assert dialling.state is AttemptState.DIALLING
        report = await report_of(call)
        (ended,) = await engine.store.attempts.attempts_of_call(call.call_id)
    assert (ended.state, ended.outcome) == (AttemptState.ENDED, report.outcome.value)


async def test_the_conversation_is_stored_at_every_wait(house: House) -> None:
    """While the call listens, the store knows where it waits."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "silent")
        await asyncio.sleep(5)
        row = await engine.store.flow_states.latest_flow_state(call.call_id)
        assert row is not None
        assert row.state["phase"] == "listening"


async def test_a_call_lasts_no_longer_than_its_ttl(house: House) -> None:
    """A call that finds no end of its own is ended, and says so."""
    house.emulator.sounds["custom/hello"] = 4000.0
    _engine, _call, report = await one_call(house, "silent", SESSION_TTL_S="1800")
    assert report.reason in {"ttl", "other_side_hung_up"}
    house.emulator.sounds["custom/hello"] = 50.0
    _engine, _call, report = await one_call(house, "silent", SESSION_TTL_S="30")
    assert (report.reason, report.outcome) == ("ttl", Outcome.UNKNOWN)


async def test_a_conversation_has_no_more_turns_than_the_engine_allows(house: House) -> None:
    """The engine's own limit holds where the scenario sets none, or a higher one."""
    _engine, _call, report = await one_call(house, "silent", MAX_TURNS="3", MAX_TURNS_OFFER="2")
    assert report.reason == "max_turns"
    assert len(spoken(report)) == 3


async def test_a_mailbox_that_overflows_ends_its_own_call_and_no_other(house: House) -> None:
    """A flood of one call's events ends that call by the closing routine; its neighbour goes on."""
    async with house.link() as link, house.engine(link, MAILBOX_SIZE="16") as engine:
        await engine.ready()
        flooded, other = await place(engine, "polite-yes"), await place(engine, "polite-no")
        await asyncio.sleep(1)
        for _ in range(100):
            flooded.post(KeyPressed(flooded.plan.channel_id, "1"))
        report = await report_of(flooded)
        assert (report.reason, report.outcome) == ("mailbox_full", Outcome.FAILED_TECHNICAL)
        assert (await report_of(other)).outcome is Outcome.COMPLETED
        assert house.telemetry.value("mailbox_full_total") > 0


async def test_a_crash_inside_a_call_ends_that_call_by_the_closing_routine(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours costs its own call only: it is hung up, reported, and its journal is whole."""

    def broken(state, event, now):  # type: ignore[no-untyped-def]
        if isinstance(event, KeyPressed):
            raise ZeroDivisionError
        return decide(state, event, now)

    monkeypatch.setattr(call_module, "decide", broken)
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        broken_call, other = await place(engine, "presses-1"), await place(engine, "polite-no")
        report = await report_of(broken_call)
        assert (report.reason, report.outcome) == ("crashed", Outcome.FAILED_TECHNICAL)
        assert (await report_of(other)).outcome is Outcome.COMPLETED
        house.assert_nothing_left(engine)
        assert read_journal(house.folder / broken_call.journal_path).complete


async def test_slow_requests_of_one_call_do_not_delay_another(house: House) -> None:
    """One call's request hangs for seconds; the other's conversation keeps its pace."""
    async with house.link() as link, house.engine(link, ARI_TIMEOUT="10") as engine:
        await engine.ready()
        alone = await report_of(await place(engine, "polite-yes"))
        house.faults = None
        link.transport._faults = trouble(RequestTrouble.HANGS, "POST", "play", at_most=1)
        slow = await place(engine, "polite-yes")
        await asyncio.sleep(1)
        quick = await place(engine, "polite-yes")
        report = await report_of(quick)
        assert report.duration_s == pytest.approx(alone.duration_s, abs=0.2)
        assert (await report_of(slow)).outcome is not None


async def test_callers_are_sent_on_in_the_dialplan_when_we_do_not_take_them(house: House) -> None:
    """A full house and an unknown scenario: the caller falls to the dialplan's own fallback, and no call is made."""
    async with house.link() as link, house.engine(link, MAX_CONCURRENT_INBOUND_CALLS="1") as engine:
        await engine.ready()
        first = await dial_in(house, engine, "silent")
        house.emulator.dial_in("silent", "linekeeper", "100", house.clock.now())
        await asyncio.sleep(1)
        assert list(engine.manager.calls) == [first.call_id]
        sent_on = [seen for seen in house.emulator.requests if seen.path.endswith("/continue")]
        assert len(sent_on) == 1
        first.post(StopRequested("shutdown"))
        await report_of(first)


async def test_the_gauge_of_active_calls_never_drifts(house: House) -> None:
    """After many endings of every kind it stands at zero, and the counter at their number."""
    people = ["busy", "rejects", "hangs-up-at-once", "polite-yes", "congestion"]
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        calls = [await place(engine, person) for person in people * 20]
        for call in calls:
            await report_of(call)
        assert house.telemetry.value("active_calls") == 0
        assert len(await engine.store.calls.list_calls(limit=500)) == len(calls)
        house.assert_nothing_left(engine)
