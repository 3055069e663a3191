"""The life of an engine: starting, losing sight, being replaced, draining, and finding what a dead one left."""

import asyncio
import random
from pathlib import Path

import pytest

import main
from core.errors import ApplicationTaken, LockHeld, StoreError
from core.ids import BridgeId, ChannelId, Kind, new_call_id, resource_id
from core.journal import read_journal
from core.store import CallRow, Direction, PreviousEnd, Store
from integrations.emulator import SocketId
from integrations.emulator.faults import Faults, RequestFault, RequestTrouble
from logic.outcomes import Outcome
from sessions.engine import EngineState
from sessions.errors import NotDialling, UnknownScenario
from tests.sessions.house import NUMBER, House, place, report_of, settings_for

pytestmark = pytest.mark.virtual_time


async def test_asterisk_killed_during_a_call_ends_it_as_lost_and_the_engine_is_back_within_5_s(
    house: House,
) -> None:
    """The call is lost, nothing leaks, and the engine places calls again within 5 s of Asterisk's return."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "silent")
        await asyncio.sleep(2)
        house.emulator.kill(house.clock.now())
        await asyncio.sleep(20)
        assert engine.state is EngineState.BLIND
        house.emulator.start(house.clock.now())
        back_at = house.clock.now()
        async with asyncio.timeout(5):
            await engine.ready()
            report = await report_of(call)
        assert report.outcome is Outcome.LOST
        again = await report_of(await place(engine, "busy"))
        assert again.outcome is Outcome.BUSY
        assert house.clock.now() - back_at <= 6
        house.assert_nothing_left(engine)


async def test_a_call_goes_on_when_only_the_event_stream_was_lost(house: House) -> None:
    """The end of the prompt falls into the gap; after the reconnect the call asks, and goes on."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "polite-yes")
        await asyncio.sleep(2.5)
        for socket_id in list(house.emulator.world.sockets):
            house.emulator.close_socket(SocketId(socket_id), house.clock.now())
        report = await report_of(call)
    assert report.outcome is Outcome.COMPLETED


