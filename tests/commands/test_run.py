"""`run`: it starts once, keeps trying, keeps to itself, and leaves when asked to."""

import asyncio
import json
import signal
import stat
import time
from pathlib import Path

from core.clock import SystemClock
from core.lockfile import EngineLock
from integrations.control.client import ControlClient
from tests.commands.far import APP, Far, Running, far_side


async def test_sigterm_ends_run_with_exit_0_within_five_seconds_and_closes_the_sockets(far: Far) -> None:
    """S1-01: one socket for the application while it runs; after SIGTERM code 0, soon, and nothing held in Asterisk."""
    running = await far.engine()
    assert [apps for apps in far.open_sockets if apps == (APP,)] == [(APP,)]
    assert stat.S_IMODE((far.data_dir / "control.sock").stat().st_mode) == 0o600
    running.send(signal.SIGTERM)
    ran = await running.ended()
    assert ran.code == 0
    assert ran.seconds < 5
    assert json.loads(ran.out) == {"state": "ended", "why": "SIGTERM"}
    assert far.open_sockets == []
    assert not (far.data_dir / "control.sock").exists()


async def test_app_start_stands_in_the_log_exactly_once(far: Far) -> None:
    """S2-11: one APP_START with build, time and pid, however many calls follow; it says how the last run ended."""
    for last in ("first", "clean"):
        running = await far.engine()
        for _ in range(2):
            assert await far.call_beside("busy") == "busy"
        running.send(signal.SIGINT)
        ran = await running.ended()
        starts = ran.events("APP_START")
        assert len(starts) == 1
        assert starts[0]["pid"] == running.pid
        assert starts[0]["last_run"] == last
        assert starts[0]["build"]
        assert starts[0]["at"]


async def test_a_killed_run_is_named_by_the_next_and_its_socket_is_replaced(far: Far) -> None:
    """After SIGKILL the next start says that the last run was killed, and takes the dead socket's place."""
    running = await far.engine()
    running.send(signal.SIGKILL)
    await running.process.wait()
    assert (far.data_dir / "control.sock").exists()
    again = await far.engine()
    assert (await ControlClient(far.data_dir).status()).pid == again.pid
    again.send(signal.SIGTERM)
    ran = await again.ended()
    assert ran.events("APP_START")[0]["last_run"] == "killed"


async def test_a_second_run_on_the_same_folder_exits_4(far: Far) -> None:
    """One engine per data folder: the second says so and leaves, the first goes on."""
    running = await far.engine()
    ran = await far.run("run")
    assert ran.code == 4
    assert f"pid {running.pid}" in ran.err
    assert (await ControlClient(far.data_dir).status()).state == "ready"


async def test_a_refused_newcomer_leaves_the_living_engine_able_to_call(far: Far) -> None:
    """An engine with another folder and the same application exits 4, and takes no socket of the first one away."""
    await far.engine()
    ran = await far.run("run", DATA_DIR=str(far.folder / "other"))
    assert ran.code == 4
    assert "--take-over" in ran.err
    assert far.asterisk.counters["sockets_replaced"] == 0
    began = time.monotonic()
    assert await far.call_beside("busy") == "busy"
    assert time.monotonic() - began < 5


async def test_take_over_replaces_the_other_engine_which_then_exits_4(far: Far) -> None:
    """`--take-over` wins; the engine that lost its application leaves by itself with code 4."""
    first = await far.engine()
    second = await far.start("run", "--json", "--take-over", DATA_DIR=str(far.folder / "other"))
    assert json.loads(await second.line())["state"] == "ready"
    ran = await first.ended()
    assert ran.code == 4
    assert "another engine took the application" in ran.err
    second.send(signal.SIGTERM)
    assert (await second.ended()).code == 0


async def test_a_wrong_password_exits_3_and_names_the_settings(far: Far) -> None:
    """A refused login is told at once, with the names of what to mend and without the password."""
    ran = await far.run("run", ARI_PASSWORD="not-the-password")
    assert ran.code == 3
    assert "ARI_USERNAME and ARI_PASSWORD" in ran.err
    assert "not-the-password" not in ran.err + ran.out


