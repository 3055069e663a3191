"""Scenario files: what is read, what each check refuses and where, and what the hash covers."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logic.documents.problems import YamlCode
from logic.flow.compiled import BranchState, EndState, Limits, RecordState, SayState, SetState
from logic.flow.errors import Code, FlowErrors
from logic.flow.loader import load_flow
from logic.flow.spec import MAX_STATES, FlowSpec
from logic.outcomes import Outcome
from logic.prompts import load_prompts
from tests.logic.flows import BOOK, HEADER, ROOT, flow_of, shipped_prompts, wrong_with

GOOD = """\
start: hello
states:
  hello: {kind: say, say: [hello], next: listen}
  listen: {kind: record, next: judge, on_failed: bye}
  judge:
    kind: branch
    routes:
      - {when: heard(speech), goto: good}
    otherwise: bye
  good: {kind: set, outcome: completed, next: bye}
  bye: {kind: end, say: [goodby]}
"""


def test_a_good_flow_is_compiled_whole() -> None:
    """Every kind of state, with its defaults filled in."""
    flow = flow_of(GOOD)
    assert (flow.id, flow.version, flow.locale, flow.purpose) == ("f", "1.0.0", "en", "test")
    assert (flow.owner, flow.change_note, flow.file, flow.start) == (None, None, "f.yaml", "hello")
    assert flow.limits == Limits(max_call_s=600, max_turns=None)
    assert flow.prompts == ("hello", "goodby")
    assert flow.states["hello"] == SayState("hello", ("hello",), "listen")
    assert flow.states["listen"] == RecordState("listen", 10.0, 2.0, "judge", "bye")
    judge = flow.states["judge"]
    assert isinstance(judge, BranchState)
    assert [(route.text, route.goto) for route in judge.routes] == [("heard(speech)", "good")]
    assert judge.otherwise == "bye"
    assert flow.states["good"] == SetState("good", Outcome.COMPLETED, "bye")
    assert flow.states["bye"] == EndState("bye", ("goodby",), None)
    with pytest.raises(TypeError):
        flow.states["x"] = flow.states["bye"]  # type: ignore[index]


def test_a_record_state_fails_to_where_it_goes_on_when_nothing_else_is_said() -> None:
    """`on_failed` is optional."""
    listen = flow_of(GOOD.replace(", on_failed: bye", "")).states["listen"]
    assert isinstance(listen, RecordState)
    assert listen.on_failed == "judge"


SETTABLE_LISTED = (
    "use callback, completed, connected_to_operator, emergency, hung_up, interested, left_before_operator, machine, "
    "not_interested, opted_out, silent, voicemail_left or wrong_number"
)

# ---------------------------------------------------------------------------- FS001 and FS002: the form


def test_fs001_unknown_keys_are_told_with_what_was_meant() -> None:
    """In the header, in limits, in a state, in a route; all at once, each in its place."""
    body = """\
ownr: me
start: hello
limits: {max_turn: 3}
states:
  hello: {kind: say, say: [hello], nxt: bye}
  judge: {kind: branch, routes: [{when: heard(speech), goto: bye, set: x}], otherwise: bye}
  bye: {kind: end, next: hello}
