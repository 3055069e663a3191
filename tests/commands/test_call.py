"""`call`: one call followed live, alone or beside an engine, and an exit code for everything in its way."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from core.clock import SystemClock
from core.lockfile import EngineLock
from integrations.control.address import address_of
from integrations.control.protocol import REQUEST, CallRequest, Status, line_of
from integrations.emulator import Reply
from tests.commands.far import Far, far_side

TO_BUSY = ("call", "+15550005", "--scenario", "marketing", "--endpoint", "Local/busy@people/n")
TO_SILENT = ("call", "+15550003", "--scenario", "marketing", "--endpoint", "Local/silent@people/n")
KEYS = {
    *("call_id", "outcome", "answered", "hangup_cause", "duration_s", "bridge_id", "recordings", "timeline"),
    *("direction", "scenario", "number", "line", "reason", "error"),
}


async def test_a_call_alone_prints_one_object_and_leaves_nothing(far: Far) -> None:
    """With --json nothing but the report; the engine for the one call takes all it made with it."""
    ran = await far.run(*TO_BUSY, "--json", OUTBOUND_NUMBERS="+12025550199,+12025550198")
    assert ran.code == 0
    report = ran.json
    assert set(report) >= KEYS
    assert report["outcome"] == "busy"
    assert report["answered"] is False
    assert report["hangup_cause"] == 17
    assert report["line"] == "+12025550199"
    timeline = report["timeline"]
    assert isinstance(timeline, list)
    assert timeline[-1]["what"] == "ended"
    assert all(set(entry) == {"at_s", "what", "detail"} for entry in timeline)
    assert ran.err == ""
    assert far.asterisk.live_channels() == []
    assert far.asterisk.live_bridges() == []
    assert far.open_sockets == []


async def test_a_call_is_followed_in_words(far: Far) -> None:
    """Without --json each thing that happens is a line, the outcome is the last word, and the number of `calls show`."""
    ran = await far.run(
        "call", "+15550004", "--scenario", "marketing", "--endpoint", "Local/hangs-up-at-once@people/n"
    )
    assert ran.code == 0
    said = ran.out
    moments = [
        said.index(words) for words in ("rings", "they answered", "hung_up: +15550004 picked up and hung up")
    ]
    assert moments == sorted(moments)
    assert "calls show " in said


async def test_a_call_beside_a_running_engine_goes_through_it(far: Far) -> None:
    """The engine that holds the folder places the call under its own name; its own log has it."""
    running = await far.engine()
    ran = await far.run(*TO_BUSY, "--json")
    assert ran.code == 0
    assert str(ran.json["bridge_id"]).startswith("lk.linekeeper.br.")
    running.send(signal.SIGTERM)
    engine = await running.ended()
    assert [line["call_id"] for line in engine.events("call_ended")] == [ran.json["call_id"]]


@pytest.mark.parametrize("beside", [True, False])
async def test_ctrl_c_hangs_up_politely_and_still_prints_the_report(far: Far, beside: bool) -> None:
    """SIGINT in the middle of a call: hung up, closed, reported, exit 0."""
    if beside:
        await far.engine()
    calling = await far.start(*TO_SILENT, "--json")
    await far.until(lambda: any(channel.answered_at is not None for channel in far.asterisk.live_channels()))
    calling.send(signal.SIGINT)
    ran = await calling.ended()
    assert ran.code == 0
    assert ran.json["reason"] == "asked"
    assert ran.json["outcome"] == "unknown"
    assert ran.json["error"] == ""
    await far.until_gone()


async def test_ctrl_c_before_the_engine_has_answered_goes_away_and_claims_nothing(far: Far) -> None:
    """The engine still waits for something: it is left with the order to hang up, and who typed knows what is known."""
    asked: asyncio.Queue[CallRequest] = asyncio.Queue(1)
    left = asyncio.Event()

    async def engine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = REQUEST.validate_json(await reader.readline())
        if isinstance(sent, CallRequest):
            asked.put_nowait(sent)
            await reader.read()
            left.set()
        else:
            writer.write(
                line_of(Status(state="blind", app="a", engine="e", pid=1, run="r", scenarios=(), calls=()))
            )
        writer.close()

    far.data_dir.mkdir()
    with address_of(far.data_dir) as address:
        async with await asyncio.start_unix_server(engine, address):
            calling = await far.start(*TO_SILENT, "--json")
            async with asyncio.timeout(20):
                request = await asked.get()
                calling.send(signal.SIGINT)
                await left.wait()
            ran = await calling.ended()
    assert request.hang_up_if_gone
    assert ran.code == 1
    assert "nothing was dialled" not in ran.err
    assert "hangs up" in ran.err
    assert "calls list" in ran.err


async def test_ctrl_c_before_a_call_alone_has_begun_dials_nobody(far: Far) -> None:
    """An engine of our own ends with the command: there it is known."""
    sockets_before = len(far.asterisk.world.sockets)
    far.asterisk.canned["GET applications/*"] = Reply(503, {"message": "not yet"})
    calling = await far.start(*TO_SILENT)
    await far.until(lambda: len(far.asterisk.world.sockets) > sockets_before)
    calling.send(signal.SIGINT)
    ran = await calling.ended()
    assert ran.code == 1
    assert "nothing was dialled" in ran.err
    assert far.asterisk.live_channels() == []


async def test_time_up_ends_a_call_like_ctrl_c(far: Far) -> None:
    """--timeout-s hangs up, before the answer too: then nobody was reached."""
    calling = await far.run(
        "call", "+15550006", "--scenario", "marketing", "--endpoint", "Local/no-answer@people/n", "--json",
        "--timeout-s", "2",
        ORIGINATION_TIMEOUT="30",
    )  # fmt: skip
    assert calling.code == 0
    assert calling.json["outcome"] == "abandoned"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("call", "+15550005", "--scenario", "nope"), "there is no scenario 'nope'; loaded: marketing"),
        (("call", "not a number", "--scenario", "marketing"), "is not a number"),
        (("call", "+15550005"), "--scenario"),
        (("call", "+1", "--scenario", "marketing", "--var", "name"), "write it as name=value"),
        (("call", "+1", "--scenario", "marketing", "--var", "name=x"), "no scenario takes variables"),
        (("call", "+1", "--scenario", "marketing", "--line"), "--line"),
        (("dance",), "dance"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_there(
    app: typer.Typer, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    """Bad usage is told in words, with what there is instead, before Asterisk is asked: it would be exit 3 here."""
    nobody = {
        "ARI_APP_NAME": "a",
        "ARI_USERNAME": "u",
        "ARI_PASSWORD": "p",
        "ARI_BASE_URL": "http://127.0.0.1:9/ari",
    }
    (tmp_path / "empty.env").touch()
    line = ["--env-file", str(tmp_path / "empty.env"), *arguments]
    result = CliRunner().invoke(app, line, env=nobody | {"DATA_DIR": str(tmp_path / "data")})
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "data").exists()


async def test_an_unknown_scenario_exits_2_beside_an_engine_too(far: Far) -> None:
    """The engine's own list is what counts there."""
    await far.engine()
    ran = await far.run("call", "+15550005", "--scenario", "nope", "--json")
    assert ran.code == 2
    assert "loaded: marketing" in str(ran.json["error"])


