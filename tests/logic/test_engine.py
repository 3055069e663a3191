"""The engine: each kind of state on its good and its bad way, the whole of marketing, and what no order of events may do."""

import itertools
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from logic.flow.compiled import CompiledFlow
from logic.flow.effects import Effect, End, Record, Say, SetOutcome
from logic.flow.engine import MAX_KEYS, NOT_DISCLOSED, FlowState, Phase, start, step
from logic.flow.errors import FlowErrors, StateRefused
from logic.flow.events import CallEnded, CallStarted, FlowEvent, Heard, HeardKind, Pressed, Said
from logic.flow.guards import KEYS, Direction
from logic.outcomes import Outcome
from tests.logic.flows import flow_of, shipped_marketing

MARKETING = shipped_marketing()

EVERY_KIND = flow_of(
    """\
start: mark
limits: {max_turns: 5}
states:
  mark: {kind: set, outcome: hung_up, next: hello}
  hello: {kind: say, say: [hello, alo], next: listen}
  listen: {kind: record, max_s: 5, silence_s: 1.5, next: judge, on_failed: lost}
  judge:
    kind: branch
    routes:
      - {when: heard(speech) and pressed(1), goto: both}
      - {when: heard(speech), goto: hello}
      - {when: 'direction == "inbound"', goto: quiet}
    otherwise: bye
  both: {kind: set, outcome: interested, next: bye}
  lost: {kind: end, outcome: hung_up}
  quiet: {kind: end, say: [goodby], outcome: silent}
  bye: {kind: end, say: [goodby]}
"""
)

SPEECH, EMPTY, FAILED = HeardKind.SPEECH, HeardKind.EMPTY, HeardKind.FAILED


def run(
    events: list[FlowEvent], direction: Direction = Direction.OUTBOUND
) -> tuple[FlowState, list[tuple[Effect, ...]]]:
    """Feed events to a new conversation of EVERY_KIND; return where it came to and the effects of each event."""
    state = start(EVERY_KIND, direction)
    given_out = []
    for event in events:
        state, effects = step(EVERY_KIND, state, event)
        given_out.append(effects)
    return state, given_out


# ----------------------------------------------------------------------------------- each kind of state


def test_nothing_is_done_before_the_call_has_started() -> None:
    """Answers and keys before CallStarted mean nothing; a second CallStarted means nothing either."""
    state, effects = run([Said(0), Said(1), Heard(1, SPEECH), Pressed("1")])
    assert state == start(EVERY_KIND, Direction.OUTBOUND)
    assert effects == [(), (), (), ()]
    state, effects = run([CallStarted(), CallStarted()])
    assert effects == [(SetOutcome(Outcome.HUNG_UP), Say(1, ("hello", "alo"))), ()]


def test_set_is_passed_at_once_and_say_waits() -> None:
    """The start state is a set: its outcome is given, then the prompts of the next one, in order."""
    state, effects = run([CallStarted()])
    assert effects == [(SetOutcome(Outcome.HUNG_UP), Say(1, ("hello", "alo")))]
    assert (state.phase, state.at, state.turn, state.awaiting) == (Phase.SAYING, "hello", 1, 1)
    assert state.outcome is Outcome.HUNG_UP
    assert state.visits == (("hello", 1), ("mark", 1))


def test_say_goes_on_when_it_was_heard() -> None:
    """What was said leads to the next state."""
    state, effects = run([CallStarted(), Said(1)])
    assert effects[-1] == (Record(2, 5.0, 1.5),)
    assert (state.phase, state.awaiting, state.disclosed) == (Phase.LISTENING, 2, True)


def test_say_goes_on_when_it_could_not_be_heard_once_the_disclosure_was() -> None:
    """Standing still would be worse, and whoever listens knows who calls."""
    state, effects = run([CallStarted(), Said(1), Heard(2, SPEECH), Said(3, ok=False)])
    assert effects[-1] == (Record(4, 5.0, 1.5),)
    assert state.phase is Phase.LISTENING


def test_nobody_is_recorded_before_a_disclosure_was_heard() -> None:
    """The disclosing words could not be played: the conversation ends instead of listening."""
    state, effects = run([CallStarted(), Said(1, ok=False)])
    assert effects[-1] == (End(NOT_DISCLOSED),)
    assert state.phase is Phase.ENDED


def test_record_that_succeeds_goes_on() -> None:
    """To `next`, through the branch behind it, to the next state that waits."""
    state, effects = run([CallStarted(), Said(1), Heard(2, SPEECH)])
    assert effects[-1] == (Say(3, ("hello", "alo")),)
    assert state.heard is SPEECH
    assert dict(state.visits) == {"mark": 1, "hello": 2, "listen": 1, "judge": 1}


