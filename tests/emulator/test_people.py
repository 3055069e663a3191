"""People: they wait for our prompt, break into it, press keys, and hang up when they mean to."""

import pytest

from integrations.emulator.people import (
    PEOPLE,
    HangsUp,
    Person,
    Presses,
    Says,
    after_hearing,
    after_prompt,
    after_saying,
    during_prompt,
    find_by_number,
)
from tests.emulator.box import APP, Box


def answer(box: Box, person: Person | str) -> str:
    """They call us and we answer."""
    channel = box.emulator.dial_in(person, APP, "1", box.now)
    box.ask("POST", f"channels/{channel}/answer")
    return channel


def talked(box: Box) -> list[tuple[float, float]]:
    """When the one caller talked."""
    (channel,) = box.emulator.live_channels()
    return [(round(start, 3), round(end, 3)) for start, end in channel.talk]


def test_a_polite_person_hears_us_out(box: Box) -> None:
    """They speak 1.2 s after the prompt; one more prompt in between makes them wait again."""
    channel = answer(box, "polite-yes")
    box.ask("POST", f"channels/{channel}/play", media="sound:hello-world")
    box.wait(2.0)
    box.ask("POST", f"channels/{channel}/play", media="sound:hello-world")
    box.wait(3.0)
    assert talked(box) == [(2.0 + 1.42 + 1.2, 6.52)]


def test_nobody_waits_for_ever(box: Box) -> None:
    """A polite person to whom nothing is said speaks after all."""
    answer(box, "polite-yes")
    box.wait(10)
    assert talked(box) == [(9.2, 11.1)]


def test_breaking_in(box: Box) -> None:
    """0.7 s into the prompt, and then they hang up: the prompt fails."""
    channel = answer(box, "stop-and-hangs-up")
    box.wait(1)
    box.ask("POST", f"channels/{channel}/play", media="sound:demo-congrats")
    box.wait(0.8)
    assert talked(box) == [(1.7, 3.8)]
    box.wait(2.0)
    assert box.types()[-3:] == ["ChannelHangupRequest", "PlaybackFinished", "StasisEnd"]


def test_patience_ends_after_hearing_enough(box: Box) -> None:
    """Counted over all prompts, and only while something is played."""
    bored = Person("bored", acts=(HangsUp(after_hearing(2.0)),))
    channel = answer(box, bored)
    box.ask("POST", f"channels/{channel}/play", media="sound:hello-world")
    box.wait(30)
    assert box.of("StasisEnd") == []
    box.ask("POST", f"channels/{channel}/play", media="sound:hello-world")
    box.wait(0.57)
    assert box.of("StasisEnd") == []
    box.wait(0.02)
    assert len(box.of("StasisEnd")) == 1


def test_second_prompts_and_own_sentences(box: Box) -> None:
    """Acts can wait for the nth prompt, and for the end of what they said themselves."""
    person = Person(
        "two-steps",
        acts=(
            Says(after_prompt(0.5), 1.0, "Yes?"),
            Presses(during_prompt(0.1, nth=2), "2"),
            HangsUp(after_saying(3.0)),
        ),
    )
    channel = answer(box, person)
    box.ask("POST", f"channels/{channel}/play", media="sound:hello-world")
    box.wait(3.5)
    assert box.of("ChannelDtmfReceived") == []
    box.ask("POST", f"channels/{channel}/play", media="sound:hello-world")
    box.wait(0.2)
    assert len(box.of("ChannelDtmfReceived")) == 1
    box.wait(1.42 + 0.5 + 1.0 + 3.0)
    assert len(box.of("StasisEnd")) == 1


def test_a_prompt_on_the_bridge_is_heard_by_who_joins(box: Box) -> None:
    """Entering a bridge that plays is the start of a prompt, leaving it the end."""
    channel = answer(
        box, Person("joins", acts=(Presses(during_prompt(0.0), "1"), Presses(after_prompt(0.0), "2")))
    )
    box.ask("POST", "bridges/b")
    box.ask("POST", "bridges/b/play", media="sound:demo-congrats")
    box.ask("POST", "bridges/b/addChannel", channel=channel)
    assert [event["digit"] for event in box.of("ChannelDtmfReceived")] == ["1"]
    box.wait(1)
    box.ask("POST", "bridges/b/removeChannel", channel=channel)
    assert [event["digit"] for event in box.of("ChannelDtmfReceived")] == ["1", "2"]


@pytest.mark.parametrize("name", sorted(PEOPLE))
def test_people_are_named_as_they_are_listed(name: str) -> None:
    """The key is the name, and everyone has a number."""
    assert (PEOPLE[name].name, PEOPLE[name].number[:5]) == (name, "+1555")


def test_finding_by_number() -> None:
    """Nobody answers at what is no number."""
    assert find_by_number("x", {}, {"1": PEOPLE["silent"]}) is None
    assert find_by_number("", {}, {"1": PEOPLE["silent"]}) is None
    assert find_by_number("21", {}, {"1": PEOPLE["silent"]}) is PEOPLE["silent"]
