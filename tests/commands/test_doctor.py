"""`doctor`: for every line something is broken, and the line turns red or yellow and says what to do.

A test is named after its line: `test_line_<name>__...`; one of them holds that every line has such a test.
"""

import json
import random
import re
import socket
import sqlite3
import sys
import wave
import zoneinfo
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from config.settings import get_settings
from core.clock import SystemClock
from core.lockfile import EngineLock
from core.store import Store
from integrations.checkup.asterisk_checks import NEEDED_MODULES
from integrations.checkup.check import Finding, Verdict, examine
from integrations.checkup.every import CHECKS
from integrations.control.server import ControlServer
from integrations.emulator.replies import refuse
from scripts.commands.doctor import open_subject
from scripts.commands.wiring import Wiring
from tests.commands.far import APP, PASSWORD, Far, endpoints, far_side, modules
from tests.commands.test_control import idle_engine

NOBODY = "http://127.0.0.1:9/ari"
CLOSED = {"ARI_BASE_URL": NOBODY, "ARI_WS_URL": "ws://127.0.0.1:9/ari/events"}


class Doctor:
    """Asks in this process."""

    def __init__(self, far: Far, wiring: Wiring) -> None:
        self.far = far
        self._wiring = wiring

    async def everything(self, **more: str) -> dict[str, Finding]:
        """All lines by name."""
        settings = get_settings(None, overrides=self.far.variables(**more))
        async with open_subject(self._wiring, settings) as subject:
            return {finding.name: finding async for finding in examine(CHECKS, subject)}

    async def line(self, name: str, **more: str) -> Finding:
        """One line, asked alone."""
        (check,) = [replace(check, needs=()) for check in CHECKS if check.name == name]
        settings = get_settings(None, overrides=self.far.variables(**more))
        async with open_subject(self._wiring, settings) as subject:
            (finding,) = [finding async for finding in examine((check,), subject)]
        if finding.verdict is not Verdict.OK:
            assert finding.remedy, "a line that is not green says what to do"
        return finding


@pytest.fixture
def doctor(far: Far, wiring: Wiring) -> Doctor:
    """A doctor for the emulated Asterisk and its folder."""
    return Doctor(far, wiring)


async def red(doctor: Doctor, name: str, /, **more: str) -> str:
    """The line must fail; returns all it says."""
    finding = await doctor.line(name, **more)
    assert finding.verdict is Verdict.FAIL, finding
    return f"{finding.what} -> {finding.remedy}"


async def yellow(doctor: Doctor, name: str, /, **more: str) -> str:
    """The line must warn; returns all it says."""
    finding = await doctor.line(name, **more)
    assert finding.verdict is Verdict.WARN, finding
    return f"{finding.what} -> {finding.remedy}"


# ------------------------------------------------------------------------------------------------ all of it


async def test_every_line_is_green_when_nothing_is_wrong_and_nothing_is_left_behind(doctor: Doctor) -> None:
    """So that a red line means something; and the shared folder, Asterisk and the disk are as before."""
    files = sorted(doctor.far.sounds.iterdir())
    found = await doctor.everything()
    assert {name: finding.what for name, finding in found.items() if finding.verdict is not Verdict.OK} == {}
    assert [check.name for check in CHECKS] == list(found)
    assert sorted(doctor.far.sounds.iterdir()) == files
    assert doctor.far.asterisk.live_bridges() == []
    assert doctor.far.asterisk.live_channels() == []
    assert doctor.far.asterisk.stored == {}
    assert doctor.far.open_sockets == []


async def test_what_depends_on_a_red_line_is_not_looked_at(doctor: Doctor) -> None:
    """Without Asterisk one line is red, and those behind it say that they were not asked."""
    found = await doctor.everything(**CLOSED)
    assert [name for name, finding in found.items() if finding.verdict is Verdict.FAIL] == ["asterisk"]
    assert found["recordings"].what == "not looked at, because of: events"
    assert found["prompts"].verdict is Verdict.OK


async def test_the_command_exits_1_with_the_red_line_as_json(far: Far) -> None:
    """As a program reads it."""
    ran = await far.run("doctor", "--json", ARI_PASSWORD="wrong")
    assert ran.code == 1
    assert ran.json["ok"] is False
    checks = ran.json["checks"]
    assert isinstance(checks, list)
    assert [check["name"] for check in checks if check["verdict"] == "fail"] == ["login"]
    assert all(set(check) == {"name", "verdict", "what", "remedy"} for check in checks)


