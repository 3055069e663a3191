"""`demo`: works on its own, ends as it should, and says so."""

from pathlib import Path

import pytest

from tests.commands.far import far_side


@pytest.mark.timeout(120)
async def test_the_demo_plays_every_person_as_expected_within_a_minute(tmp_path: Path) -> None:
    """Nine calls, several at a time, each with the outcome of its person; nothing of this machine's settings counts."""
    async with far_side(tmp_path) as far:
        ran = await far.run("demo", "--json", ARI_BASE_URL="http://127.0.0.1:9/ari", DATA_DIR="/nonexistent")
    assert ran.code == 0, ran.err
    assert ran.err == ""
    calls = ran.json["calls"]
    assert isinstance(calls, list)
    assert ran.json["ok"] is True
    assert {(call["person"], call["outcome"]) for call in calls} == {
        ("polite-yes", "completed"),
        ("polite-no", "completed"),
        ("silent", "silent"),
        ("hangs-up-at-once", "hung_up"),
        ("busy", "busy"),
        ("no-answer", "no_answer"),
        ("presses-1", "completed"),
        ("stop-and-hangs-up", "hung_up"),
    }
    assert [call["direction"] for call in calls if call["calls_us"]] == ["inbound"]
    assert (
        next(call["last_words"] for call in calls if call["person"] == "polite-no") == "they: No thank you."
    )
    seconds = ran.json["seconds"]
    assert isinstance(seconds, float)
    assert seconds < 60
