"""Real calls on a real Asterisk: to each of the lab's people, and from them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import main
from core.journal import read_journal
from core.store import PreviousEnd
from logic.outcomes import Outcome
from scripts.lab import Lab
from tests.asterisk.lab_house import (
    ask,
    assert_asterisk_is_empty,
    dial_in,
    dialplan_steps,
    engine_on,
    lab_environment,
    place,
    report_of,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.timeout(150)]

EXPECTED = {
    "polite-yes": Outcome.COMPLETED,
    "polite-no": Outcome.COMPLETED,
    "silent": Outcome.SILENT,
    "sends-nothing": Outcome.SILENT,
    "hangs-up-at-once": Outcome.HUNG_UP,
    "busy": Outcome.BUSY,
    "no-answer": Outcome.NO_ANSWER,
    "presses-1": Outcome.COMPLETED,
    "stop-and-hangs-up": Outcome.HUNG_UP,
    "congestion": Outcome.CONGESTION,
    "rejects": Outcome.REJECTED,
}
CALLERS = ("polite-yes", "polite-no", "silent", "presses-1", "hangs-up-at-once", "stop-and-hangs-up")

ROOT = Path(main.__file__).parent


@pytest.mark.parametrize("method", ["create", "originate"])
async def test_a_call_to_each_person_ends_as_that_person_does(lab: Lab, tmp_path: Path, method: str) -> None:
    """Outcome, answer, row and journal fit the person, and Asterisk holds nothing of ours afterwards."""
    app = f"people-{method}"
    async with engine_on(lab, tmp_path, app, DIAL_METHOD=method) as engine:
        calls = {person: await place(engine, person) for person in EXPECTED}
        reports = {person: await report_of(call) for person, call in calls.items()}
        rows = {row.call_id: row.outcome for row in await engine.store.calls.list_calls()}
    outcomes = {person: report.outcome for person, report in reports.items()}
    assert outcomes == EXPECTED
    assert {call.call_id: reports[person].outcome.value for person, call in calls.items()} == rows
    for call in calls.values():
        record = read_journal(Path(call.journal_path))
        assert record.complete
        assert record.lines[-2].kind == "end"
    assert reports["polite-yes"].answered
    assert not reports["busy"].answered
    assert reports["busy"].hangup_cause == 17
    assert len(reports["polite-yes"].recordings) == 1
    await assert_asterisk_is_empty(lab, app)


async def test_a_caller_who_dials_in_has_the_same_conversation(lab: Lab, tmp_path: Path) -> None:
    """Inbound and outbound: the same words, recordings and outcome for the same person."""
    async with engine_on(lab, tmp_path, "inbound") as engine:
        calls = {person: await dial_in(lab, engine, person) for person in CALLERS}
        reports = {person: await report_of(call) for person, call in calls.items()}
    assert {person: report.outcome for person, report in reports.items()} == {
        person: EXPECTED[person] for person in CALLERS
    }
    assert {report.direction for report in reports.values()} == {"inbound"}
    assert {report.line for report in reports.values()} == {"100"}
    await assert_asterisk_is_empty(lab, "inbound")
    steps = await asyncio.to_thread(dialplan_steps, lab)
    assert [step for step in steps if step.startswith("Stasis inbound,")] == []


async def test_a_caller_whom_we_do_not_take_goes_on_in_the_dialplan(lab: Lab, tmp_path: Path) -> None:
    """A full house: the second caller hears the fallback behind Stasis(), and becomes no call."""
    async with engine_on(
        lab, tmp_path, "doors", MAX_CONCURRENT_INBOUND_CALLS="1", DRAIN_GRACE_S="0"
    ) as engine:
        first = await dial_in(lab, engine, "silent")
        await asyncio.to_thread(lab.dial_in, "silent", "doors", "100")
        async with asyncio.timeout(5):
            while not any(
                step.startswith("Playback") for step in await asyncio.to_thread(dialplan_steps, lab)
            ):
                await asyncio.sleep(0.1)
        assert list(engine.manager.calls) == [first.call_id]
    await assert_asterisk_is_empty(lab, "doors")


async def test_the_json_of_a_typed_call_is_whole(lab: Lab, tmp_path: Path) -> None:
    """`python main.py call NUMBER --scenario marketing --json` prints one object with everything asked for."""
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "main.py", "call", "+12025550101", "--scenario", "marketing", "--json"],
        cwd=ROOT,
        env={**os.environ, **lab_environment(lab, tmp_path, "typed")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {
        "call_id",
        "outcome",
        "answered",
        "hangup_cause",
        "duration_s",
        "bridge_id",
        "recordings",
        "timeline",
    } <= set(report)
    assert (report["outcome"], report["answered"]) == ("completed", True)
    assert "Traceback" not in done.stderr
    await assert_asterisk_is_empty(lab, "typed")


async def test_asterisk_killed_mid_call_ends_it_as_lost_and_the_engine_is_back(
    lab: Lab, tmp_path: Path
) -> None:
    """SIGKILL of Asterisk: the call is lost, and within 15 s of its return (5 s promised) calls are placed again."""
    async with engine_on(lab, tmp_path, "crash") as engine:
        call = await place(engine, "silent")
        await asyncio.sleep(2)
        await asyncio.to_thread(lab.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(lab.start)
        async with asyncio.timeout(15):
            await engine.ready()
            report = await report_of(call)
        assert report.outcome is Outcome.LOST
        assert (await report_of(await place(engine, "busy"))).outcome is Outcome.BUSY
    await assert_asterisk_is_empty(lab, "crash")


async def test_a_killed_engine_is_cleaned_up_by_the_next_start(lab: Lab, tmp_path: Path) -> None:
    """SIGKILL of the engine mid-call: the next start hangs up what was ours, deletes the bridge, and records it."""
    environment = {**os.environ, **lab_environment(lab, tmp_path, "killed")}
    script = (
        "import asyncio, main\n"
        "from config.settings import get_settings\n"
        "async def go():\n"
        "    async with main.open_engine(get_settings(None)) as engine, engine.working():\n"
        "        await engine.ready()\n"
        "        call = await engine.call(number='+12025550103', scenario='marketing', line='', granted_by='a test')\n"
        "        await asyncio.sleep(3)\n"
        "        print(call.call_id, flush=True)\n"
        "        await call.finished.wait()\n"
        "asyncio.run(go())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(20):
        call_id = (await process.stdout.readline()).decode().strip()
    process.send_signal(signal.SIGKILL)
    await process.wait()
    left = [str(channel["id"]) for channel in await asyncio.to_thread(ask, lab, "channels")]
    assert any(call_id in each for each in left), "the call should still stand in Asterisk"
    async with engine_on(lab, tmp_path, "killed") as engine:
        assert engine.run.previous is PreviousEnd.KILLED
        row = await engine.store.calls.get_call(call_id)  # type: ignore[arg-type]
        assert row is not None
        assert row.outcome == Outcome.LOST.value
        await assert_asterisk_is_empty(lab, "killed")


async def test_two_engines_on_one_asterisk_do_not_touch_each_other(lab: Lab, tmp_path: Path) -> None:
    """What carries another engine's name is left alone, also by a comparison with Asterisk."""
    async with (
        engine_on(lab, tmp_path / "a", "first") as first,
        engine_on(lab, tmp_path / "b", "second") as second,
    ):
        calls = [await place(first, "polite-yes"), await place(second, "polite-no")]
        await asyncio.sleep(2)
        await asyncio.gather(*(engine.compare() for engine in (first, second)))
        assert [(await report_of(call)).outcome for call in calls] == [Outcome.COMPLETED, Outcome.COMPLETED]
    await assert_asterisk_is_empty(lab, "first")
    await assert_asterisk_is_empty(lab, "second")