async def test_hangup_in_the_gap_is_found_by_asking(house: House) -> None:
    """The other side leaves while nobody listens: the comparison after the reconnect tells the call."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "silent")
        await asyncio.sleep(1)
        for socket_id in list(house.emulator.world.sockets):
            house.emulator.close_socket(SocketId(socket_id), house.clock.now())
        house.emulator.request("DELETE", f"channels/{call.plan.channel_id}", now=house.clock.now())
        report = await report_of(call)
        assert report.outcome is Outcome.LOST
        house.assert_nothing_left(engine)


async def test_draining_lets_a_call_finish_within_the_grace(house: House) -> None:
    """Leaving the engine waits for a running call, and places no new one meanwhile."""
    async with house.link() as link:
        async with house.engine(link, DRAIN_GRACE_S="60") as engine:
            await engine.ready()
            call = await place(engine, "polite-yes")
            await asyncio.sleep(1)
        assert call.report is not None
        assert call.report.outcome is Outcome.COMPLETED
        with pytest.raises(NotDialling):
            await place(engine, "busy")


async def test_after_the_grace_a_running_call_is_hung_up_politely(house: House) -> None:
    """What still runs when the grace is over ends by the closing routine, and says why."""
    async with house.link() as link:
        async with house.engine(link, DRAIN_GRACE_S="2") as engine:
            await engine.ready()
            call = await place(engine, "silent")
            await asyncio.sleep(1)
        assert call.report is not None
        assert (call.report.outcome, call.report.reason) == (Outcome.FAILED_TECHNICAL, "shutdown")
        house.assert_nothing_left(engine)


async def test_an_application_without_channels_belongs_to_another_engine(house: House) -> None:
    """A newcomer refuses to start, and the engine that was there keeps its events."""
    async with house.link() as link, house.engine(link) as first:
        await first.ready()
        with pytest.RaisesGroup(
            pytest.RaisesExc(ApplicationTaken, match="--take-over"), flatten_subgroups=True
        ):
            async with house.engine(link, name="other") as second:
                await second.ready()
        report = await report_of(await place(first, "busy"))
        assert report.outcome is Outcome.BUSY


async def test_an_application_with_channels_is_refused_unless_its_holder_died_here(house: House) -> None:
    """Calls of an engine that lives elsewhere are not ours to recover."""
    async with house.link() as link, house.engine(link) as first:
        await first.ready()
        call = await place(first, "silent")
        await asyncio.sleep(2)
        with pytest.RaisesGroup(ApplicationTaken, flatten_subgroups=True):
            async with house.engine(link, name="other") as second:
                await second.ready()
        assert not call.finished.is_set()


async def test_replaced_by_another_engine_it_stops_dialling_ends_its_calls_and_leaves(house: House) -> None:
    """Deaf is worse than stopped: the replaced engine hangs up what it cannot hear and asks to leave."""
    async with house.link() as link, house.engine(link) as first:
        await first.ready()
        call = await place(first, "silent")
        await asyncio.sleep(1)
        async with link.open_events("linekeeper"):
            assert await first.left() == "replaced"
            report = await report_of(call)
        assert (first.state, report.reason) == (EngineState.REPLACED, "replaced")
        with pytest.raises(NotDialling):
            await place(first, "busy")


async def test_two_engines_on_one_data_folder_are_refused(house: House) -> None:
    """The lock names the process that holds the folder."""
    async with house.link() as link, house.engine(link) as first:
        await first.ready()
        with pytest.raises(LockHeld):
            async with house.engine(link):
                pass


async def test_two_engines_with_different_settings_in_one_process_share_no_call(house: House) -> None:
    """Applications, names, ways of dialling and folders differ; each knows only its own calls."""
    async with house.link() as link:
        async with (
            house.engine(link) as first,
            house.engine(link, name="two", ARI_APP_NAME="second", DIAL_METHOD="originate") as second,
        ):
            await first.ready()
            await second.ready()
            calls = [await place(first, "polite-yes"), await place(second, "polite-no")]
            await asyncio.sleep(2)
            assert [call.call_id for call in calls] == [*first.manager.calls, *second.manager.calls]
            assert [call.plan.engine for call in calls] == ["linekeeper", "second"]
            reports = [await report_of(call) for call in calls]
            assert [report.outcome for report in reports] == [Outcome.COMPLETED, Outcome.COMPLETED]
            assert [len(await engine.store.calls.list_calls()) for engine in (first, second)] == [1, 1]
        house.assert_nothing_left(first)
        house.assert_nothing_left(second)


async def test_what_a_killed_engine_left_is_cleared_and_written_down(house: House) -> None:
    """Channels and bridges of ours without a call go; calls without an outcome become lost or unknown."""
    rng = random.Random(7)
    answered, dialled = (new_call_id(1_767_603_600_000 + n, rng) for n in range(2))
    await _leave_behind(house, answered, dialled)
    async with house.link() as link:
        stranger = BridgeId(resource_id("other-engine", Kind.BRIDGE, new_call_id(1, rng)))
        house.emulator.request("POST", f"bridges/{stranger}", {"type": "mixing"}, now=house.clock.now())
        for call_id in (answered, dialled):
            _occupy(house, call_id)
        async with house.engine(link, role=main.Role(take_over=True)) as engine:
            await engine.ready()
            await asyncio.sleep(3)
            assert engine.run.previous is PreviousEnd.KILLED
            rows = {row.call_id: row.outcome for row in await engine.store.calls.list_calls()}
            assert rows == {answered: "lost", dialled: "unknown"}
            assert house.emulator.live_channels() == []
            assert [bridge.id for bridge in house.emulator.live_bridges()] == [stranger]


async def _leave_behind(house: House, answered: str, dialled: str) -> None:
    """A store as a killed engine leaves it: a run that never ended, two calls without an outcome."""
    at = house.clock.wall()
    async with Store.open(house.folder / "data" / "linekeeper.db", house.clock, random.Random(3)) as store:
        await store.runs.begin_run(build="old", pid=1, app="linekeeper", at=at)
        for call_id in (answered, dialled):
            store.calls.open_call(
                CallRow(
                    call_id=call_id,  # type: ignore[arg-type]
                    engine="linekeeper",
                    app="linekeeper",
                    engine_run="old-run",
                    direction=Direction.OUTBOUND,
                    state="begun",
                    started_at=at,
                    number=NUMBER,
                    customer_channel=resource_id("linekeeper", Kind.CUSTOMER, call_id),  # type: ignore[arg-type]
                )
            )
        store.calls.mark_answered(answered, at=at)  # type: ignore[arg-type]


def _occupy(house: House, call_id: str) -> None:
    """A channel and a bridge in Asterisk, as the killed engine made them, in the application whose socket is gone."""
    emulator, now = house.emulator, house.clock.now()
    channel = ChannelId(resource_id("linekeeper", Kind.CUSTOMER, call_id))  # type: ignore[arg-type]
    bridge = BridgeId(resource_id("linekeeper", Kind.BRIDGE, call_id))  # type: ignore[arg-type]
    socket = emulator.connect("linekeeper", now)
    emulator.request("POST", "bridges", {"type": "mixing", "bridgeId": bridge}, now=now)
    made = {"endpoint": "Local/silent@people/n", "app": "linekeeper", "channelId": channel}
    assert emulator.request("POST", "channels/create", made, now=now).status == 200
    emulator.request("POST", f"bridges/{bridge}/addChannel", {"channel": channel}, now=now)
    emulator.disconnect(socket, now)


async def test_a_clean_stop_is_remembered_as_clean(house: House) -> None:
    """The next start knows that the last one said goodbye."""
    async with house.link() as link:
        async with house.engine(link) as engine:
            await engine.ready()
            assert engine.run.previous is PreviousEnd.FIRST
        async with house.engine(link) as engine:
            await engine.ready()
            assert engine.run.previous is PreviousEnd.CLEAN


async def test_absent_at_start_asterisk_is_waited_for(house: House) -> None:
    """The engine keeps trying, and works once Asterisk is there."""
    house.emulator.kill(0.0)
    async with house.link() as link, house.engine(link) as engine:
        await asyncio.sleep(30)
        assert engine.state is EngineState.STARTING
        house.emulator.start(house.clock.now())
        async with asyncio.timeout(5):
            await engine.ready()
        assert (await report_of(await place(engine, "busy"))).outcome is Outcome.BUSY


async def test_a_refused_login_ends_the_start_at_once(house: House) -> None:
    """A wrong password is no reason to try again and again."""
    house.faults = Faults(
        random.Random(1), requests=[RequestFault(RequestTrouble.REFUSED, lambda _request: True, status=401)]
    )
    async with house.link() as link:
        with pytest.RaisesGroup(pytest.RaisesExc(Exception, match="401"), flatten_subgroups=True):
            async with house.engine(link) as engine:
                await engine.ready()


async def test_an_unknown_scenario_is_refused_before_anything_is_permitted(house: House) -> None:
    """The sentence names the scenarios there are; nothing is dialled and nothing stored."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        with pytest.raises(UnknownScenario, match="marketing"):
            await place(engine, "busy", scenario="marketting")
        assert await engine.store.calls.list_calls() == []
        assert house.emulator.live_channels() == []


