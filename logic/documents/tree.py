"""From YAML text to plain values, with the place of every key and value.

Less than YAML, on purpose: what a person meant as text stays text (`no`, `12:30`, `0123`, `+15550100123`), and what
makes a file mean something else than it shows (duplicate keys, anchors, aliases, tags, tabs, second documents) is
refused. The parser's events are put together here with a stack of our own, so no depth of nesting can exhaust Python's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import yaml

from logic.documents.problems import Place, Problem, YamlCode

MAX_CHARS: Final = 256 * 1024
MAX_DEPTH: Final = 32

Path = tuple[str | int, ...]
"""Where a value stands in the tree: keys and, in lists, positions from 0."""

_INT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})\.[0-9]{1,18}")
_WORDS: Final[dict[str, object]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}
_NOT_TEXT: Final = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what the YAML parser counts as a new line


@dataclass(frozen=True, slots=True)
class Document:
    """A file as values. `value` is None when there are problems."""

    file: str
    value: object
    problems: tuple[Problem, ...] = ()
    values: Mapping[Path, Place] = field(default_factory=dict)
    keys: Mapping[Path, Place] = field(default_factory=dict)
    texts: Mapping[Path, Place] = field(default_factory=dict)

    def place(self, path: Path) -> Place:
        """Where the value begins; where the nearest thing around it does when there is no such value."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(1, 1))

    def key_place(self, path: Path) -> Place:
        """Where the key of that value begins; for things without a key, where the value does."""
        return self.keys.get(path) or self.place(path)

    def text_place(self, path: Path, column: int) -> Place:
        """Where the character `column` (from 1) of a text stands. Folded and escaped texts answer with their beginning."""
        first = self.texts.get(path)
        return self.place(path) if first is None else Place(first.line, first.column + column - 1)


def read_document(text: str, file: str) -> Document:
    """Read a file. Raises nothing: what is wrong stands in `problems`."""
    reader = _Reader(text.removeprefix("\ufeff"), file)
    value = reader.read()
    problems = tuple(sorted(set(reader.problems)))
    return Document(file, None if problems else value, problems, reader.values, reader.keys, reader.texts)


class _Mark(Protocol):
    """Where the parser is; it counts from 0."""

    line: int
    column: int
    index: int