def test_record_that_fails_goes_where_failures_go() -> None:
    """An end without words sets its outcome and ends in the same step."""
    state, effects = run([CallStarted(), Said(1), Heard(2, FAILED)])
    assert effects[-1] == (SetOutcome(Outcome.HUNG_UP), End("lost"))
    assert (state.phase, state.at, state.awaiting, state.is_over) == (Phase.ENDED, "lost", None, True)


def test_branch_takes_the_first_way_that_holds_else_otherwise() -> None:
    """Order decides; direction and keys are seen."""
    _, effects = run([CallStarted(), Said(1), Pressed("1"), Heard(2, SPEECH)])
    assert effects[-1] == (SetOutcome(Outcome.INTERESTED), Say(3, ("goodby",)))
    _, effects = run([CallStarted(), Said(1), Heard(2, EMPTY)])
    assert effects[-1] == (Say(3, ("goodby",)),)
    _, effects = run([CallStarted(), Said(1), Heard(2, EMPTY)], Direction.INBOUND)
    assert effects[-1] == (SetOutcome(Outcome.SILENT), Say(3, ("goodby",)))


def test_an_end_with_words_speaks_first_and_ends_once() -> None:
    """End comes after Said, and after End nothing comes, whatever still arrives."""
    events: list[FlowEvent] = [CallStarted(), Said(1), Heard(2, EMPTY), Said(3)]
    late: list[FlowEvent] = [
        Said(3),
        Heard(2, SPEECH),
        Pressed("1"),
        CallStarted(),
        CallEnded(),
        Heard(3, SPEECH),
    ]
    ended, effects = run(events)
    assert effects[-1] == (End("bye"),)
    state, effects = run([*events, *late])
    assert effects[-len(late) :] == [()] * len(late)
    assert state == ended


def test_late_and_foreign_answers_change_nothing() -> None:
    """An answer counts once, for its own turn, and only of the kind that was asked for."""
    before, _ = run([CallStarted(), Said(1)])
    for event in (
        Said(1),
        Said(2),
        Said(3),
        Heard(1, SPEECH),
        Heard(3, SPEECH),
        Heard(-1, EMPTY),
        CallStarted(),
    ):
        after, effects = step(EVERY_KIND, before, event)
        assert after is before
        assert effects == ()


def test_keys_count_from_the_last_say_on() -> None:
    """Pressed while we speak and while we listen; forgotten when we speak again; other signs are no keys."""
    state, _ = run(
        [CallStarted(), Pressed("5"), Said(1), Pressed("#"), Pressed("x"), Pressed("12"), Pressed("")]
    )
    assert state.pressed == ("5", "#")
    state, _ = step(EVERY_KIND, state, Heard(2, SPEECH))
    assert (state.turn, state.pressed) == (3, ())


def test_only_so_many_keys_are_kept() -> None:
    """Someone who leans on the keypad fills no memory."""
    state, _ = run([CallStarted(), Pressed("1"), *[Pressed("2")] * 100])
    assert state.pressed == ("2",) * MAX_KEYS


def test_turns_are_counted_and_the_limit_ends_the_call() -> None:
    """Five turns are allowed here; the sixth is not begun, and the reason says so."""
    events: list[FlowEvent] = [CallStarted(), Said(1), Heard(2, SPEECH), Said(3), Heard(4, SPEECH), Said(5)]
    state, effects = run(events)
    assert effects[-1] == (End("max_turns"),)
    assert (state.phase, state.turn) == (Phase.ENDED, 5)


def test_the_goodbye_of_an_end_is_not_counted() -> None:
    """Who has used up the turns still hears the goodbye that the author wrote for this end."""
    flow = flow_of(
        "limits: {max_turns: 2}\nstart: hello\nstates:\n"
        "  hello: {kind: say, say: [hello], next: listen}\n"
        "  listen: {kind: record, next: bye}\n"
        "  bye: {kind: end, say: [goodby]}\n"
    )
    state = start(flow, Direction.OUTBOUND)
    for event in (CallStarted(), Said(1)):
        state, _ = step(flow, state, event)
    _, effects = step(flow, state, Heard(2, EMPTY))
    assert effects == (Say(3, ("goodby",)),)


def test_hangup_while_we_speak() -> None:
    """The conversation is over without an effect, and nothing that comes later matters."""
    state, effects = run([CallStarted(), CallEnded(), Said(1), Pressed("1"), CallEnded()])
    assert effects[1:] == [(), (), (), ()]
    assert (state.phase, state.awaiting, state.is_over) == (Phase.GONE, None, True)