"""
    assert wrong_with(body) == [
        "f.yaml:6:1: FS001 unknown key 'ownr'; did you mean 'owner'?",
        "f.yaml:8:10: FS001 unknown key 'max_turn'; did you mean 'max_turns'?",
        "f.yaml:10:3: FS002 'hello' needs 'next'",
        "f.yaml:10:36: FS001 unknown key 'nxt'; did you mean 'next'?",
        "f.yaml:11:67: FS001 unknown key 'set'; known here: when, goto",
        "f.yaml:12:20: FS001 unknown key 'next'; known here: kind, say, outcome",
    ]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("{kind: say, say: [hello]", "{say: [hello]", "8:3: FS002 'hello' needs 'kind': say, record, branch, set or end"),
        ("kind: say", "kind: sai", "8:17: FS002 kind 'sai' is unknown; did you mean 'say'?"),
        ("kind: say", "kind: 7", "8:17: FS002 kind '7' is unknown; use say, record, branch, set or end"),
        ("say: [hello]", "say: hello", "8:27: FS002 'say' must be a list, like [one, two]"),
        ("say: [hello]", "say: []", "8:27: FS002 'say' must not be empty"),
        ("say: [hello]", "say: [7]", "8:28: FS002 number 1 of 'say' must be text; put it in quotes"),
        ("next: judge", "next: judge, max_s: 11", "9:46: FS002 'max_s' is too large; use 10 or less"),
        ("next: judge", "next: judge, max_s: 0.5", "9:46: FS002 'max_s' is too small; use 1 or more"),
        ("next: judge", 'next: judge, silence_s: "2"', "9:50: FS002 'silence_s' must be a number, like 2.5"),
        ("next: judge", "next: judge, silence_s: true", "9:50: FS002 'silence_s' must be a number, like 2.5"),
        ("next: judge", "next: ", "9:31: FS002 'next' is empty; write its value"),
        ("next: judge", "next: [judge]", "9:32: FS002 'next' must be text"),
        ("    routes:\n      - {when: heard(speech), goto: good}", "    routes: []", "12:13: FS002 'routes' must not be empty"),
        ("    otherwise: bye\n", "", "10:3: FS002 'judge' needs 'otherwise'"),
        ("when: heard(speech)", 'when: ""', "13:16: FS002 'when' must not be empty"),
        ("when: heard(speech)", "when: true", "13:16: FS002 'when' must be text; put it in quotes"),
        ("outcome: completed", "outcome: complete", "15:30: FS002 'outcome' cannot be 'complete'; did you mean 'completed'?"),
        ("outcome: completed", "outcome: busy", f"15:30: FS002 'outcome' cannot be 'busy', which is not for a scenario to say; {SETTABLE_LISTED}"),
        ("outcome: completed", "outcome: [a]", f"15:30: FS002 'outcome' cannot be 'no text'; {SETTABLE_LISTED}"),
        ("hello: {kind", "Hello!: {kind", "8:3: FS002 'Hello!' is no name here; use lower-case letters, digits and _, a letter first, at most 64"),
        ("good: {kind", "max_turns: {kind", "15:3: FS002 'max_turns' is a word of the engine's own; name the state otherwise"),
        ("start: hello", "start: 0123", "6:8: FS002 'start' is no name here; use lower-case letters, digits and _, a letter first, at most 64"),
        ("start: hello\n", "", "1:1: FS002 the file needs 'start'"),
        ("states:", "limits: {max_turns: 2.5}\nstates:", "7:21: FS002 'max_turns' must be a whole number, like 3"),
        ("states:", "limits: {max_turns: 0}\nstates:", "7:21: FS002 'max_turns' is too small; use 1 or more"),
        ("states:", "limits: 7\nstates:", "7:9: FS002 'limits' must hold keys and values"),
        ("states:", "owner: no\nchange_note: 12:30\nchange_note: x\nstates:", "9:1: YA002 the key 'change_note' stands here twice, first on line 8; keep one"),
    ],
)  # fmt: skip
def test_fs002_what_does_not_fit_is_told_where_it_stands(old: str, new: str, told: str) -> None:
    """Kinds, types, ranges, names, missing keys: a sentence a person can act on."""
    assert GOOD.count(old) >= 1
    assert f"f.yaml:{told}" in wrong_with(GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("flowspec: 1", "flowspec: 2", "1:11: FS002 'flowspec' must be 1"),
        ("id: f", "id: 7", "2:5: FS002 'id' must be text; put it in quotes"),
        ("version: 1.0.0", "version: 1.0", "3:10: FS002 'version' must be text; put it in quotes"),
        ("version: 1.0.0", "version: 1.0.x", "3:10: FS002 'version' is no version; write it like 1.0.0"),
        ("locale: en", "locale: no", ""),
        ("locale: en", "locale: English", "4:9: FS002 'locale' is no locale; write it like en or en-US"),
    ],
)
def test_fs002_in_the_header(old: str, new: str, told: str) -> None:
    """The header is checked like the rest; Norwegian is a language, not a boolean."""
    found = wrong_with(GOOD, HEADER.replace(old, new))
    if told:
        assert found == [f"f.yaml:{told}"]
    else:
        assert (
            found[0]
            == "f.yaml:8:28: FS010 the prompt 'hello' has no words in no; add them to the prompt book"
        )


def test_too_many_states_are_refused() -> None:
    """A file that no person wrote is not checked for minutes."""
    states = "".join(f"  s{n}: {{kind: say, say: [hello], next: s{n + 1}}}\n" for n in range(MAX_STATES))
    body = f"start: s0\nstates:\n{states}  s{MAX_STATES}: {{kind: end}}\n"
    assert wrong_with(body) == [f"f.yaml:8:3: FS002 'states' is too long; at most {MAX_STATES} are allowed"]


def test_a_file_that_is_no_flow_says_so() -> None:
    """Empty files, lists and text are refused with one sentence."""
    assert wrong_with("", "") == ["f.yaml:1:1: FS002 the file is empty"]
    assert wrong_with("- a\n", "") == ["f.yaml:1:1: FS002 the file must hold keys and values"]


# ------------------------------------------------------------------- FS010, FS011, FS012: names and guards


def test_fs010_names_that_lead_nowhere() -> None:
    """States and prompts, in every place where one may be named, all told at once."""
    body = """\
