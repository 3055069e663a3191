"""YAML is read strictly: text stays text, nothing means something else than it shows, and every place is right."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from logic.documents.problems import Place, did_you_mean, listed
from logic.documents.tree import MAX_CHARS, MAX_DEPTH, Document, read_document


def wrong(text: str) -> list[str]:
    """What is wrong with a text that must be refused."""
    document = read_document(text, "d.yaml")
    assert document.value is None
    assert document.problems
    return [str(problem) for problem in document.problems]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("12:30", "12:30"),
        ("0123", "0123"),
        ("+15550100123", "+15550100123"),
        ("0x1f", "0x1f"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("1e3", "1e3"),
        (".inf", ".inf"),
        (".nan", ".nan"),
        ("2024-01-01", "2024-01-01"),
        ("1.0.0", "1.0.0"),
        ("=", "="),
        ("9" * 19, "9" * 19),
        ("9" * 5000, "9" * 5000),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("0", 0),
        ("-7", -7),
        ("9" * 18, int("9" * 18)),
        ("2.50", 2.5),
        ("'no'", "no"),
        ('"7"', "7"),
        ('"true"', "true"),
    ],
)
def test_text_stays_text(text: str, value: object) -> None:
    """Only true, false, null and plain decimal numbers are anything but text."""
    document = read_document(f"key: {text}\n", "d.yaml")
    assert document.problems == ()
    assert document.value == {"key": value}
    assert isinstance(document.value, dict)
    assert type(document.value["key"]) is type(value)


def test_keys_are_always_text() -> None:
    """A key that looks like a number or a boolean is the word that was written."""
    assert read_document("no: 1\n7: 2\ntrue: 3\n", "d.yaml").value == {"no": 1, "7": 2, "true": 3}


def test_places_are_those_an_editor_shows() -> None:
    """Keys, values and the characters inside quotes are found again, counted from 1."""
    document = read_document(
        "\ufeffa:\n  - b: 'it''s'\n    c: \"two words\"\n    d: plain # note\n", "d.yaml"
    )
    assert document.value == {"a": [{"b": "it's", "c": "two words", "d": "plain"}]}
    assert document.key_place(("a", 0, "c")) == Place(3, 5)
    assert document.place(("a", 0, "c")) == Place(3, 8)
    assert document.text_place(("a", 0, "c"), 5) == Place(3, 13)
    assert document.text_place(("a", 0, "d"), 1) == Place(4, 8)
    assert document.text_place(("a", 0, "b"), 3) == Place(2, 8)  # escaped: its beginning
    assert document.place(("a", 0, "nothing")) == Place(2, 5)
    assert document.key_place(("a", 0)) == Place(2, 5)
    assert document.place(("elsewhere",)) == Place(1, 1)


def test_folded_text_answers_with_its_beginning() -> None:
    """In a text over several lines no column is invented."""
    document = read_document("a: >-\n  one\n  two\n", "d.yaml")
    assert document.value == {"a": "one two"}
    assert document.text_place(("a",), 6) == Place(1, 4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "a: 1\nb: 2\na: 3\n",
            ["d.yaml:3:1: YA002 the key 'a' stands here twice, first on line 1; keep one"],
        ),
        (
            "a: {b: 1, b: 2}\n",
            ["d.yaml:1:11: YA002 the key 'b' stands here twice, first on line 1; keep one"],
        ),
        (
            "a: &x 1\nb: *x\n",
            [
                "d.yaml:1:4: YA003 anchors (&x) are not used here; write the value out where it is needed",
                "d.yaml:2:4: YA003 aliases (*x) are not used here; write the value out",
            ],
        ),
        (
            "a: !!str 1\n",
            ["d.yaml:1:4: YA003 tags (tag:yaml.org,2002:str) are not used here; put text in quotes"],
        ),
        ("a: !x [1]\n", ["d.yaml:1:4: YA003 tags (!x) are not used here; put text in quotes"]),
        (
            "%YAML 1.1\n---\na: 1\n",
            ["d.yaml:1:1: YA003 directives (%YAML, %TAG) are not used here; remove them"],
        ),
        ("a: 1\n---\nb: 1\n", ["d.yaml:2:1: YA003 a second document begins; keep one in a file"]),
        ("? [a, b]\n: 1\n", ["d.yaml:1:3: YA003 a key must be a plain word"]),
        (
            "a:\n\tb: 1\n  #\t\n",
            [
                "d.yaml:2:1: YA004 a tab; indent and separate with spaces",
                "d.yaml:3:4: YA004 a tab; indent and separate with spaces",
            ],
        ),
        ("a: [1\n", ["d.yaml:2:1: YA001 not YAML: expected ',' or ']', but got '<stream end>'"]),
        ("a: b: c\n", ["d.yaml:1:5: YA001 not YAML: mapping values are not allowed here"]),
        ("a: 1\nb: \x00\n", ["d.yaml:2:4: YA001 the character U+0000 is not text"]),
        ("a: \ud800\n", ["d.yaml:1:4: YA001 the character U+D800 is not text"]),
        ('a: "\\0"\n', ["d.yaml:1:4: YA001 a control character in a text; remove it or its escape"]),
        ('a: "\\ud800"\n', ["d.yaml:1:4: YA001 a control character in a text; remove it or its escape"]),
        (
            'a: "\\UFFFFFFFF"\n',
            ["d.yaml:1:1: YA001 after this, an escape or a directive has a number out of range"],
        ),
        ("x" * (MAX_CHARS + 1), [f"d.yaml:1:1: YA005 the file has more than {MAX_CHARS} characters"]),
    ],
)
def test_what_is_not_plain_is_refused_where_it_stands(text: str, told: list[str]) -> None:
    """Duplicate keys, anchors, aliases, tags, directives, tabs and control characters each have a sentence."""
    assert wrong(text) == told


@pytest.mark.parametrize(
    "bomb", ["[" * 50_000, "{a: " * 40_000, "- " * 100_000, "? " * 50_000, "[[[[\n" * 20_000]
)
def test_depth_bombs_are_refused_early(bomb: str) -> None:
    """No nesting exhausts the stack or the time: reading stops at the limit."""
    told = wrong(bomb)
    assert len(told) == 1
    assert "YA005" in told[0] or "YA003" in told[0]


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit itself is allowed."""
    assert read_document("[" * MAX_DEPTH + "]" * MAX_DEPTH, "d.yaml").problems == ()
    assert read_document("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), "d.yaml").problems != ()


def test_an_empty_file_holds_nothing() -> None:
    """Empty, and only comments, is the value None without problems: the shape says what is missing."""
    assert read_document("", "d.yaml") == Document("d.yaml", None)
    assert read_document("# nothing\n", "d.yaml").value is None


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.characters(), max_size=60)
    | st.text(alphabet="ab:-{}[],&*!%|>'\"#?\n \t\\0uU~", max_size=60)
)
def test_any_text_is_a_document_or_has_problems(text: str) -> None:
    """Whatever is in a file, reading it raises nothing."""
    document = read_document(text, "d.yaml")
    assert document.value is None or document.problems == ()


_PLAIN = st.recursive(
    st.text(alphabet="abcXYZ 09:.-_äß'\"#", max_size=12)
    | st.integers(-(10**17), 10**17)
    | st.booleans()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(_PLAIN)
def test_what_another_writer_wrote_is_read_back(value: object) -> None:
    """Values dumped by PyYAML, with all text quoted, come back the same."""
    quoted = yaml.safe_dump(value, default_style=None, allow_unicode=True)
    if any(style in quoted for style in ("&", "!", "<<")):
        return
    assert read_document(quoted, "d.yaml").value == value


def test_suggestions_and_lists_read_well() -> None:
    """Near names are offered, far ones are not; lists of one and none are sentences, too."""
    assert did_you_mean("goodbay", ["goodbye", "hello"]) == "; did you mean 'goodbye'?"
    assert did_you_mean("xyz", ["goodbye"]) == ""
    assert listed(["a", "b", "c"]) == "a, b or c"
    assert listed(["a"]) == "a"
    assert listed([]) == "nothing"