def test_hangup_while_we_listen_and_the_last_words_arrive() -> None:
    """The last recording is taken note of, once, and nothing is said about it."""
    state, effects = run([CallStarted(), Said(1), CallEnded()])
    assert (effects[-1], state.phase, state.awaiting) == ((), Phase.GONE, 2)
    heard, effect = step(EVERY_KIND, state, Heard(2, SPEECH))
    assert (effect, heard.phase, heard.heard, heard.awaiting) == ((), Phase.GONE, SPEECH, None)
    again, effect = step(EVERY_KIND, heard, Heard(2, EMPTY))
    assert again is heard
    assert effect == ()


def test_hangup_before_the_call_started() -> None:
    """A call that ends before it began never begins."""
    state, effects = run([CallEnded(), CallStarted()])
    assert effects == [(), ()]
    assert state.phase is Phase.GONE


def test_the_state_of_another_flow_is_refused() -> None:
    """That is a mistake of the program, not of the caller."""
    with pytest.raises(ValueError, match="a state of 'f' cannot go on in 'marketing'"):
        step(MARKETING, start(EVERY_KIND, Direction.OUTBOUND), CallStarted())


def test_a_state_is_a_value() -> None:
    """Frozen, comparable, hashable; variables are kept in one order."""
    one = start(EVERY_KIND, Direction.OUTBOUND, {"b": 1, "a": "x"})
    assert one == start(EVERY_KIND, Direction.OUTBOUND, {"a": "x", "b": 1})
    assert hash(one) == hash(start(EVERY_KIND, Direction.OUTBOUND, {"a": "x", "b": 1}))
    with pytest.raises(FrozenInstanceError):
        one.turn = 7  # type: ignore[misc]


# ------------------------------------------------------------------------------------ marketing, as shipped


def shown(event: FlowEvent) -> str:
    """One event, as the transcript writes it."""
    match event:
        case Said(turn, ok):
            return f"< said {turn}" + ("" if ok else " (not heard)")
        case Heard(turn, kind):
            return f"< heard {turn} {kind.value}"
        case Pressed(digit):
            return f"< pressed {digit}"
        case CallStarted():
            return "< call started"
        case CallEnded():
            return "< call ended"


def shown_effect(effect: Effect) -> str:
    """One effect, as the transcript writes it."""
    match effect:
        case Say(turn, prompts):
            return f"> say {turn} {' '.join(prompts)}"
        case Record(turn, max_s, silence_s):
            return f"> record {turn} up to {max_s:g} s, {silence_s:g} s of silence"
        case SetOutcome(outcome):
            return f"> outcome {outcome.value}"
        case End(reason):
            return f"> end {reason}"


def transcript(*events: FlowEvent) -> str:
    """What goes in and comes out of marketing."""
    state = start(MARKETING, Direction.OUTBOUND)
    lines = []
    for event in events:
        lines.append(shown(event))
        state, effects = step(MARKETING, state, event)
        state = FlowState.from_json(state.to_json(), MARKETING)  # every step survives being stored
        lines += map(shown_effect, effects)
    return "\n".join(lines)


def test_marketing_someone_speaks() -> None:
    """hello, listen, goodbye; it counts as completed."""
    assert (
        transcript(CallStarted(), Said(1), Heard(2, SPEECH), Said(3), CallEnded())
        == """\
< call started
> say 1 hello
< said 1
> record 2 up to 10 s, 2 s of silence
< heard 2 speech
> outcome completed
> say 3 goodby
< said 3
> end goodbye
< call ended"""
    )


def test_marketing_silence_is_asked_about_once_then_counts_as_silent() -> None:
    """C-07: an empty recording on a living line is no hangup."""
    assert (
        transcript(CallStarted(), Said(1), Heard(2, EMPTY), Said(3), Heard(4, EMPTY), Said(5))
        == """\
< call started
> say 1 hello
< said 1
> record 2 up to 10 s, 2 s of silence
< heard 2 empty
> say 3 alo
< said 3
> record 4 up to 10 s, 2 s of silence
< heard 4 empty
> outcome silent
> say 5 goodby
< said 5
> end goodbye"""
    )


def test_marketing_a_slow_starter_is_still_heard() -> None:
    """Who answers after `alo` has answered."""
    lines = transcript(
        CallStarted(), Said(1), Heard(2, EMPTY), Said(3), Heard(4, SPEECH), Said(5)
    ).splitlines()
    assert lines[-4:] == ["> outcome completed", "> say 5 goodby", "< said 5", "> end goodbye"]


