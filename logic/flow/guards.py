"""The language of guards: yes-or-no questions about the call, asked where a scenario branches.

    guard := or      or := and ("or" and)*      and := not ("and" not)*      not := "not" not | atom
    atom  := NAME "(" ARGUMENT ")" | NAME ["(" ARGUMENT ")"] CMP (INT | STRING) | "(" guard ")"

`TRUTHS`, `COUNTS` and `TEXTS` say which atoms there are, what each takes and what it may be compared with; a new atom is
one more line there. Everything is checked when a guard is read, so that asking can never fail.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, assert_never

from logic.documents.problems import did_you_mean, listed
from logic.flow.errors import Code, GuardError
from logic.flow.events import HeardKind

MAX_DEPTH: Final = 32
KEYS: Final = (*"0123456789*#ABCD",)
"""The keys of a telephone."""


class Direction(StrEnum):
    """Who called whom."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class View:
    """What guards can see of a call. `pressed` holds the keys since the last Say began, oldest first."""

    direction: Direction
    heard: HeardKind | None = None
    pressed: tuple[str, ...] = ()
    visits: Mapping[str, int] | None = None


# --------------------------------------------------------------------------------------------- the atoms


@dataclass(frozen=True, slots=True)
class OneOf:
    """An argument out of a closed list."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Declared:
    """An argument that the scenario declares, such as a state. `what` is the word for it, and the key in `names`."""

    what: str


Argument = OneOf | Declared | None


@dataclass(frozen=True, slots=True)
class Truth:
    """An atom that is true or false by itself."""

    takes: Argument
    read: Callable[[View, str], bool]


@dataclass(frozen=True, slots=True)
class Count:
    """An atom that is a number, to be compared."""

    takes: Argument
    read: Callable[[View, str], int]


@dataclass(frozen=True, slots=True)
class Text:
    """An atom that is one of a few words, to be compared with == or !=."""

    takes: Argument
    values: tuple[str, ...]
    read: Callable[[View, str], str]


def _heard(view: View, kind: str) -> bool:
    return view.heard is not None and view.heard.value == kind


def _pressed(view: View, key: str) -> bool:
    return bool(view.pressed) if key == "any" else key in view.pressed


def _visits(view: View, state: str) -> int:
    return (view.visits or {}).get(state, 0)


def _direction(view: View, _: str) -> str:
    return view.direction.value


TRUTHS: Final[Mapping[str, Truth]] = {
    "heard": Truth(OneOf(tuple(HeardKind)), _heard),
    "pressed": Truth(OneOf((*KEYS, "any")), _pressed),
}
COUNTS: Final[Mapping[str, Count]] = {
    "visits": Count(Declared("state"), _visits),
}
TEXTS: Final[Mapping[str, Text]] = {
    "direction": Text(None, tuple(Direction), _direction),
}
_ATOMS: Final[Mapping[str, Truth | Count | Text]] = {**TRUTHS, **COUNTS, **TEXTS}

# ------------------------------------------------------------------------------------------- the meaning


class Cmp(StrEnum):
    """How two things are compared."""

    EQ = "=="
    NE = "!="
    LT = "<"
    LE = "<="
    GT = ">"
    GE = ">="


_OPPOSITE: Final = {
    Cmp.EQ: Cmp.NE,
    Cmp.NE: Cmp.EQ,
    Cmp.LT: Cmp.GE,
    Cmp.GE: Cmp.LT,
    Cmp.GT: Cmp.LE,
    Cmp.LE: Cmp.GT,
}


@dataclass(frozen=True, slots=True)
class Or:
    """True when one part is."""

    parts: tuple["Guard", ...]


@dataclass(frozen=True, slots=True)
class And:
    """True when every part is."""

    parts: tuple["Guard", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when its part is not."""

    part: "Guard"


@dataclass(frozen=True, slots=True)
class Holds:
    """A `Truth` atom."""

    atom: str
    argument: str


@dataclass(frozen=True, slots=True)
class CountIs:
    """A `Count` atom compared with a number."""

    atom: str
    argument: str
    cmp: Cmp
    value: int


@dataclass(frozen=True, slots=True)
class TextIs:
    """A `Text` atom compared with a word; `cmp` is == or !=."""

    atom: str
    argument: str
    cmp: Cmp
    value: str


Guard = Or | And | Not | Holds | CountIs | TextIs