async def test_run_keeps_trying_while_asterisk_is_absent(tmp_path: Path) -> None:
    """Asterisk comes later: the engine says once that it is not there, and is ready when it is."""
    async with far_side(tmp_path) as far:
        port = far.server.port
    running = await far.start("run", "--json")  # nobody is there any more
    try:
        said = False
        while not said:
            said = b"asterisk_not_there_yet" in await _err_line(running)
        async with far_side(tmp_path, port=port):
            assert json.loads(await running.line())["state"] == "ready"
            running.send(signal.SIGTERM)
            ran = await running.ended()
    finally:
        far.end_all()
    assert ran.code == 0
    assert ran.events("asterisk_not_there_yet") == []  # the one line was read above


async def _err_line(running: Running) -> bytes:
    """The next line of its log."""
    assert running.process.stderr is not None
    async with asyncio.timeout(10):
        line = await running.process.stderr.readline()
    assert line, "it ended"
    return line


async def test_sigterm_ends_a_run_that_never_found_asterisk(tmp_path: Path) -> None:
    """Who waits for Asterisk can be asked to leave, too."""
    async with far_side(tmp_path) as far:
        running = await far.start(
            "run", "--json", ARI_BASE_URL="http://127.0.0.1:9/ari", ARI_WS_URL="ws://127.0.0.1:9/ari/events"
        )
        while b"asterisk_not_there_yet" not in await _err_line(running):
            pass
        running.send(signal.SIGTERM)
        ran = await running.ended()
    assert ran.code == 0
    assert ran.seconds < 5


async def test_a_second_signal_ends_the_grace(far: Far) -> None:
    """With a minute of grace a call would go on; the second signal hangs it up."""
    running = await far.engine(DRAIN_GRACE_S="60")
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(far.call_beside("silent"))
        await far.until(
            lambda: any(channel.answered_at is not None for channel in far.asterisk.live_channels())
        )
        running.send(signal.SIGTERM)
        await asyncio.sleep(0.3)
        running.send(signal.SIGTERM)
        ran = await running.ended()
    assert ran.code == 0
    assert ran.seconds < 10
    assert calling.result() == "failed_technical"
    assert [line["signal"] for line in ran.events("no_more_grace")] == ["SIGTERM"]
    await far.until_gone()


async def test_a_mistake_in_the_settings_exits_2_and_names_every_one(far: Far) -> None:
    """All mistakes at once, plainly, before anything is opened."""
    ran = await far.run("run", MAX_TURNS="many", ARI_TRANSPORT="pigeon")
    assert ran.code == 2
    assert "MAX_TURNS" in ran.err
    assert "ARI_TRANSPORT" in ran.err
    assert not far.data_dir.exists()


async def test_what_is_wrong_with_scenarios_and_prompts_is_said_at_the_start(far: Far) -> None:
    """A refused scenario with file and line, a missing prompt by its name; the engine runs with what is left."""
    scenarios = far.folder / "scenarios"
    scenarios.mkdir()
    good = Path("config/scenarios/marketing.yaml").read_text(encoding="utf-8")
    (scenarios / "marketing.yaml").write_text(good)
    (scenarios / "broken.yaml").write_text(
        good.replace("id: marketing", "id: broken").replace("next: listen}", "next: lisen}")
    )
    (far.sounds / "alo.wav").unlink()
    running = await far.engine(SCENARIOS_DIR=str(scenarios))
    running.send(signal.SIGTERM)
    ran = await running.ended()
    assert [line for line in ran.events("scenario_refused") if "broken.yaml:" in str(line["problem"])]
    assert [line["prompt"] for line in ran.events("prompt_missing")] == ["alo"]


async def test_a_folder_that_is_locked_is_not_fought_for(far: Far) -> None:
    """The lock counts, whoever holds it: exit 4 in a moment."""
    with EngineLock.acquire(far.data_dir, app="somebody", at=SystemClock().wall()):
        began = time.monotonic()
        ran = await far.run("run")
    assert ran.code == 4
    assert "somebody" in ran.err
    assert time.monotonic() - began < 10