@pytest.mark.parametrize("kind", [EMPTY, FAILED])
def test_marketing_a_key_is_an_answer(kind: HeardKind) -> None:
    """Whatever the recording holds: the key was heard by Asterisk, not by the recording."""
    lines = transcript(CallStarted(), Pressed("1"), Said(1), Heard(2, kind), Said(3)).splitlines()
    assert lines[-4:] == ["> outcome completed", "> say 3 goodby", "< said 3", "> end goodbye"]


def test_marketing_claims_nothing_when_the_recording_failed() -> None:
    """Nobody knows whether they spoke: goodbye, and no outcome."""
    assert (
        transcript(CallStarted(), Said(1), Heard(2, FAILED), Said(3))
        == """\
< call started
> say 1 hello
< said 1
> record 2 up to 10 s, 2 s of silence
< heard 2 failed
> say 3 goodby
< said 3
> end goodbye"""
    )


def test_marketing_hangup_in_the_middle_claims_nothing() -> None:
    """No outcome and no word after the other side has gone, though the last recording still comes."""
    lines = transcript(CallStarted(), Said(1), CallEnded(), Heard(2, SPEECH)).splitlines()
    assert lines[-2:] == ["< call ended", "< heard 2 speech"]
    assert not any(line.startswith(("> outcome", "> end")) for line in lines)


# ------------------------------------------------------------------------------------- whatever may come

_TURN = st.integers(-1, 9)
_EVENT: st.SearchStrategy[FlowEvent] = st.one_of(
    st.just(CallStarted()),
    st.builds(Said, _TURN, st.booleans()),
    st.builds(Heard, _TURN, st.sampled_from(HeardKind)),
    st.builds(Pressed, st.sampled_from(KEYS) | st.text(max_size=2)),
    st.just(CallEnded()),
)
_FLOW = st.sampled_from([MARKETING, EVERY_KIND])


@st.composite
def _likely(draw: st.DrawFn) -> list[FlowEvent]:
    """Events that mostly answer what was asked, with late, doubled and foreign ones in between."""
    events: list[FlowEvent] = [CallStarted()]
    for turn in range(1, draw(st.integers(1, 9))):
        answer: FlowEvent = Said(turn) if turn % 2 else Heard(turn, draw(st.sampled_from(HeardKind)))
        other: FlowEvent = Heard(turn, draw(st.sampled_from(HeardKind))) if turn % 2 else Said(turn)
        events += [
            *draw(st.lists(_EVENT, max_size=1)),
            answer,
            *draw(st.sampled_from([[], [answer], [other]])),
        ]
    return events


@settings(max_examples=200, deadline=None)
@given(_FLOW, st.sampled_from(Direction), st.lists(_EVENT, max_size=25) | _likely())
def test_no_order_of_events_breaks_what_always_holds(
    flow: CompiledFlow, direction: Direction, events: list[FlowEvent]
) -> None:
    """Nothing raises; at most one End and nothing after it; nothing after the hangup; turns rise by one; the limit holds.

    Run again, and stored and resumed at every step, it gives the same.
    """
    state = again = start(flow, direction, {"name": "Ann", "n": 3, "known": True})
    over = False
    turns = 0
    for event in events:
        before = state
        state, effects = step(flow, state, event)
        assert step(flow, before, event) == (state, effects)
        again, effects_again = step(flow, FlowState.from_json(again.to_json(), flow), event)
        assert (again, effects_again) == (state, effects)

        assert not (over and effects)
        spoken = [effect for effect in effects if isinstance(effect, Say | Record)]
        assert len(spoken) <= 1
        for effect in spoken:
            turns += 1
            assert effect.turn == turns == state.turn == state.awaiting
            assert effects[-1] is effect
        ends = [effect for effect in effects if isinstance(effect, End)]
        assert len(ends) <= 1
        assert bool(ends) == (state.phase is Phase.ENDED and before.phase is not Phase.ENDED)
        if ends:
            assert effects[-1] is ends[0]
        over = over or bool(ends) or isinstance(event, CallEnded)
        assert over == state.is_over
        assert sum(count for _, count in state.visits) <= 1 + 4 * len(events)
    assert turns <= (flow.limits.max_turns or 0) + 1


_NAMES = ["s0", "s1", "s2"]
_GUARDS = ["visits(%s) < 2", "heard(empty) and visits(%s) < 3", "visits(%s) < 3", "heard(speech)"]