start: helo
states:
  hello: {kind: say, say: [hello, godby], next: lissen}
  listen: {kind: record, next: judge, on_failed: by}
  judge:
    kind: branch
    routes:
      - {when: visits(lissten) < 2, goto: goood}
    otherwise: buy
  good: {kind: set, outcome: completed, next: xyz}
  bye: {kind: end, say: [salam]}
"""
    assert wrong_with(body) == [
        "f.yaml:6:8: FS010 there is no state 'helo'; did you mean 'hello'?",
        "f.yaml:8:35: FS010 there is no prompt 'godby' in the prompt book; did you mean 'goodby'?",
        "f.yaml:8:49: FS010 there is no state 'lissen'; did you mean 'listen'?",
        "f.yaml:9:50: FS010 there is no state 'by'; did you mean 'bye'?",
        "f.yaml:13:23: FS010 there is no state 'lissten'; did you mean 'listen'?",
        "f.yaml:13:43: FS010 there is no state 'goood'; did you mean 'good'?",
        "f.yaml:14:16: FS010 there is no state 'buy'; did you mean 'bye'?",
        "f.yaml:15:47: FS010 there is no state 'xyz'",
        "f.yaml:16:26: FS010 the prompt 'salam' has no words in en; add them to the prompt book",
    ]


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("herd(speech)", "13:16: FS011 'herd' is unknown; did you mean 'heard'?"),
        ("'heard(speech) and visits(listen)'", "13:49: FS011 'visits' must be compared, with a number, like visits(hello) < 3"),
        ('"heard(speech) and"', "13:34: FS012 something must follow here"),
        ("heard(speech) or or", "13:33: FS012 'or' cannot stand here; use heard, pressed, visits or direction"),
        ('"direction == \\"here\\""', "13:16: FS011 'direction' is never 'here'; use inbound or outbound"),
    ],
)  # fmt: skip
def test_fs011_fs012_guards_are_refused_in_their_column(when: str, told: str) -> None:
    """The column is that of the file, also inside quotes; with escapes it is the beginning of the guard."""
    assert wrong_with(GOOD.replace("heard(speech)", when)) == [f"f.yaml:{told}"]


# ------------------------------------------------------------------------------- FS020, FS021, FS022: ways


def test_fs020_a_state_that_nothing_leads_to() -> None:
    """Also one that is only reached from another such."""
    body = GOOD + "  lost: {kind: say, say: [alo], next: found}\n  found: {kind: end}\n"
    assert wrong_with(body) == [
        "f.yaml:17:3: FS020 nothing leads from 'hello' to 'lost'; lead somewhere to it or remove it",
        "f.yaml:18:3: FS020 nothing leads from 'hello' to 'found'; lead somewhere to it or remove it",
    ]


def test_fs021_a_state_that_cannot_end() -> None:
    """Told for each state that is caught, even when a limit would cut it off."""
    body = GOOD.replace("states:", "limits: {max_turns: 9}\nstates:").replace("goto: good", "goto: trap")
    body = body.replace(
        "good: {kind: set, outcome: completed, next: bye}", "trap: {kind: say, say: [alo], next: trap2}"
    )
    body += "  trap2: {kind: record, next: trap}\n"
    assert wrong_with(body) == [
        "f.yaml:16:3: FS021 no end can be reached from 'trap'",
        "f.yaml:18:3: FS021 no end can be reached from 'trap2'",
    ]


def test_fs021_a_flow_without_any_end() -> None:
    """One sentence, not one for every state."""
    body = "start: hello\nstates:\n  hello: {kind: say, say: [hello], next: hello}\n"
    assert wrong_with(body) == ["f.yaml:7:1: FS021 no state ends the call; add one of kind end"]


def test_fs022_a_circle_in_which_nobody_waits() -> None:
    """Branches and sets alone must not go round, whatever their guards and limits say."""
    body = """\