async def test_the_data_folder_of_a_call_alone_forgets_it_when_it_left(house: House, tmp_path: Path) -> None:
    """An engine for one call has an application of its own, takes no caller, and leaves no folder that looks dead."""
    async with house.link() as link:
        settings = settings_for(tmp_path / "solo")
        assert settings.ari.app_name == "linekeeper"
        async with house.engine(link, name="solo", role=main.Role(one_call=True)) as engine:
            app = engine.manager.rules.app
            assert app != "linekeeper"
            assert not engine.manager.rules.takes_inbound
    holders = list((house.folder / "solo" / "engines").glob("*/engine.lock"))
    assert all('"left":true' in path.read_text().replace(" ", "") for path in holders)


async def test_the_journal_of_a_lost_call_is_whole(house: House) -> None:
    """Even a call that ended because Asterisk died has a journal with its last line."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "silent")
        await asyncio.sleep(1)
        house.emulator.restart(house.clock.now())
        await report_of(call)
        record = read_journal(house.folder / "data" / call.journal_path)
    assert record.complete
    assert record.lines[-2].data["outcome"] == "lost"


async def test_what_could_not_be_hung_up_at_the_stop_is_looked_for_once_more(house: House) -> None:
    """Asterisk refuses the last hangup; one more look before leaving clears it, and the next start is not refused."""
    async with house.link() as link:
        async with house.engine(link, DRAIN_GRACE_S="0") as engine:
            await engine.ready()
            await place(engine, "silent")
            await asyncio.sleep(2)
            link.transport._faults = Faults(
                random.Random(1),
                requests=[
                    RequestFault(
                        RequestTrouble.REFUSED, lambda r: r.method == "DELETE", status=503, at_most=1
                    )
                ],
            )
        house.assert_nothing_left(engine)
        async with house.engine(link) as engine:
            await engine.ready()


async def test_an_engine_that_never_looked_does_not_say_goodbye_for_a_dead_one(house: House) -> None:
    """One died; the next was stopped before it reached Asterisk; the third still clears up after the first."""
    call_id = new_call_id(1_767_603_600_000, random.Random(7))
    async with house.link() as link:
        async with house.engine(link) as engine:
            await engine.ready()
            engine.may_have_left_something = True
            engine._parts.recovery.has_compared = False
        _occupy(house, call_id)
        house.emulator.world.is_up = False
        async with house.engine(link):
            await asyncio.sleep(3)
        house.emulator.world.is_up = True
        async with house.engine(link) as engine:
            await engine.ready()
            await asyncio.sleep(3)
            assert house.emulator.live_channels() == []
            assert house.emulator.live_bridges() == []


async def test_an_outcome_that_only_the_journal_knows_is_read_there(house: House) -> None:
    """The store refused the last word of a call; the next start takes it from the journal, not from a guess."""
    async with house.link() as link:
        async with house.engine(link) as engine:
            await engine.ready()
            call = await place(engine, "polite-yes")
            await asyncio.sleep(3)

            async def refuses(*_: object, **__: object) -> bool:
                raise StoreError("disk full")

            object.__setattr__(engine.store.calls, "finish_call", refuses)
            report = await report_of(call)
        assert report.outcome is Outcome.COMPLETED
        async with house.engine(link) as engine:
            await engine.ready()
            row = await engine.store.calls.get_call(call.call_id)
    assert row is not None
    assert row.outcome == Outcome.COMPLETED.value


async def test_a_fault_above_lets_the_calls_end_by_their_own_closing(house: House) -> None:
    """What uses the engine breaks: its calls are hung up and written down all the same."""
    async with house.link() as link:
        with pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True, allow_unwrapped=True):
            async with house.engine(link, DRAIN_GRACE_S="0") as engine:
                await engine.ready()
                call = await place(engine, "silent")
                await asyncio.sleep(1)
                raise ZeroDivisionError
        assert call.report is not None
        assert read_journal(house.folder / call.journal_path).complete
        house.assert_nothing_left(engine)


async def test_people_do_not_wait_behind_bridges(house: House) -> None:
    """Three hundred leftover bridges take a minute; a caller whom we do not take is sent on at once."""
    rng = random.Random(3)
    async with house.link() as link:
        for n in range(300):
            bridge = resource_id("linekeeper", Kind.BRIDGE, new_call_id(n, rng))
            house.emulator.request(
                "POST", "bridges", {"type": "mixing", "bridgeId": bridge}, now=house.clock.now()
            )
        async with house.engine(link, INBOUND_SCENARIO="nobody-has-this") as engine:
            await engine.ready()
            house.emulator.dial_in("silent", "linekeeper", "100", house.clock.now())
            await asyncio.sleep(1)
            assert [seen for seen in house.emulator.requests if seen.path.endswith("/continue")]
            await asyncio.sleep(70)
            assert house.emulator.live_bridges() == []
