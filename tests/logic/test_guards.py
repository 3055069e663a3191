"""The guard language: what each atom answers, what is refused and in which column."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logic.flow.errors import GuardError
from logic.flow.events import HeardKind
from logic.flow.guards import MAX_DEPTH, Direction, View, bounded_visits, holds, parse_guard

NAMES = {"state": frozenset({"hello", "listen", "a1"})}
QUIET = View(Direction.OUTBOUND)
BUSY = View(Direction.INBOUND, HeardKind.SPEECH, ("1", "#"), {"hello": 2, "listen": 3})


@pytest.mark.parametrize(
    ("text", "quiet", "busy"),
    [
        ("heard(speech)", False, True),
        ("heard(empty)", False, False),
        ("heard(failed)", False, False),
        ("not heard(speech)", True, False),
        ("pressed(any)", False, True),
        ("pressed(1)", False, True),
        ("pressed(2)", False, False),
        ("pressed(#)", False, True),
        ("pressed(*)", False, False),
        ("pressed(A)", False, False),
        ("visits(hello) == 2", False, True),
        ("visits(hello) != 2", True, False),
        ("visits(hello) < 2", True, False),
        ("visits(hello) <= 2", True, True),
        ("visits(hello) > 1", False, True),
        ("visits(hello) >= 3", False, False),
        ("visits(a1)==0", True, True),
        ("visits(hello) > -1", True, True),
        ('direction == "inbound"', False, True),
        ('direction != "inbound"', True, False),
        ('direction == "outbound"', True, False),
        ("heard(empty) or heard(speech) and not pressed(2)", False, True),
        ("(heard(empty) or heard(speech)) and pressed(2)", False, False),
        ("not not pressed(any)", False, True),
        ("not (heard(empty) or\n pressed(2))", True, True),
        ("heard ( speech )", False, True),
    ],
)
def test_a_guard_answers_what_it_asks(text: str, quiet: bool, busy: bool) -> None:
    """`and` binds closer than `or`, `not` closest; what has not happened yet is false or zero."""
    guard = parse_guard(text, NAMES)
    assert (holds(guard, QUIET), holds(guard, BUSY)) == (quiet, busy)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        # how it is written
        ("", "1 FS012 something must follow here"),
        ("heard(speech) and", "18 FS012 something must follow here"),
        ("and heard(speech)", "1 FS012 'and' cannot stand here; use heard, pressed, visits or direction"),
        ("heard(speech) pressed(1)", "15 FS012 'pressed' follows without 'and' or 'or'"),
        ("heard(speech) adn pressed(1)", "15 FS012 'adn' follows without 'and' or 'or'; did you mean 'and'?"),
        ("(heard(speech)", "15 FS012 ')' is missing for the '(' in column 1"),
        ("heard(speech", "13 FS012 ')' is missing for the '(' in column 6"),
        ("heard(speech))", "14 FS012 a parenthesis closes that was never opened"),
        ("heard", "6 FS012 'heard' needs parentheses, like heard(speech)"),
        ("heard()", "7 FS012 'heard' needs something in its parentheses"),
        ("heard(", "7 FS012 'heard' needs something in its parentheses"),
        ("heard(speech) && pressed(1)", "15 FS012 write and"),
        ("!heard(speech)", "1 FS012 write not"),
        ("visits(hello) = 1", "15 FS012 compare with =="),
        ("direction == 'inbound'", '14 FS012 put words in double quotes, like "inbound"'),
        ("direction == inbound", '14 FS012 put words in double quotes: "inbound"'),
        ('direction == "inbound', "14 FS012 a quote is not closed"),
        ("visits(hello) <", "16 FS012 something must follow here"),
        ("visits(hello) < 1234567890", "17 FS012 the number is too long"),
        ("visits(hello) < 1.5", "18 FS012 '.' has no meaning in a guard"),
        ("heard(spe\u00e9ch)", "10 FS012 'é' has no meaning in a guard"),
        # what it means
        ("herd(speech)", "1 FS011 'herd' is unknown; did you mean 'heard'?"),
        ("true", "1 FS011 'true' is unknown; use heard, pressed, visits or direction"),
        ("__import__(os)", "1 FS011 '__import__' is unknown; use heard, pressed, visits or direction"),
        ("heard(speach)", "7 FS011 'heard' does not know 'speach'; did you mean 'speech'?"),
        ("heard(1)", "7 FS011 'heard' does not know '1'; use speech, empty or failed"),
        ("pressed(12)", "9 FS011 'pressed' does not know '12'; did you mean '2'?"),
        ("heard(speech) == 1", "15 FS011 'heard' is already yes or no; leave out the comparison"),
        ("visits(hello)", "14 FS011 'visits' must be compared, with a number, like visits(hello) < 3"),
        ('visits(hello) < "1"', "17 FS011 'visits' is a number; compare it with one"),
        ("direction", "10 FS011 'direction' must be compared, like direction == \"inbound\""),
        ("direction(x)", "10 FS011 'direction' takes nothing in parentheses"),
        ('direction < "inbound"', "13 FS011 'direction' is a word; compare it with == or !="),
        ("direction == 1", "14 FS011 'direction' is a word; compare it with one"),
        ('direction == "inbund"', "14 FS011 'direction' is never 'inbund'; did you mean 'inbound'?"),
        # what does not exist
        ("visits(helo) < 1", "8 FS010 there is no state 'helo'; did you mean 'hello'?"),
        ("visits(zzz) < 1", "8 FS010 there is no state 'zzz'"),
    ],
)
def test_what_is_no_guard_is_refused_in_its_column(text: str, told: str) -> None:
    """Each sentence says what to write instead, and the column counts from 1."""
    with pytest.raises(GuardError) as caught:
        parse_guard(text, NAMES)
    assert f"{caught.value.column} {caught.value.code} {caught.value.sentence}" == told


def test_deep_nesting_is_refused_not_recursed() -> None:
    """Parentheses and nots up to the limit are read; beyond it they are an error, however many."""
    parse_guard("(" * MAX_DEPTH + "heard(speech)" + ")" * MAX_DEPTH, NAMES)
    for opening in ("(", "not ", "not ("):
        with pytest.raises(GuardError, match="nested deeper"):
            parse_guard(opening * 20_000 + "heard(speech)", NAMES)
    many = parse_guard(" or ".join(["heard(empty)"] * 5000), NAMES)
    assert holds(many, QUIET) is False


_PIECES = st.sampled_from(
    [
        *"()<>=!#*\"' .,-",
        "and",
        "or",
        "not",
        "heard",
        "pressed",
        "visits",
        "direction",
        "speech",
        "hello",
        "any",
        "1",
        "==",
    ]
)


@settings(max_examples=250, deadline=None)
@given(st.lists(_PIECES, max_size=14).map(" ".join) | st.text(max_size=30))
def test_any_text_is_a_guard_or_a_guard_error(text: str) -> None:
    """Nothing else is raised, the column lies within the text or just behind it, and what was read can be asked."""
    try:
        guard = parse_guard(text, NAMES)
    except GuardError as error:
        column, sentence = error.column, error.sentence
    else:
        assert isinstance(holds(guard, QUIET), bool)
        assert isinstance(holds(guard, BUSY), bool)
        return
    assert 1 <= column <= len(text) + 1
    assert sentence


_ATOM_TEXTS = ["heard(speech)", "heard(empty)", "pressed(any)", 'direction == "inbound"', "visits(hello) < 3"]
_GUARD = st.recursive(
    st.sampled_from(_ATOM_TEXTS),
    lambda inner: (
        inner.map(lambda part: f"not ({part})")
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) and ({pair[1]})")
        | st.tuples(inner, inner).map(lambda pair: f"({pair[0]}) or ({pair[1]})")
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(_GUARD, st.sampled_from([QUIET, BUSY]))
def test_guards_agree_with_python(text: str, view: View) -> None:
    """and, or, not mean what they mean in Python."""
    facts = {text: holds(parse_guard(text, NAMES), view) for text in _ATOM_TEXTS}
    python = text
    for atom, fact in facts.items():
        python = python.replace(atom, str(fact))
    assert holds(parse_guard(text, NAMES), view) is eval(python)  # noqa: S307 - made of True, False, and, or, not, ()


@pytest.mark.parametrize(
    ("text", "needs_few", "refusing_needs_few"),
    [
        ("visits(hello) < 3", {"hello"}, set()),
        ("visits(hello) == 3", {"hello"}, set()),
        ("visits(hello) >= 3", set(), {"hello"}),
        ("visits(hello) != 3", set(), {"hello"}),
        ("not visits(hello) > 3", {"hello"}, set()),
        ("visits(hello) < 3 and heard(speech)", {"hello"}, set()),
        ("visits(hello) < 3 or heard(speech)", set(), set()),
        ("visits(hello) < 3 or visits(hello) < 1 and heard(empty)", {"hello"}, set()),
        ("visits(hello) < 3 and visits(a1) < 2", {"hello", "a1"}, set()),
        ("visits(hello) >= 3 or heard(speech)", set(), {"hello"}),
        ("visits(hello) >= 3 and heard(speech)", set(), set()),
        ('direction == "inbound"', set(), set()),
    ],
)
def test_which_visits_a_guard_bounds(text: str, needs_few: set[str], refusing_needs_few: set[str]) -> None:
    """Only what must be small for the answer counts: every part of an and, the common part of an or."""
    guard = parse_guard(text, NAMES)
    assert bounded_visits(guard) == needs_few
    assert bounded_visits(guard, answer=False) == refusing_needs_few
