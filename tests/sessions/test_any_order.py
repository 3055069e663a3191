"""Events in any order, lost and doubled: what holds for every call all the same.

Each story is one call on the emulated Asterisk through the shipped wiring: reader, routing, deciding, closing. Chance
comes from a seed. What must hold: nothing raises, one outcome is stored, nothing is left in Asterisk, in our indexes,
among tasks and open files; no delivered event disappears; a call ends soon after the first sign that the other side has
left; and where nothing was lost, the outcome is the person's and comes in time.
"""

import asyncio
import json
import logging
import os
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ari_models import parse_event
from core.clock import VirtualClock, VirtualTimeLoop
from core.journal import JournalRecord, read_journal
from integrations.emulator.faults import Faults, FrameFault
from logic.outcomes import Outcome
from sessions import manager as manager_module
from sessions.deciding import GONE_S
from sessions.engine import SWEEP_EVERY_S
from sessions.routing import translate
from tests.sessions.house import House, place

EXPECTED = {
    "polite-yes": Outcome.COMPLETED,
    "silent": Outcome.SILENT,
    "hangs-up-at-once": Outcome.HUNG_UP,
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "presses-1": Outcome.COMPLETED,
    "stop-and-hangs-up": Outcome.HUNG_UP,
    "rejects": Outcome.REJECTED,
}
LONGEST_S = {"silent": 32.0, "presses-1": 20.0, "polite-yes": 20.0, "no-answer": 15.0}
"""How long each person's call may take when no event is lost, with every delay drawn; 10 s for the others."""


@dataclass(frozen=True)
class Story:
    """One call and the trouble it meets."""

    person: str
    seed: int = 0
    method: str = "create"
    inbound: bool = False
    lose: float = 0.0
    double: float = 0.0
    delay: float = 0.0

    @property
    def faults(self) -> Faults:
        fault = FrameFault(lose=self.lose, double=self.double, delay=self.delay, delay_s=0.4)
        return Faults(random.Random(self.seed), frames=[fault])


class Complaints(logging.Handler):
    """Collects what was logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{record.getMessage()} {record.exc_info}")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def check(story: Story) -> None:
    """Live through one story and hold what must hold."""
    complaints = Complaints()
    logging.getLogger().addHandler(complaints)
    files_before = open_files()
    try:
        with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            files_before = open_files()
            runner.run(live(story, Path(folder)))
            assert open_files() == files_before, "open files"
    finally:
        logging.getLogger().removeHandler(complaints)
    assert complaints.heard == []


async def live(story: Story, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    house = House(VirtualClock(loop), folder, faults=story.faults)
    house.emulator.sounds.update({f"custom/{name}": 3.0 for name in ("hello", "goodby", "alo")})
    async with house.link() as link:
        async with house.engine(link, DIAL_METHOD=story.method) as engine:
            await engine.ready()
            began = loop.time()
            if story.inbound:
                house.emulator.dial_in(story.person, "linekeeper", "100", began)
            else:
                await place(engine, story.person)
            await asyncio.sleep(5)
            await engine.manager.none_left()
            lasted_s = loop.time() - began
            await asyncio.sleep(3 * SWEEP_EVERY_S)
            await engine.manager.none_left()
            rows = await engine.store.calls.list_calls()
        house.assert_nothing_left(engine)
    assert asyncio.all_tasks() == {asyncio.current_task()}, "tasks"
    assert rows, "a call, or a caller, without a row"
    assert all(row.outcome for row in rows)
    journals = [read_journal(folder / "data" / path) for path in (row.journal for row in rows) if path]
    assert_conserved(house, journals)
    for record in journals:
        assert_left_in_time(record)
    if story.lose == 0 and not story.inbound:
        assert [row.outcome for row in rows] == [EXPECTED[story.person].value]
        assert lasted_s <= LONGEST_S.get(story.person, 10.0) + 0.5


NOTED_AS = {
    "StasisStart": "Entered",
    "StasisEnd": "Left",
    "ChannelDestroyed": "Gone",
    "ChannelHangupRequest": "HangupRequested",
    "Dial": "DialProgress",
    "PlaybackFinished": "PlaybackEnded",
    "RecordingFinished": "RecordingEnded",
    "ChannelDtmfReceived": "KeyPressed",
}


def assert_conserved(house: House, journals: Sequence[JournalRecord]) -> None:
    """Every event delivered about one of our things stands in a journal, or was counted as late or as an orphan's."""
    delivered = Counter[str]()
    for text in house.delivered:
        event = parse_event(json.loads(text))
        subject = translate(event)
        if subject is not None and not subject[0].endswith(";2"):
            delivered[type(event).__name__] += 1
    noted = Counter[str]()
    for record in journals:
        noted["Entered"] += record.header["direction"] == "inbound"  # that one opened the call
        noted.update(str(line.data.get("is")) for line in record.lines if line.kind == "in")
    orphans = house.telemetry.value("orphan_channels_total")
    for kind, count in delivered.items():
        name = NOTED_AS[kind]
        late = house.telemetry.value("late_events_total", event=name)
        assert count <= noted[name] + late + (orphans if name == "Entered" else 0), f"{kind} disappeared"


def assert_left_in_time(record: JournalRecord) -> None:
    """After the first sign that the other side has left, a call lasts no longer than it takes to learn the cause."""
    signs = [
        line.at
        for line in record.lines
        if line.kind == "in" and line.data.get("is") in {"Gone", "Left", "HangupRequested"}
    ]
    if signs:
        end = next(line.at for line in record.lines if line.kind == "end")
        assert end - signs[0] <= GONE_S + 1.5


stories = st.builds(
    Story,
    person=st.sampled_from(sorted(EXPECTED)),
    seed=st.integers(0, 2**32),
    method=st.sampled_from(["create", "originate"]),
    inbound=st.booleans(),
    lose=st.sampled_from([0.0, 0.05, 0.3, 0.9]),
    double=st.sampled_from([0.0, 0.5]),
    delay=st.sampled_from([0.0, 0.5, 1.0]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(story=stories)
def test_any_order_with_losses_and_doubles_leaks_nothing(story: Story) -> None:
    """Whatever happens to the events of a call, it has one outcome and leaves nothing behind."""
    check(story)


SHOWN_BY = {
    "StasisStart": Story("polite-yes"),
    "Dial": Story("busy"),
    "StasisEnd": Story("stop-and-hangs-up", inbound=True),
    "ChannelDestroyed": Story("rejects"),
    "ChannelHangupRequest": Story("hangs-up-at-once"),
    "PlaybackFinished": Story("polite-yes"),
    "RecordingFinished": Story("polite-yes"),
    "ChannelDtmfReceived": Story("presses-1"),
}


@pytest.mark.parametrize("kind", sorted(SHOWN_BY))
def test_removing_a_handler_is_noticed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property above has teeth: without the handler of one event type it fails."""
    monkeypatch.setattr(
        manager_module, "translate", lambda event: None if type(event).__name__ == kind else translate(event)
    )
    with pytest.raises(AssertionError):
        check(SHOWN_BY[kind])


@pytest.mark.parametrize("kind", sorted(SHOWN_BY))
def test_with_every_handler_the_same_stories_pass(kind: str) -> None:
    """The stories that notice a missing handler pass when none is missing."""
    check(SHOWN_BY[kind])
