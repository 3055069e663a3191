"""The small deciders and holders around a call: mailbox, admission, dialling, timeline, ids, and who may dial."""

import ast
import asyncio
import random
from collections.abc import Mapping
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.clock import VirtualTimeLoop
from core.ids import (
    BridgeId,
    ChannelId,
    Kind,
    PlaybackId,
    call_time_ms,
    is_call_id,
    new_call_id,
    parse_resource_id,
    resource_id,
)
from sessions.admission import Accept, Arrival, Decline, Doors, admit
from sessions.commands import Play
from sessions.dialling import NotANumber, clean_number, endpoint_for
from sessions.events import DialProgress, Done, Gone, KeyPressed, StopRequested
from sessions.mailbox import Mailbox
from sessions.models import LEG_STATES, PHASES
from sessions.timeline import MAX_ENTRIES, Timeline, describe

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "logic", "llm", "stt_tts", "sessions", "integrations", "scripts")
KEY = KeyPressed(ChannelId("c"), "1")


# ---------------------------------------------------------------------------------------------------- mailbox


async def test_a_full_mailbox_keeps_room_for_the_end() -> None:
    """Ordinary events are dropped and counted; the end of the channel still gets in, and the call is asked to stop."""
    mailbox = Mailbox(4)
    assert [mailbox.post(KEY) for _ in range(6)] == [True] * 4 + [False] * 2
    assert mailbox.post(Gone(ChannelId("c"), 16))
    received = [await mailbox.get() for _ in range(len(mailbox))]
    assert received == [KEY] * 4 + [StopRequested("mailbox_full"), Gone(ChannelId("c"), 16)]
    assert mailbox.dropped == 2


@given(st.integers(1, 8), st.lists(st.booleans(), max_size=80))
def test_a_mailbox_never_raises_never_grows_and_keeps_the_order(size: int, ends: list[bool]) -> None:
    """Whatever is posted, at most size + 16 events wait, in the order they came, with one request to stop."""

    async def post_all() -> None:
        mailbox = Mailbox(size)
        kept = [end for end in ends if mailbox.post(Gone(ChannelId("c"), 16) if end else KEY)]
        assert len(mailbox) <= size + 16
        received = [await mailbox.get() for _ in range(len(mailbox))]
        stops = [event for event in received if isinstance(event, StopRequested)]
        assert len(stops) == (1 if mailbox.dropped else 0)
        assert [isinstance(event, Gone) for event in received if event not in stops] == kept

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(post_all())


# -------------------------------------------------------------------------------------------------- admission

OPEN = Doors(True, False, 0, None, "marketing", frozenset({"marketing", "other"}))
CALLER = Arrival("1.1", ("inbound", "100"), "+12025550101", "100")


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (("inbound", "100"), Accept("marketing", "100")),
        (("inbound",), Accept("marketing", "dialled")),
        (("inbound", "100", "other"), Accept("other", "100")),
        (("inbound", "100", "none"), Decline("unknown_scenario")),
        ((), Decline("not_inbound")),
        (("outbound", "x"), Decline("not_inbound")),
    ],
)
def test_the_arguments_of_stasis_choose_line_and_scenario(
    args: tuple[str, ...], expected: Accept | Decline
) -> None:
    """`Stasis(APP,inbound,LINE,SCENARIO)`; a scenario nobody knows sends the caller on."""
    assert admit(Arrival("1.1", args, "", "dialled"), OPEN) == expected


@pytest.mark.parametrize(
    ("doors", "reason"),
    [
        (Doors(False, False, 0, None, "marketing", frozenset({"marketing"})), "takes_no_inbound"),
        (Doors(True, True, 0, None, "marketing", frozenset({"marketing"})), "draining"),
        (Doors(True, False, 2, 2, "marketing", frozenset({"marketing"})), "full"),
        (Doors(True, False, 2, 2, "gone", frozenset()), "full"),
        (Doors(True, False, 0, 2, "gone", frozenset()), "unknown_scenario"),
    ],
)
def test_closed_doors_say_why(doors: Doors, reason: str) -> None:
    """An engine for one call, a draining one, a full one and one without the scenario take nobody."""
    assert admit(CALLER, doors) == Decline(reason)


# --------------------------------------------------------------------------------------------------- dialling


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("+1 (202) 555-0101", "+12025550101"),
        ("100", "100"),
        ("*72#", "*72#"),
        ("020 7946 0000", "02079460000"),
    ],
)
def test_numbers_are_taken_as_people_write_them(written: str, number: str) -> None:
    """Spaces, dots, hyphens and brackets are no part of a number."""
    assert clean_number(written) == number


@pytest.mark.parametrize("written", ["", "abc", "12+3", "PJSIP/100", "1;2", "1" * 33, "\u06f1\u06f2"])
def test_what_is_no_number_is_refused_with_the_remedy(written: str) -> None:
    """Nothing that could become part of a dial string gets through."""
    with pytest.raises(NotANumber, match=r"E\.164"):
        clean_number(written)


def test_an_endpoint_is_made_from_its_template() -> None:
    """Every placeholder has its meaning."""
    template = "PJSIP/{number} {digits} {national} {line} {line_last4}@{trunk}"
    endpoint = endpoint_for(template, number="+12025550101", line="+12025550199", trunk="carrier")
    assert endpoint == "PJSIP/+12025550101 12025550101 2025550101 +12025550199 0199@carrier"


# --------------------------------------------------------------------------------------------------- timeline