class _Stop(Exception):
    """Reading cannot go on; why stands in the problems."""


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet. `key` is set while a mapping waits for that key's value."""

    value: dict[str, object] | list[object]
    path: Path
    key: str | None = None


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.problems: list[Problem] = []
        self.values: dict[Path, Place] = {}
        self.keys: dict[Path, Place] = {}
        self.texts: dict[Path, Place] = {}
        self.open: list[_Open] = []
        self.root: list[object] = []

    def read(self) -> object:
        if len(self.text) > MAX_CHARS:
            self._say(Place(1, 1), YamlCode.TOO_MUCH, f"the file has more than {MAX_CHARS} characters")
            return None
        try:
            self._untab()
            self._parse()
        except _Stop:
            return None
        return self.root[0] if self.root else None

    def _say(self, place: Place, code: YamlCode, sentence: str) -> None:
        self.problems.append(Problem(self.file, place.line, place.column, code, sentence))

    def _untab(self) -> None:
        """Refuse tabs, one problem a line, and read on as if each were one space, so that columns stay true."""
        if "\t" not in self.text:
            return
        for number, line in enumerate(_BREAK.split(self.text), start=1):
            if "\t" in line:
                self._say(
                    Place(number, line.index("\t") + 1),
                    YamlCode.TAB,
                    "a tab; indent and separate with spaces",
                )
        self.text = self.text.replace("\t", " ")

    def _at(self, index: int) -> Place:
        before = _BREAK.split(self.text[:index])
        return Place(len(before), len(before[-1]) + 1)

    def _parse(self) -> None:
        seen = Place(1, 1)
        try:
            for event in yaml.parse(self.text, Loader=yaml.SafeLoader):
                seen = _place(event.start_mark)
                self._take(event, seen)
        except yaml.MarkedYAMLError as error:
            place = _place(error.problem_mark or error.context_mark)
            self._say(place, YamlCode.NOT_YAML, f"not YAML: {error.problem or error.context}")
            raise _Stop from None
        except yaml.reader.ReaderError as error:
            sentence = f"the character U+{ord(self.text[error.position]):04X} is not text"
            self._say(self._at(error.position), YamlCode.NOT_YAML, sentence)
            raise _Stop from None
        except (
            ValueError,
            OverflowError,
        ):  # the scanner lets chr() and int() speak for escapes and directives
            self._say(
                seen, YamlCode.NOT_YAML, "after this, an escape or a directive has a number out of range"
            )
            raise _Stop from None

    def _take(self, event: yaml.Event, place: Place) -> None:
        match event:
            case yaml.DocumentStartEvent():
                if self.root:
                    self._say(place, YamlCode.NOT_PLAIN, "a second document begins; keep one in a file")
                    raise _Stop
                if event.version or event.tags:
                    self._say(
                        place, YamlCode.NOT_PLAIN, "directives (%YAML, %TAG) are not used here; remove them"
                    )
            case yaml.AliasEvent():
                sentence = f"aliases (*{event.anchor}) are not used here; write the value out"
                self._say(place, YamlCode.NOT_PLAIN, sentence)
                self._put(None, place)
            case yaml.ScalarEvent():
                self._refuse_marks(event, place)
                self._scalar(event, place)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._refuse_marks(event, place)
                if len(self.open) >= MAX_DEPTH:
                    self._say(place, YamlCode.TOO_MUCH, f"nested deeper than {MAX_DEPTH}")
                    raise _Stop
                value: dict[str, object] | list[object] = (
                    {} if isinstance(event, yaml.MappingStartEvent) else []
                )
                self.open.append(_Open(value, self._put(value, place)))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.open.pop()
            case _:
                pass  # begin and end of stream and document

    def _refuse_marks(self, event: yaml.NodeEvent, place: Place) -> None:
        if event.anchor is not None:
            sentence = f"anchors (&{event.anchor}) are not used here; write the value out where it is needed"
            self._say(place, YamlCode.NOT_PLAIN, sentence)
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._say(place, YamlCode.NOT_PLAIN, f"tags ({tag}) are not used here; put text in quotes")

    def _scalar(self, event: yaml.ScalarEvent, place: Place) -> None:
        text: str = event.value
        if _NOT_TEXT.search(text):
            self._say(place, YamlCode.NOT_YAML, "a control character in a text; remove it or its escape")
        plain = not event.style
        if self._awaits_key():
            self._key(text, place)
            return
        path = self._put(_plain_value(text) if plain else text, place)
        raw = self._between(event.start_mark, event.end_mark)
        if raw == text:
            self.texts[path] = place
        elif raw[1:-1] == text and event.style in {"'", '"'}:
            self.texts[path] = Place(place.line, place.column + 1)

    def _between(self, begin: _Mark | None, end: _Mark | None) -> str:
        return "" if begin is None or end is None else self.text[begin.index : end.index]

    def _awaits_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is None

    def _key(self, key: str, place: Place) -> None:
        holder = self.open[-1]
        assert isinstance(holder.value, dict)
        path = (*holder.path, key)
        if key in holder.value:
            first = self.keys[path]
            sentence = f"the key '{key}' stands here twice, first on line {first.line}; keep one"
            self._say(place, YamlCode.DUPLICATE_KEY, sentence)
        self.keys.setdefault(path, place)
        holder.key = key

    def _put(self, value: object, place: Place) -> Path:
        """Give a value to what is open; returns where it stands."""
        if not self.open:
            self.root.append(value)
            path: Path = ()
        else:
            holder = self.open[-1]
            if isinstance(holder.value, list):
                path = (*holder.path, len(holder.value))
                holder.value.append(value)
            elif holder.key is None:
                self._say(place, YamlCode.NOT_PLAIN, "a key must be a plain word")
                raise _Stop
            else:
                path = (*holder.path, holder.key)
                holder.value[holder.key] = value
                holder.key = None
        self.values[path] = place
        return path


def _place(mark: _Mark | None) -> Place:
    return Place(1, 1) if mark is None else Place(mark.line + 1, mark.column + 1)


def _plain_value(text: str) -> object:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