@st.composite
def _circling(draw: st.DrawFn) -> str:
    """A scenario of a few questions that lead to each other, with guards of all sorts."""
    where = st.sampled_from(["bye", *_NAMES])
    routes = ", ".join(
        f"{{when: heard(speech), goto: {name}}}" for name in _NAMES
    )  # so that all are reachable
    lines = [
        "start: hello",
        "states:",
        "  hello: {kind: say, say: [hello], next: open}",
        f"  open: {{kind: branch, routes: [{routes}], otherwise: {draw(st.sampled_from(_NAMES))}}}",
        "  bye: {kind: end}",
    ]
    for name in _NAMES:
        lines.append(f"  {name}: {{kind: record, next: after_{name}}}")
        lines.append(f"  after_{name}:\n    kind: branch\n    routes:")
        for _ in range(draw(st.integers(1, 2))):
            guard = draw(st.sampled_from(_GUARDS)).replace("%s", draw(st.sampled_from(_NAMES)))
            lines.append(f"      - {{when: {guard}, goto: {draw(where)}}}")
        lines.append(f"    otherwise: {draw(st.sampled_from(['bye', 'bye', 'bye', *_NAMES]))}")
    return "\n".join(lines) + "\n"


@settings(max_examples=200, deadline=None)
@given(_circling(), st.lists(st.sampled_from(HeardKind), min_size=1, max_size=3))
def test_what_the_checks_let_through_always_ends(body: str, people: list[HeardKind]) -> None:
    """FS022 holds what it says: without any limit on turns, whatever people answer, an end of the scenario is reached."""
    try:
        flow = flow_of(body)
    except FlowErrors:
        note("refused")
        return
    note("let through")
    state, effects = step(flow, start(flow, Direction.OUTBOUND), CallStarted())
    for kind in itertools.islice(itertools.cycle(people), 500):
        if state.is_over:
            break
        answer = Said(state.turn) if state.phase is Phase.SAYING else Heard(state.turn, kind)
        state, effects = step(flow, state, answer)
    assert effects[-1] == End("bye")


# ------------------------------------------------------------------------------------ stored and resumed


def test_a_stored_state_carries_its_flow() -> None:
    """Id and hash stand in the text, and the rest comes back equal."""
    state = start(MARKETING, Direction.INBOUND, {"name": "Ann", "n": 3, "known": True})
    state, _ = step(MARKETING, state, CallStarted())
    text = state.to_json()
    assert '"flow_id":"marketing"' in text
    assert MARKETING.flow_hash in text
    back = FlowState.from_json(text, MARKETING)
    assert back == state
    assert dict(back.variables) == {"name": "Ann", "n": 3, "known": True}
    assert isinstance(dict(back.variables)["known"], bool)


def test_a_stored_state_of_another_flow_or_version_is_refused() -> None:
    """Another id, or the same id with other content."""
    text = start(EVERY_KIND, Direction.OUTBOUND).to_json()
    with pytest.raises(StateRefused, match=r"the state belongs to 'f' .{12}, not to 'marketing' .{12}"):
        FlowState.from_json(text, MARKETING)
    with pytest.raises(StateRefused, match="belongs to"):
        FlowState.from_json(text.replace(EVERY_KIND.flow_hash, "0" * 64), EVERY_KIND)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", ""),
        ('"turn":2', '"turn":"two"'),
        ('"turn":2', '"turn":5'),
        ('"awaiting":2', '"awaiting":null'),
        ('"phase":"listening"', '"phase":"dancing"'),
        ('"phase":"listening"', '"phase":"saying"'),
        ('"phase":"listening"', '"phase":"new"'),
        ('"phase":"listening"', '"phase":"ended"'),
        ('"at":"listen"', '"at":"hello"'),
        ('"at":"listen"', '"at":"nowhere"'),
        ('"form":1', '"form":2'),
        ('"direction":"outbound"', '"direction":"sideways"'),
    ],
)
def test_a_damaged_state_is_refused(old: str, new: str) -> None:
    """What could not have been stored by us is not resumed."""
    state = start(MARKETING, Direction.OUTBOUND)
    for event in (CallStarted(), Said(1)):
        state, _ = step(MARKETING, state, event)
    text = state.to_json()
    assert FlowState.from_json(text, MARKETING) == state
    assert old in text
    with pytest.raises(StateRefused):
        FlowState.from_json(text.replace(old, new, 1), MARKETING)


@settings(deadline=None)
@given(st.text(max_size=40) | st.binary(max_size=40))
def test_any_text_is_a_state_or_refused(text: str | bytes) -> None:
    """Nothing but StateRefused is raised."""
    with pytest.raises(StateRefused):
        FlowState.from_json(text, MARKETING)