def holds(guard: Guard, view: View) -> bool:
    """Answer a guard that `parse_guard` made. Never raises."""
    match guard:
        case Or(parts):
            return any(holds(part, view) for part in parts)
        case And(parts):
            return all(holds(part, view) for part in parts)
        case Not(part):
            return not holds(part, view)
        case Holds(atom, argument):
            return TRUTHS[atom].read(view, argument)
        case CountIs(atom, argument, cmp, value):
            return _compare(COUNTS[atom].read(view, argument), cmp, value)
        case TextIs(atom, argument, cmp, word):
            return (TEXTS[atom].read(view, argument) == word) is (cmp is Cmp.EQ)
        case _:
            assert_never(guard)


def _compare(left: int, cmp: Cmp, right: int) -> bool:
    match cmp:
        case Cmp.EQ:
            return left == right
        case Cmp.NE:
            return left != right
        case Cmp.LT:
            return left < right
        case Cmp.LE:
            return left <= right
        case Cmp.GT:
            return left > right
        case Cmp.GE:
            return left >= right


def bounded_visits(guard: Guard, *, answer: bool = True) -> frozenset[str]:
    """The states whose number of visits must be small for the guard to give this answer.

    Visits only grow, so a way that needs few visits to a state can be taken only so often when each time leads past it.
    """
    match guard:
        case CountIs("visits", state, cmp, _):
            cmp = cmp if answer else _OPPOSITE[cmp]
            return frozenset({state}) if cmp in {Cmp.LT, Cmp.LE, Cmp.EQ} else frozenset()
        case Not(part):
            return bounded_visits(part, answer=not answer)
        case Or(parts) | And(parts):
            found = [bounded_visits(part, answer=answer) for part in parts]
            all_needed = isinstance(guard, And) is answer
            return frozenset.union(*found) if all_needed else frozenset.intersection(*found)
        case Holds() | CountIs() | TextIs():
            return frozenset()
        case _:
            assert_never(guard)


# ------------------------------------------------------------------------------------------- the reading

_TOKEN: Final = re.compile(
    r"""
    (?P<space>[ \n]+)
  | (?P<string>"[^"\n]*")
  | (?P<cmp>==|!=|<=|>=|<|>)
  | (?P<int>-?[0-9]+)
  | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<mark>[()*\#])
    """,
    re.VERBOSE | re.ASCII,
)
_HINTS: Final = {
    "=": "compare with ==",
    "'": 'put words in double quotes, like "inbound"',
    '"': "a quote is not closed",
    "&": "write and",
    "|": "write or",
    "!": "write not",
}
_JOINTS: Final = ("and", "or", "not")
_MAX_INT_CHARS: Final = 9


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse_guard(text: str, names: Mapping[str, frozenset[str]]) -> Guard:
    """Read a guard. `names` holds what the scenario declares, by the word for it: `{"state": {"hello", ...}}`.

    Raises GuardError, with the column, for anything that is not a guard or asks for what does not exist.
    """
    return _Parser(_tokens(text), names).whole()


def _tokens(text: str) -> list[_Token]:
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            char = text[position]
            raise GuardError(_HINTS.get(char, f"'{char}' has no meaning in a guard"), position + 1)
        kind = match.lastgroup or ""
        if kind != "space":
            found.append(_Token(kind, match[0], position + 1))
        position = match.end()
    found.append(_Token("end", "", len(text) + 1))
    return found