async def test_check_is_an_alias_that_lists_what_a_start_needs(far: Far) -> None:
    """S1-21: `python main.py --check` exits 0 and names ARI, each prompt, ffmpeg and the tokens, never their values."""
    ran = await far.run("--check", GAPGPT_API_KEY="a-very-secret-key")
    assert ran.code == 0, ran.out
    for words in (
        far.server.base_url,
        "alo, goodby, hello",
        "ffmpeg",
        "present: ARI_PASSWORD, GAPGPT_API_KEY",
    ):
        assert words in ran.out
    assert "a-very-secret-key" not in ran.out + ran.err
    assert PASSWORD not in ran.out + ran.err


def test_every_line_has_a_test_that_breaks_it() -> None:
    """A line nobody has seen red proves nothing."""
    tested = {match[1] for name in globals() if (match := re.match(r"test_line_(.+)__", name))}
    assert tested == {check.name.replace("-", "_") for check in CHECKS}


# ------------------------------------------------------------------------------------------------ settings


def test_line_settings__fails_when_they_cannot_be_read(app: typer.Typer, tmp_path: Path) -> None:
    """A mistake in `.env` is a red line with the file's line number, not a traceback; nothing else is asked."""
    (tmp_path / "bad.env").write_text("ARI_APP_NAME=a\nARI_USERNAME=u\nARI_PASSWORD=p\nMAX_TURN=3\n")
    result = CliRunner().invoke(app, ["--env-file", str(tmp_path / "bad.env"), "doctor", "--json"])
    first, *others = json.loads(result.stdout)["checks"]
    assert result.exit_code == 1
    assert (first["name"], first["verdict"]) == ("settings", "fail")
    assert "MAX_TURN" in first["what"]
    assert "line 4" in first["what"]
    assert {other["what"] for other in others} == {"not looked at, because of: settings"}


async def test_line_settings__warns_of_what_will_not_work(doctor: Doctor) -> None:
    """What the settings themselves say of what was left out."""
    assert "VIRA_STT_URL" in await yellow(doctor, "settings", STT_PROVIDER="vira")


async def test_line_tokens__names_a_missing_token_and_what_wants_it(doctor: Doctor) -> None:
    """A panel without its token."""
    said = await yellow(doctor, "tokens", PANEL_BASE_URL="https://panel.example")
    assert said.endswith("Set PANEL_API_TOKEN (for PANEL_BASE_URL)")


async def test_line_scenarios__fails_with_file_and_line(doctor: Doctor, tmp_path: Path) -> None:
    """A scenario that does not pass, and a folder without any."""
    folder = tmp_path / "scenarios"
    folder.mkdir()
    assert "SCENARIOS_DIR" in await red(doctor, "scenarios", SCENARIOS_DIR=str(folder))
    (folder / "broken.yaml").write_text("flowspec: 1\nid: broken\nstart: nowhere\n")
    assert re.search(r"broken\.yaml:\d+:\d+: ", await red(doctor, "scenarios", SCENARIOS_DIR=str(folder)))


async def test_line_listeners__fails_when_open_to_all_or_taken(doctor: Doctor) -> None:
    """The face is closed: not on the network, and not on a port that somebody else has."""
    assert "0.0.0.0:8090" in await red(doctor, "listeners", WEB_BIND="0.0.0.0:8090")
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port}" in await red(doctor, "listeners", RETELL_BIND=f"127.0.0.1:{port}")


# ------------------------------------------------------------------------------------------------ this machine