start: hello
limits: {max_turns: 5}
states:
  hello: {kind: say, say: [hello], next: a}
  a: {kind: branch, routes: [{when: visits(a) < 3, goto: b}], otherwise: bye}
  b: {kind: set, outcome: completed, next: a}
  bye: {kind: end}
"""
    assert wrong_with(body) == [
        "f.yaml:10:3: FS022 a -> b -> a goes in a circle in which nobody speaks or listens"
    ]


LOOP = """\
start: hello
states:
  hello: {kind: say, say: [hello], next: listen}
  listen: {kind: record, next: judge}
  judge:
    kind: branch
    routes:
      - {when: heard(speech), goto: bye}
      - {when: GUARD, goto: again}
    otherwise: bye
  again: {kind: say, say: [alo], next: listen}
  bye: {kind: end}
"""


def test_fs022_a_circle_without_a_bound() -> None:
    """People may be silent for ever."""
    (told,) = wrong_with(LOOP.replace("GUARD", "heard(empty)"))
    assert told == (
        "f.yaml:9:3: FS022 listen -> judge -> again -> listen may go on for ever; "
        "let a route need visits(listen) < 3, or set max_turns in limits"
    )


@pytest.mark.parametrize(
    "guard",
    [
        "visits(listen) < 3",
        "visits(again) <= 2",
        "visits(judge) == 1",
        "heard(empty) and visits(again) < 3",
        "not (visits(again) >= 3 or heard(failed))",
    ],
)
def test_fs022_a_guard_on_visits_is_a_bound(guard: str) -> None:
    """Whenever the guard can hold only so often, and each time round counts."""
    flow_of(LOOP.replace("GUARD", guard))


@pytest.mark.parametrize(
    "guard",
    ["visits(hello) < 3", "visits(again) > 3", "visits(again) < 3 or heard(empty)", "not visits(again) < 3"],
)
def test_fs022_a_guard_that_bounds_nothing_is_no_bound(guard: str) -> None:
    """Visits of a state outside the circle do not grow in it; an `or` opens another way."""
    assert "FS022" in wrong_with(LOOP.replace("GUARD", guard))[0]


def test_fs022_an_exit_that_comes_first_is_a_bound() -> None:
    """`visits(...) >= 3` that leads out bounds every way behind it, `otherwise` too."""
    body = LOOP.replace("{when: GUARD, goto: again}", "{when: visits(listen) >= 3, goto: bye}")
    flow_of(body.replace("otherwise: bye", "otherwise: again"))


def test_fs022_one_bounded_circle_does_not_excuse_another() -> None:
    """A bound counts for the circles that pass the state it counts, and for no others."""
    body = """\
start: hello
states:
  hello: {kind: say, say: [hello], next: judge}
  judge:
    kind: branch
    routes:
      - {when: heard(speech), goto: bye}
      - {when: visits(once) < 3, goto: many}
    otherwise: bye
  many: {kind: branch, routes: [{when: heard(empty), goto: once}], otherwise: often}
  once: {kind: say, say: [alo], next: judge}
  often: {kind: record, next: judge}
  bye: {kind: end}
"""
    (told,) = wrong_with(body)
    assert told.startswith("f.yaml:9:3: FS022 judge -> many -> often -> judge may go on for ever; ")


def test_fs022_max_turns_is_a_bound() -> None:
    """A limit on turns bounds every circle that takes turns."""
    flow_of(LOOP.replace("GUARD", "heard(empty)").replace("states:", "limits: {max_turns: 9}\nstates:"))


# --------------------------------------------------------------------------------------- FS070: disclosure


def test_fs070_recording_before_disclosing() -> None:
    """On any way from the start, also one around the greeting."""
    body = """\
start: who
states:
  who: {kind: branch, routes: [{when: 'direction == "inbound"', goto: listen}], otherwise: hello}
  hello: {kind: say, say: [hello], next: listen}
  listen: {kind: record, next: bye}
  bye: {kind: end}