async def test_a_timeline_is_followed_from_its_beginning_to_its_end() -> None:
    """Whoever follows late sees everything, and the end is marked once."""
    timeline = Timeline()
    timeline.add(0.0, "one")
    with timeline.follow() as early:
        timeline.add(1.0, "two")
        timeline.finish()
    with timeline.follow() as late:
        pass
    for queue in (early, late):
        assert [getattr(queue.get_nowait(), "what", None) for _ in range(queue.qsize())] == [
            "one",
            "two",
            None,
        ]


async def test_a_follower_who_never_reads_costs_entries_and_nothing_else() -> None:
    """A timeline is bounded, and so is what a follower leaves unread; the end always gets through."""
    timeline = Timeline()
    with timeline.follow() as queue:
        for n in range(3 * MAX_ENTRIES):
            timeline.add(float(n), "x")
        timeline.finish()
        entries = [queue.get_nowait() for _ in range(queue.qsize())]
    assert entries[-1] is None
    assert len(timeline.to_json()) == MAX_ENTRIES
    assert timeline.dropped > 0


def test_entries_name_things_as_people_do() -> None:
    """Prompts by their names, answers as answers."""
    assert describe(DialProgress(ChannelId("c"), "ANSWER")) == ("answered", "")
    assert describe(
        Done(Play(BridgeId("b"), PlaybackId("p"), ("sound:custom/hello", "sound:custom/alo")))
    ) == (
        "saying",
        "hello alo",
    )


# -------------------------------------------------------------------------------------------------------- ids


@given(
    st.from_regex(r"[A-Za-z0-9_-]{1,24}", fullmatch=True),
    st.integers(0, 2**44),
    st.sampled_from(Kind),
    st.none() | st.integers(0, 999_999),
)
def test_ids_are_short_and_can_be_taken_apart(engine: str, at_ms: int, kind: Kind, n: int | None) -> None:
    """At most 64 characters; engine, kind, call and number come back, also behind a Local channel's far half."""
    call = new_call_id(at_ms, random.Random(at_ms))
    text = resource_id(engine, kind, call, n)
    assert len(text) <= 64
    for half in ("", ";2"):
        parsed = parse_resource_id(text + half)
        assert parsed is not None
        assert (parsed.engine, parsed.kind, parsed.call, parsed.n, parsed.half) == (
            engine,
            kind,
            call,
            n,
            half,
        )
    assert (is_call_id(call), call_time_ms(call)) == (True, at_ms)


@given(st.lists(st.integers(0, 2**44), min_size=2, max_size=20))
def test_call_ids_sort_by_time(times: list[int]) -> None:
    """A list of calls by id is a list by time."""
    ids = [new_call_id(at_ms, random.Random(n)) for n, at_ms in enumerate(times)]
    assert [call_time_ms(each) for each in sorted(ids)] == sorted(times)


@given(st.text(max_size=70))
def test_a_strangers_id_is_nobodys(text: str) -> None:
    """Taking apart never raises; what we did not make is None, or reads back the same."""
    parsed = parse_resource_id(text)
    assert parsed is None or str(parsed) == text


# ------------------------------------------------------------------------------------------- who may do what


def calls_in(source: str) -> set[str]:
    """Names of everything that a source calls: `f(…)` as f, `a.b.f(…)` as b.f."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name):
                    names.add(name)
                case ast.Attribute(attr=name, value=ast.Attribute(attr=owner)):
                    names.add(f"{owner}.{name}")
                case ast.Attribute(attr=name, value=ast.Name(id=owner)):
                    names.add(f"{owner}.{name}")
                case _:
                    pass
    return names


def callers_of(*wanted: str) -> set[str]:
    """The modules that call one of these."""
    found = set()
    for path in [ROOT / "main.py", *(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))]:
        if calls_in(path.read_text(encoding="utf-8")) & set(wanted):
            found.add(str(path.relative_to(ROOT)))
    return found


def test_only_the_doer_dials_customers_and_only_the_store_makes_permits() -> None:
    """There is no other way to dial: one module speaks the dial operations, one constructs the permit."""
    assert callers_of("DialPermit") == {"core/store/permits.py"}
    product = {
        path for path in callers_of("channels.originate", "channels.dial") if not path.startswith("scripts/")
    }
    assert product == {"sessions/effects.py"}


@pytest.mark.parametrize(
    "thing", ["Engine", "SessionManager", "AriClient", "Recovery", "EventStream", "Chores"]
)
def test_the_heavy_things_are_made_in_one_place(thing: str) -> None:
    """Engine, client and manager are constructed in main and nowhere else; benches and checks talk to Asterisk alone."""
    makers = {
        path
        for path in callers_of(thing)
        if not path.startswith(("scripts/bench/", "integrations/checkup/", "scripts/commands/doctor.py"))
    }
    assert makers == {"main.py"}


def test_the_scanner_sees_a_planted_call() -> None:
    """The two tests above can fail."""
    assert {"DialPermit", "channels.dial"} <= calls_in("DialPermit(1)\nself.client.channels.dial('x')")


@pytest.mark.parametrize("table", [PHASES, LEG_STATES])
def test_states_only_go_forward(table: Mapping[Enum, frozenset[Enum]]) -> None:
    """No table has a way back: a call that ended, and a leg that is gone, stay so."""
    order = list(table)
    for state, following in table.items():
        assert all(order.index(each) > order.index(state) for each in following)
    assert table[order[-1]] == frozenset()
