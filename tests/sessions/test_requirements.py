"""Promises that cut across rooms: order, repetition, strangers' events, hangups and kills at every step."""

import asyncio
import json
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

import main
from core.ari_models import parse_event
from core.clock import VirtualClock, VirtualTimeLoop
from core.errors import StoreError
from core.ids import Kind, new_call_id, resource_id
from core.journal import read_journal
from core.store import AttemptState
from integrations.emulator.faults import Faults, FrameFault
from logic.outcomes import Outcome
from tests.sessions.house import House, place, report_of, settings_for

pytestmark = pytest.mark.virtual_time

PEOPLE = (
    "polite-yes",
    "polite-no",
    "silent",
    "hangs-up-at-once",
    "busy",
    "no-answer",
    "presses-1",
    "rejects",
)


async def test_each_call_hears_its_events_in_the_order_they_came(house: House) -> None:
    """Two calls at once: each journal holds the events of its own channel in the order of the wire."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        calls = [await place(engine, person) for person in ("polite-yes", "presses-1")]
        for call in calls:
            await report_of(call)
    kinds = {"StasisStart": "Entered", "Dial": "DialProgress", "ChannelDtmfReceived": "KeyPressed"}
    for call in calls:
        wire = []
        for text in house.delivered:
            event = parse_event(json.loads(text))
            name = kinds.get(type(event).__name__)
            if name and call.plan.channel_id in event.subjects().channel_ids:
                wire.append(name)
        lines = read_journal(Path(call.journal_path)).lines
        noted = [line.data["is"] for line in lines if line.kind == "in" and line.data["is"] in kinds.values()]
        assert noted == wire


async def test_a_thousand_events_about_strangers_touch_no_call(house: House) -> None:
    """Ids of nobody, of dead calls and of other engines: nothing is raised, and the living call goes on."""
    rng = random.Random(5)
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "polite-yes")
        await asyncio.sleep(1)
        templates = [json.loads(text) for text in house.delivered]
        for _ in range(1000):
            event = dict(rng.choice(templates))
            event["type"] = rng.choice([event["type"], "SomethingNew", "PlaybackFinished", "StasisEnd", ""])
            for key in ("channel", "peer"):
                if key in event:
                    stranger = rng.choice(
                        ["x", "1.1", resource_id("them", Kind.CUSTOMER, new_call_id(1, rng))]
                    )
                    event[key] = {**event[key], "id": stranger}
            with suppress(ValueError):
                engine.manager.event(parse_event(event))
        report = await report_of(call)
        await asyncio.sleep(200)
    assert report.outcome is Outcome.COMPLETED


@pytest.mark.parametrize("person", PEOPLE)
async def test_every_event_twice_gives_the_same_requests_as_once(person: str, tmp_path: Path) -> None:
    """A doubled event changes nothing that Asterisk can see."""
    seen = []
    for double in (0.0, 1.0):
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        faults = Faults(random.Random(1), frames=[FrameFault(double=double, delay_s=0.0)])
        house = House(VirtualClock(loop), tmp_path / str(double), faults=faults, latency_s=(0.0, 0.0))
        house.emulator.sounds.update({f"custom/{name}": 3.0 for name in ("hello", "goodby", "alo")})
        async with house.link() as link, house.engine(link) as engine:
            await engine.ready()
            call = await place(engine, person)
            await report_of(call)
        seen.append(
            Counter(
                f"{each.method} {each.path}".replace(call.call_id, "CALL")
                for each in house.emulator.requests
                if call.call_id in f"{each.path}{each.query}"
            )
        )
    assert seen[0] == seen[1]


@pytest.mark.parametrize("method", ["create", "originate"])
@pytest.mark.parametrize("person", PEOPLE)
async def test_each_ending_deletes_the_bridge_once(house: House, person: str, method: str) -> None:
    """Whatever ended the call, its bridge is deleted exactly once, and its leg never twice."""
    async with house.link() as link, house.engine(link, DIAL_METHOD=method) as engine:
        await engine.ready()
        await report_of(await place(engine, person))
        await asyncio.sleep(130)
    deleted = Counter(each.path.split("/")[0] for each in house.emulator.requests if each.method == "DELETE")
    assert deleted["bridges"] == 1
    assert deleted["channels"] <= 1


@pytest.mark.parametrize(
    "after_s", [0.0, 0.002, 0.004, 0.008, 0.02, 0.3, 0.55, 1.0, 3.55, 4.5, 6.5, 8.0, 9.0]
)
async def test_a_hangup_at_any_step_tears_everything_down(house: House, after_s: float) -> None:
    """Before the bridge, while joining, dialling, ringing, saying, listening and during the goodbye."""
    async with house.link() as link, house.engine(link) as engine:
        await engine.ready()
        call = await place(engine, "polite-yes")
        await asyncio.sleep(after_s)
        house.emulator.request("DELETE", f"channels/{call.plan.channel_id}", now=house.clock.now())
        report = await report_of(call)
        house.assert_nothing_left(engine)
    assert report.outcome is not None
    assert read_journal(Path(call.journal_path)).complete


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.003, 0.005, 0.008, 0.015, 0.1, 0.6, 2.0, 5.0])
async def test_an_engine_killed_at_any_step_leaves_each_attempt_ended_once_and_dialled_at_most_once(
    house: House, after_s: float
) -> None:
    """Between permit and outcome: the next start ends the attempt, in the store and in Asterisk, and dials nobody."""
    async with house.link() as link:
        await _killed(house, link_of=link, after_s=after_s)
        dials = sum(each.path.endswith("/dial") for each in house.emulator.requests)
        await asyncio.sleep(400)  # a permit that never dialled counts as dead after five minutes
        async with house.engine(link, role=main.Role(take_over=True)) as engine:
            await engine.ready()
            await asyncio.sleep(10)
            for row in await engine.store.calls.list_calls():
                assert row.outcome in {"lost", "unknown"}
                for attempt in await engine.store.attempts.attempts_of_call(row.call_id):
                    assert attempt.state is AttemptState.ENDED
            for state in (AttemptState.PERMITTED, AttemptState.DIALLING):
                assert await engine.store.attempts.open_attempts(state) == []
            house.assert_nothing_left(engine)
        assert sum(each.path.endswith("/dial") for each in house.emulator.requests) == dials <= 1


async def _killed(house: House, link_of: object, after_s: float) -> None:
    """An engine that dies: nothing it would still do reaches Asterisk or the disk."""
    from integrations.emulator.memory import MemoryLink

    link = link_of
    assert isinstance(link, MemoryLink)

    class Killed(BaseException):
        """The process is gone."""

    try:
        async with house.engine(link) as engine:
            await engine.ready()
            await place(engine, "silent")
            await asyncio.sleep(after_s)
            db = engine.store.db
            await db.flush()

            async def dead(*_: object, **__: object) -> object:
                raise StoreError("killed")

            db.durable = dead  # type: ignore[method-assign, assignment]
            db.relaxed = lambda *_, **__: False  # type: ignore[method-assign]
            link.transport.send = dead  # type: ignore[method-assign, assignment]
            raise Killed
    except BaseExceptionGroup as group:
        _, others = group.split(Killed)
        if others is not None and others.split(StoreError)[1] is not None:
            raise
    except (Killed, StoreError):
        pass
    finally:
        link.transport.__dict__.pop("send", None)


async def test_a_database_that_cannot_be_migrated_opens_no_connection(house: House) -> None:
    """Migrations run at boot, before anything else; off, an empty database is refused and Asterisk hears nothing."""
    async with house.link() as link:
        with pytest.raises(StoreError):
            async with house.engine(link, RUN_MIGRATIONS_ON_START="false"):
                pass
        assert list(house.emulator.requests) == []
    assert settings_for(house.folder).storage.run_migrations_on_start
