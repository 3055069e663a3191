"""The commands on the real Asterisk of the lab: what the emulator says of them is true there, too."""

import asyncio
import signal
from pathlib import Path

import pytest

from config.settings import get_settings
from integrations.checkup.check import Verdict, examine
from integrations.checkup.every import CHECKS
from scripts.commands.doctor import open_subject
from scripts.commands.wiring import Wiring
from scripts.lab import Lab
from tests.commands.far import run_main, start_main

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def lab() -> Lab:
    """The running lab, with the project's prompts."""
    found = Lab.load()
    if not found.is_running:
        pytest.fail("the lab is not running: start it with `make lab`, or run `make test-asterisk`")
    found.install_prompts()
    return found


def variables(lab: Lab, folder: Path) -> dict[str, str]:
    """The settings of an engine on the lab."""
    return {
        "ARI_APP_NAME": f"commands-{folder.name}"[:24],
        "ARI_USERNAME": lab.username,
        "ARI_PASSWORD": lab.password,
        "ARI_BASE_URL": lab.base_url,
        "ARI_WS_URL": lab.ws_url,
        "DATA_DIR": str(folder / "data"),
        "AST_SOUND_DIR": str(lab.sound_dir),
        "OUTBOUND_ENDPOINT": "PJSIP/{number}@lead",
        "ORIGINATION_TIMEOUT": "4",
        "WEB_BIND": "off",
        "STT_PROVIDER": "none",
        "TTS_PROVIDER": "none",
        "LLM_PROVIDER": "none",
    }


async def test_no_line_of_doctor_is_red_on_the_lab(lab: Lab, wiring: Wiring, tmp_path: Path) -> None:
    """Every check agrees with a real Asterisk: nothing fails; only an old release, and what it lacks, is yellow."""
    settings = get_settings(None, overrides=variables(lab, tmp_path))
    async with open_subject(wiring, settings) as subject:
        found = [finding async for finding in examine(CHECKS, subject)]
    assert [finding for finding in found if finding.verdict is Verdict.FAIL] == []
    yellow = {finding.name for finding in found if finding.verdict is Verdict.WARN}
    assert yellow <= ({"version", "rest-websocket"} if lab.major < 20 else set()) | {"endpoint"}


async def test_doctor_sees_a_sound_folder_that_the_lab_does_not_share(
    lab: Lab, wiring: Wiring, tmp_path: Path
) -> None:
    """Decision 11, red on a real Asterisk."""
    settings = get_settings(None, overrides=variables(lab, tmp_path) | {"AST_SOUND_DIR": str(tmp_path)})
    async with open_subject(wiring, settings) as subject:
        found = {finding.name: finding async for finding in examine(CHECKS, subject)}
    assert found["shared-folder"].verdict is Verdict.FAIL
    assert found["prompts"].verdict is Verdict.FAIL
    assert list(tmp_path.glob("*.wav")) == []


@pytest.mark.timeout(120)
async def test_a_call_and_the_demo_run_on_the_lab(lab: Lab, tmp_path: Path) -> None:
    """One call typed, and every person of the demo."""
    person = "Local/presses-1@people/n"
    call, demo = await asyncio.gather(
        run_main(
            tmp_path,
            variables(lab, tmp_path),
            *("call", "+15550007", "--scenario", "marketing", "--endpoint", person, "--json"),
        ),
        run_main(tmp_path, {"LAB_DIR": str(lab.directory)}, "demo", "--asterisk", "lab", "--json"),
    )
    assert call.code == 0
    assert call.json["outcome"] == "completed"
    assert demo.json["ok"] is True, demo.out
    assert demo.code == 0


async def test_a_refused_newcomer_does_not_make_the_living_engine_deaf(lab: Lab, tmp_path: Path) -> None:
    """A websocket whose application another one took, and left again, is never answered by a real Asterisk any more."""
    settings = variables(lab, tmp_path)
    running = await start_main(tmp_path, settings, "run", "--json")
    try:
        assert "ready" in await running.line()
        newcomer = await run_main(tmp_path, settings | {"DATA_DIR": str(tmp_path / "other")}, "run")
        assert newcomer.code == 4
        person = "Local/busy@people/n"
        call = await run_main(
            tmp_path,
            settings,
            *("call", "+15550005", "--scenario", "marketing", "--endpoint", person, "--json"),
        )
        assert call.json["outcome"] == "busy"
        running.send(signal.SIGTERM)
        assert (await running.ended()).code == 0
    finally:
        if running.process.returncode is None:
            running.process.kill()