async def test_a_wrong_password_exits_3(far: Far) -> None:
    """The login is tried first, and what to set is named."""
    ran = await far.run(*TO_BUSY, "--json", ARI_PASSWORD="wrong")
    assert ran.code == 3
    assert ran.json["exit"] == 3
    assert "ARI_USERNAME and ARI_PASSWORD" in ran.err


@pytest.mark.parametrize("address", ["refused", "silent"])
async def test_an_asterisk_that_cannot_be_reached_exits_3_soon(far: Far, address: str) -> None:
    """Nobody listens, or somebody who never answers: told within seconds, not after retries."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes connections, and nobody ever reads from them
        port = deaf.getsockname()[1] if address == "silent" else 9
        ran = await far.run(*TO_BUSY, ARI_BASE_URL=f"http://127.0.0.1:{port}/ari")
    assert ran.code == 3
    assert "Asterisk cannot be reached" in ran.err
    assert "ARI_BASE_URL" in ran.err
    assert ran.seconds < 10  # 4 s on an idle machine: one second to start, three to give up


async def test_what_is_no_ari_exits_3(far: Far) -> None:
    """A web server that is not Asterisk is recognised."""
    ran = await far.run(*TO_BUSY, ARI_BASE_URL=far.server.base_url.removesuffix("/ari") + "/elsewhere")
    assert ran.code == 3
    assert "ARI_BASE_URL" in ran.err


async def test_an_engine_that_is_not_ready_exits_3(tmp_path: Path) -> None:
    """The engine of this folder runs and has no Asterisk: nothing is placed, and that is said."""
    async with far_side(tmp_path) as far:
        pass
    running = await far.start("run", "--json")
    try:
        while not (far.data_dir / "control.sock").exists():
            await asyncio.sleep(0.05)
        ran = await far.run(*TO_BUSY)
    finally:
        far.end_all()
        await running.process.wait()
    assert ran.code == 3
    assert "no connection to Asterisk" in ran.err


async def test_a_folder_held_by_an_engine_that_does_not_listen_exits_4(far: Far) -> None:
    """A living lock without a socket behind it: one sentence with the process to look at."""
    with EngineLock.acquire(far.data_dir, app="stuck", at=SystemClock().wall()) as lock:
        ran = await far.run(*TO_BUSY)
    assert ran.code == 4
    assert f"pid {lock.holder.pid}" in ran.err
    assert len(ran.err.strip().splitlines()) == 1


async def test_many_calls_alone_share_a_folder(far: Far) -> None:
    """Each engine for one call has an application and a lock of its own."""
    first, second = await asyncio.gather(far.run(*TO_BUSY, "--json"), far.run(*TO_BUSY, "--json"))
    assert [first.json["outcome"], second.json["outcome"]] == ["busy", "busy"]
    assert first.json["bridge_id"] != second.json["bridge_id"]


async def test_what_a_call_said_can_be_read_afterwards(far: Far, app: typer.Typer) -> None:
    """`calls list` has it, `calls show` with the first letters of its id prints the same timeline; others are told apart."""
    reports = [(await far.run(*TO_BUSY, "--json")).json for _ in range(2)]
    report = reports[-1]
    call_id = str(report["call_id"])

    async def typed(*arguments: str) -> Result:
        """In this process: reading needs no signals."""
        return await asyncio.to_thread(CliRunner().invoke, app, ["calls", *arguments], env=far.variables())

    rows = json.loads((await typed("list", "--json")).stdout)
    assert [row["call_id"] for row in rows] == [each["call_id"] for each in reversed(reports)]
    assert {row["outcome"] for row in rows} == {"busy"}
    shown = await typed("show", call_id[:14], "--json")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["timeline"] == report["timeline"]
    assert json.loads(shown.stdout)["remark"] == ""
    in_words = await typed("show", call_id.upper())
    assert in_words.exit_code == 0
    assert "their telephone is busy" in in_words.stdout
    several = await typed("show", call_id[:3])
    assert several.exit_code == 2
    assert all(str(each["call_id"]) in several.stderr for each in reports)
    nothing = await typed("show", "zzzz", "--json")
    assert nothing.exit_code == 2
    assert json.loads(nothing.stdout)["exit"] == 2


async def test_calls_list_works_before_the_first_call_and_without_asterisk_settings(far: Far) -> None:
    """Nothing there is no mistake, and reading needs no login; nothing is made by looking."""
    ran = await far.run("calls", "list", ARI_APP_NAME="", ARI_USERNAME="", ARI_PASSWORD="")
    assert ran.code == 0
    assert "No calls yet" in ran.out
    assert not far.data_dir.exists()