async def test_line_data_folder__fails_when_it_cannot_be_written(doctor: Doctor, tmp_path: Path) -> None:
    """A file where the folder should be; and others who may write into it."""
    (tmp_path / "file").touch()
    assert "DATA_DIR" in await red(doctor, "data-folder", DATA_DIR=str(tmp_path / "file" / "data"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert "chmod go-w" in await yellow(doctor, "data-folder", DATA_DIR=str(tmp_path / "open"))


async def test_line_disk__fails_without_room(doctor: Doctor) -> None:
    """A file system that has none: the kernel's own."""
    assert "Make room" in await red(doctor, "disk", DATA_DIR="/proc")


async def test_line_store__fails_when_damaged_or_too_new(doctor: Doctor) -> None:
    """Not a database; one of a later version; one that is older and may not be migrated; and a good one."""
    folder = doctor.far.data_dir
    folder.mkdir()
    path = folder / "linekeeper.db"
    async with Store.open(path, SystemClock(), random.Random()):
        pass
    assert (await doctor.line("store")).verdict is Verdict.OK
    _set_schema(path, 0)
    assert "RUN_MIGRATIONS_ON_START" in await red(doctor, "store", RUN_MIGRATIONS_ON_START="false")
    _set_schema(path, 99)
    assert "schema 99" in await red(doctor, "store")
    path.write_bytes(b"no database at all" * 100)
    assert "backup" in await red(doctor, "store")


def _set_schema(path: Path, version: int) -> None:
    conn = sqlite3.connect(path)
    conn.execute(f"PRAGMA user_version = {version}")
    conn.close()


async def test_line_engine__fails_when_one_holds_the_folder_and_is_silent(doctor: Doctor) -> None:
    """A living lock without an answer is red, one with an answer green, one whose holder died yellow."""
    folder = doctor.far.data_dir
    lock = EngineLock.acquire(folder, app=APP, at=SystemClock().wall())
    assert f"kill {lock.holder.pid}" in await red(doctor, "engine")
    async with ControlServer(idle_engine(), folder):
        assert (await doctor.line("engine")).verdict is Verdict.OK
    lock.release()
    assert (await doctor.line("engine")).verdict is Verdict.OK
    text = (folder / "engine.lock").read_text()
    (folder / "engine.lock").write_text(text.replace('"left": true', '"left": false'))
    assert "died" in await yellow(doctor, "engine")


async def test_line_ffmpeg__warns_when_it_is_not_there(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A path without it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install ffmpeg" in await yellow(doctor, "ffmpeg")


async def test_line_tzdata__fails_without_time_zones(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the system's nor the package."""
    paths = zoneinfo.TZPATH
    monkeypatch.setitem(sys.modules, "tzdata", None)
    monkeypatch.setitem(sys.modules, "tzdata.zoneinfo", None)
    zoneinfo.reset_tzpath(())
    try:
        assert "tzdata" in await red(doctor, "tzdata")
    finally:
        zoneinfo.reset_tzpath(paths)


# ------------------------------------------------------------------------------------------------ Asterisk


async def test_line_asterisk__fails_when_nobody_or_somebody_else_answers(doctor: Doctor) -> None:
    """Nothing listens; a web server that is none of Asterisk's; an Asterisk without ARI."""
    assert "Start Asterisk" in await red(doctor, "asterisk", **CLOSED)
    elsewhere = doctor.far.server.base_url.removesuffix("ari") + "elsewhere"
    assert "ARI_BASE_URL" in await red(doctor, "asterisk", ARI_BASE_URL=elsewhere)
    doctor.far.asterisk.canned = {"GET asterisk/info": refuse(404, "Not Found")}
    assert "res_ari" in await red(doctor, "asterisk")


async def test_line_login__fails_for_a_wrong_password_and_for_a_reader(doctor: Doctor) -> None:
    """Refused altogether, or allowed to look and not to touch."""
    assert "ARI_PASSWORD" in await red(doctor, "login", ARI_PASSWORD="wrong")
    doctor.far.asterisk.canned["DELETE bridges/*"] = refuse(403, "Write access denied")
    assert "read_only = no" in await red(doctor, "login")


async def test_line_version__warns_of_an_old_release(wiring: Wiring, tmp_path: Path) -> None:
    """16 works, without REST over websockets, and nobody mends it any more."""
    async with far_side(tmp_path, version="16.28.0") as far:
        said = await yellow(Doctor(far, wiring), "version")
    assert "REST over websockets" in said
    assert "event filters" not in said


async def test_line_modules__fails_with_the_name_of_what_is_not_loaded(doctor: Doctor) -> None:
    """Present and not running counts as missing; an Asterisk that will not list them is not accused."""
    doctor.far.asterisk.canned["GET asterisk/modules"] = modules("res_stasis_playback")
    assert "load = res_stasis_playback.so" in await red(doctor, "modules")
    doctor.far.asterisk.canned["GET asterisk/modules"] = refuse(404, "Not Found")
    assert "module show" in await yellow(doctor, "modules")


async def test_line_events__fails_when_the_websocket_does_not_open(doctor: Doctor) -> None:
    """The address of the events is one of its own."""
    assert "ARI_WS_URL" in await red(doctor, "events", ARI_WS_URL="ws://127.0.0.1:9/ari/events")


async def test_line_events__fails_when_it_opens_at_another_asterisk(doctor: Doctor, tmp_path: Path) -> None:
    """Events of one server and requests to another: the application is not where we ask for it."""
    folder = tmp_path / "other"
    folder.mkdir()
    async with far_side(folder) as other:
        assert "two different servers" in await red(doctor, "events", ARI_WS_URL=other.server.ws_url)


async def test_line_rest_websocket__warns_when_it_is_not_answered(wiring: Wiring, tmp_path: Path) -> None:
    """An older Asterisk: HTTP takes over, unless websockets were demanded."""
    async with far_side(tmp_path, version="20.10.0", rest_over_websocket=False) as far:
        old = Doctor(far, wiring)
        assert "HTTP is used instead" in await yellow(old, "rest-websocket")
        assert "ARI_TRANSPORT=auto" in await red(old, "rest-websocket", ARI_TRANSPORT="websocket")
        assert (await old.line("rest-websocket", ARI_TRANSPORT="http")).verdict is Verdict.OK


async def test_line_application__fails_when_another_engine_holds_it(doctor: Doctor) -> None:
    """Held from elsewhere is red; held by the engine of this folder is green."""
    clock = SystemClock()
    doctor.far.asterisk.connect(APP, clock.now())
    assert "ARI_APP_NAME" in await red(doctor, "application")
    with EngineLock.acquire(doctor.far.data_dir, app=APP, at=clock.wall()):
        assert (await doctor.line("application")).verdict is Verdict.OK


async def test_line_application__warns_of_what_a_dead_engine_left(doctor: Doctor) -> None:
    """Channels of an engine that died on this folder are the next start's business."""
    clock = SystemClock()
    dead = doctor.far.asterisk.connect(APP, clock.now())
    doctor.far.asterisk.dial_in("silent", APP, "+15551000", clock.now())
    doctor.far.asterisk.disconnect(dead, clock.now())
    lock = EngineLock.acquire(doctor.far.data_dir, app=APP, at=clock.wall())
    text = (doctor.far.data_dir / "engine.lock").read_text()
    lock.release()
    (doctor.far.data_dir / "engine.lock").write_text(text)
    assert "next start" in await yellow(doctor, "application")


async def test_line_endpoint__fails_when_the_trunk_does_not_exist(doctor: Doctor) -> None:
    """A misspelt trunk is red with those there are; none, or one that is offline, is yellow."""
    pjsip = {"OUTBOUND_ENDPOINT": "PJSIP/{number}@{trunk}"}
    assert "it has: PJSIP/trunk" in await red(doctor, "endpoint", **pjsip, OUTBOUND_TRUNK="trnk")
    assert "OUTBOUND_TRUNK" in await yellow(doctor, "endpoint", **pjsip)
    assert (await doctor.line("endpoint", **pjsip, OUTBOUND_TRUNK="trunk")).verdict is Verdict.OK
    doctor.far.asterisk.canned["GET endpoints"] = endpoints("trunk", state="offline")
    assert "offline" in await yellow(doctor, "endpoint", **pjsip, OUTBOUND_TRUNK="trunk")


# ------------------------------------------------------------------------------------------------ sound


async def test_line_shared_folder__fails_when_asterisk_sees_another_one(
    doctor: Doctor, tmp_path: Path
) -> None:
    """Written here, not found there; not writable; not set. What was written is taken away again."""
    (tmp_path / "elsewhere").mkdir()
    said = await red(doctor, "shared-folder", AST_SOUND_DIR=str(tmp_path / "elsewhere"))
    assert "AST_SOUND_PREFIX" in said
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert "AST_SOUND_PREFIX" in await red(doctor, "shared-folder", AST_SOUND_PREFIX="other")
    assert "AST_SOUND_DIR" in await red(doctor, "shared-folder", AST_SOUND_DIR=str(tmp_path / "missing"))
    assert "AST_SOUND_DIR" in await yellow(doctor, "shared-folder", AST_SOUND_DIR="off")


async def test_line_prompts__fails_when_one_is_missing_or_in_another_form(doctor: Doctor) -> None:
    """Each by its name, with the scenario that wants it, and what is wrong with its header."""
    (doctor.far.sounds / "alo.wav").unlink()
    with wave.open(str(doctor.far.sounds / "hello.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(bytes(400))
    (doctor.far.sounds / "goodby.wav").write_bytes(b"nothing of the kind")
    said = await red(doctor, "prompts")
    assert "alo: missing (used by marketing)" in said
    assert "44100 Hz, 2 channels, 16 bit instead of 8000 Hz, mono, 16 bit" in said
    assert "goodby.wav is not a WAV file" in said
    assert "sync_audio.sh" in said
    for name in ("alo", "hello", "goodby"):
        (doctor.far.sounds / f"{name}.ulaw").write_bytes(bytes(80))
    assert (await doctor.line("prompts")).verdict is Verdict.OK


async def test_line_recordings__fails_when_asterisk_cannot_write_one(doctor: Doctor) -> None:
    """Without its spool folder Asterisk answers 500."""
    doctor.far.asterisk.canned["POST bridges/*/record"] = refuse(500, "Allocation failed")
    assert "astspooldir" in await red(doctor, "recordings")
    assert doctor.far.asterisk.live_bridges() == []


def test_the_needed_modules_are_those_the_lab_has() -> None:
    """Their names are plain: no ending, no doubles."""
    assert len(set(NEEDED_MODULES)) == len(NEEDED_MODULES)
    assert not [name for name in NEEDED_MODULES if not re.fullmatch(r"[a-z_]+", name)]