class _Parser:
    def __init__(self, tokens: list[_Token], names: Mapping[str, frozenset[str]]) -> None:
        self.tokens = tokens
        self.names = names
        self.position = 0
        self.depth = 0

    @property
    def here(self) -> _Token:
        return self.tokens[self.position]

    def take(self) -> _Token:
        token = self.here
        if token.kind != "end":
            self.position += 1
        return token

    def whole(self) -> Guard:
        guard = self.any_of()
        token = self.here
        if token.kind == "end":
            return guard
        if token.text == ")":
            raise GuardError("a parenthesis closes that was never opened", token.column)
        hint = did_you_mean(token.text, _JOINTS) if token.kind == "word" else ""
        raise GuardError(f"'{token.text}' follows without 'and' or 'or'{hint}", token.column)

    def any_of(self) -> Guard:
        parts = [self.all_of()]
        while self.here.text == "or":
            self.take()
            parts.append(self.all_of())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def all_of(self) -> Guard:
        parts = [self.negated()]
        while self.here.text == "and":
            self.take()
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def negated(self) -> Guard:
        token = self.here
        if token.text not in {"not", "("}:
            return self.atom()
        self.take()
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise GuardError(f"nested deeper than {MAX_DEPTH}", token.column)
        guard: Guard
        if token.text == "not":
            guard = Not(self.negated())
        else:
            guard = self.any_of()
            self.close(token)
        self.depth -= 1
        return guard

    def close(self, opened: _Token) -> None:
        if self.here.text != ")":
            raise GuardError(f"')' is missing for the '(' in column {opened.column}", self.here.column)
        self.take()

    def atom(self) -> Guard:
        token = self.take()
        if token.kind == "end":
            raise GuardError("something must follow here", token.column)
        if token.kind != "word" or token.text in _JOINTS:
            raise GuardError(f"'{token.text}' cannot stand here; use {listed(_ATOMS)}", token.column)
        if token.text not in _ATOMS:
            near = did_you_mean(token.text, (*_ATOMS, *_JOINTS)) or f"; use {listed(_ATOMS)}"
            raise GuardError(f"'{token.text}' is unknown{near}", token.column, Code.GUARD_TYPE)
        kind = _ATOMS[token.text]
        argument = self.argument(token, kind.takes)
        match kind:
            case Truth():
                if self.here.kind == "cmp":
                    sentence = f"'{token.text}' is already yes or no; leave out the comparison"
                    raise GuardError(sentence, self.here.column, Code.GUARD_TYPE)
                return Holds(token.text, argument)
            case Count():
                cmp, value = self.comparison(token, "with a number, like visits(hello) < 3")
                if value.kind != "int":
                    raise GuardError(
                        f"'{token.text}' is a number; compare it with one", value.column, Code.GUARD_TYPE
                    )
                if len(value.text) > _MAX_INT_CHARS:
                    raise GuardError("the number is too long", value.column)
                return CountIs(token.text, argument, cmp, int(value.text))
            case Text(values=values):
                cmp, value = self.comparison(token, f'like {token.text} == "{values[0]}"')
                return TextIs(token.text, argument, cmp, self.word(token, cmp, value, values))
            case _:
                assert_never(kind)

    def argument(self, name: _Token, takes: Argument) -> str:
        if takes is None:
            if self.here.text == "(":
                raise GuardError(
                    f"'{name.text}' takes nothing in parentheses", self.here.column, Code.GUARD_TYPE
                )
            return ""
        known = takes.words if isinstance(takes, OneOf) else tuple(sorted(self.names.get(takes.what, ())))
        opened = self.here
        if opened.text != "(":
            like = "(...)" if not known else f"({known[0]})"
            raise GuardError(f"'{name.text}' needs parentheses, like {name.text}{like}", opened.column)
        self.take()
        given = self.take()
        if given.kind not in {"word", "int"} and given.text not in {"*", "#"}:
            raise GuardError(f"'{name.text}' needs something in its parentheses", given.column)
        if given.text not in known:
            if isinstance(takes, Declared):
                sentence = f"there is no {takes.what} '{given.text}'{did_you_mean(given.text, known)}"
                raise GuardError(sentence, given.column, Code.UNDECLARED)
            near = did_you_mean(given.text, known) or f"; use {listed(known)}"
            raise GuardError(
                f"'{name.text}' does not know '{given.text}'{near}", given.column, Code.GUARD_TYPE
            )
        self.close(opened)
        return given.text

    def comparison(self, name: _Token, like: str) -> tuple[Cmp, _Token]:
        cmp = self.here
        if cmp.kind != "cmp":
            raise GuardError(f"'{name.text}' must be compared, {like}", cmp.column, Code.GUARD_TYPE)
        self.take()
        value = self.take()
        if value.kind == "end":
            raise GuardError("something must follow here", value.column)
        return Cmp(cmp.text), value

    def word(self, name: _Token, cmp: Cmp, value: _Token, values: tuple[str, ...]) -> str:
        if cmp not in {Cmp.EQ, Cmp.NE}:
            raise GuardError(
                f"'{name.text}' is a word; compare it with == or !=", value.column, Code.GUARD_TYPE
            )
        if value.kind == "word":
            raise GuardError(f'put words in double quotes: "{value.text}"', value.column)
        if value.kind != "string":
            raise GuardError(f"'{name.text}' is a word; compare it with one", value.column, Code.GUARD_TYPE)
        word = value.text[1:-1]
        if word not in values:
            near = did_you_mean(word, values) or f"; use {listed(values)}"
            raise GuardError(f"'{name.text}' is never '{word}'{near}", value.column, Code.GUARD_TYPE)
        return word