"""
    assert wrong_with(body) == [
        "f.yaml:10:3: FS070 'listen' records before a prompt with 'discloses: true' was spoken"
    ]


@pytest.mark.parametrize(
    ("first", "told"),
    [
        ("hello: {kind: say, say: [alo], next: bye}", "8:22: FS070 'hello' speaks first"),
        ("hello: {kind: set, outcome: silent, next: bye}", "9:20: FS070 'bye' speaks first"),
    ],
)
def test_fs070_the_first_words_must_disclose(first: str, told: str) -> None:
    """Also where the first words are the last ones."""
    body = f"start: hello\nstates:\n  {first}\n  bye: {{kind: end, say: [goodby]}}\n"
    (found,) = wrong_with(body)
    assert found.startswith(f"f.yaml:{told}")
    assert found.endswith("say first who calls, that it is a machine, and why")


def test_fs070_any_of_the_first_prompts_may_disclose_and_silence_need_not() -> None:
    """A greeting of two prompts is one greeting; hanging up without a word records nobody."""
    flow_of(GOOD.replace("say: [hello]", "say: [alo, hello]"))
    flow_of("start: bye\nstates:\n  bye: {kind: end, outcome: silent}\n")


def test_every_code_has_an_example_here() -> None:
    """A check without a failing example is a check nobody has seen work. FS003 stands with the registry."""
    source = Path(__file__).read_text("utf-8")
    assert [code for code in Code if code.value not in source] == []


# ------------------------------------------------------------------------------------------------ the hash


def test_the_hash_covers_content_and_words_and_nothing_else() -> None:
    """Comments, quotes, order and written-out defaults do not change it; names, numbers and words do."""
    flow = flow_of(GOOD)
    same = GOOD.replace("next: judge", "max_s: 10, silence_s: 2.0, next: 'judge' ").replace(
        "start: hello\n", ""
    )
    assert flow_of(same + "# a comment\nstart: hello\n").flow_hash == flow.flow_hash
    assert len(flow.flow_hash) == 64
    assert flow_of(GOOD.replace("next: judge", "max_s: 9, next: judge")).flow_hash != flow.flow_hash
    assert flow_of(GOOD, HEADER.replace("1.0.0", "1.0.1")).flow_hash != flow.flow_hash

    prompts = "prompts:\n" + "".join(
        f"  {name}: {{text: {{en: {json.dumps(words)}}}, recorded_by: us, made: synthesised, discloses: true}}\n"
        for name, words in {
            "hello": BOOK.words("hello", "en"),
            "goodby": "Goodbye.",
            "alo": "Changed!",
        }.items()
    )
    unused = load_flow(HEADER + GOOD, "other.yaml", load_prompts(prompts, "p.yaml"))
    assert unused.flow_hash == flow.flow_hash
    used = load_flow(HEADER + GOOD, "f.yaml", load_prompts(prompts.replace("Goodbye.", "Bye."), "p.yaml"))
    assert used.flow_hash != flow.flow_hash


def test_the_schema_can_be_drawn_for_editors() -> None:
    """The models describe themselves as JSON schema, with the outcomes a scenario may set."""
    schema = json.dumps(FlowSpec.model_json_schema())
    assert '"completed"' in schema
    assert '"congestion"' not in schema
    assert '"propertyName": "kind"' in schema


def test_the_example_for_authors_passes() -> None:
    """What docs/scenarios.md shows can be copied and run, and it explains every code."""
    text = (ROOT / "docs/scenarios.md").read_text("utf-8")
    example = text.split("```yaml\n")[1].split("```")[0]
    assert load_flow(example, "docs/scenarios.md", shipped_prompts()).id == "survey"
    assert [code for code in [*Code, *YamlCode] if code.value not in text] == []


_LINES = (HEADER + GOOD).splitlines(keepends=True)


@settings(deadline=None)
@given(st.data())
def test_a_damaged_file_is_loaded_or_refused_and_nothing_else(data: st.DataObject) -> None:
    """Lines dropped, doubled, swapped, characters changed: FlowErrors with places inside the file, or a flow."""
    lines = list(_LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "double", "swap", "change"])):
            case "drop":
                lines.pop(at)
            case "double":
                lines.insert(at, lines[at])
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case _:
                where = data.draw(st.integers(0, len(lines[at])))
                lines[at] = lines[at][:where] + data.draw(st.text(max_size=3)) + lines[at][where + 1 :]
    text = "".join(lines)
    try:
        flow = load_flow(text, "f.yaml", BOOK)
    except FlowErrors as error:
        problems = error.problems
    else:
        assert flow.start in flow.states
        return
    assert problems
    assert all(problem.line >= 1 and problem.column >= 1 and problem.sentence for problem in problems)
