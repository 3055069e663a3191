"""The prompt book: what each recorded prompt says, who spoke it, and whether it discloses who is calling.

A prompt is a sound that Asterisk plays by name. Its words stand here so that a scenario can be checked, hashed and
read, and so that nobody has to listen to a file to know what callers are told.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from logic.documents.problems import DocumentErrors, Problem
from logic.documents.shape import ShapeCodes, check_shape
from logic.documents.tree import read_document
from logic.names import LocaleField, NameField

NO_WORDS: Final = "PR003"
_CODES: Final = ShapeCodes(unknown_key="PR001", wrong="PR002")

Made = Literal["synthesised", "recorded"]


class PromptErrors(DocumentErrors):
    """The prompt book was refused."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One prompt. `discloses` means: it says that a machine speaks, for whom, and why."""

    name: str
    text: Mapping[str, str]
    recorded_by: str
    made: Made
    discloses: bool = False

    def words(self, locale: str) -> str | None:
        """What it says in a locale, or in that locale's language; None when it cannot be said there."""
        return self.text.get(locale) or self.text.get(locale.partition("-")[0])


@dataclass(frozen=True, slots=True)
class PromptBook:
    """All prompts by name, in the order of the file."""

    prompts: Mapping[str, Prompt]

    def __contains__(self, name: object) -> bool:
        return name in self.prompts

    def get(self, name: str) -> Prompt | None:
        """The prompt of that name, or None."""
        return self.prompts.get(name)

    def words(self, name: str, locale: str) -> str | None:
        """What a prompt says in a locale; None when there is no such prompt, or no such words."""
        prompt = self.prompts.get(name)
        return None if prompt is None else prompt.words(locale)

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, in the order of the file."""
        return tuple(self.prompts)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    text: dict[LocaleField, Annotated[str, Field(max_length=2000)]]
    recorded_by: Annotated[str, Field(min_length=1, max_length=200)]
    made: Made
    discloses: Annotated[bool, Field(strict=True)] = False


class _Book(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    prompts: dict[NameField, _Entry]


def load_prompts(text: str, file: str) -> PromptBook:
    """Read a prompt book. Raises PromptErrors with everything that is wrong in it."""
    document = read_document(text, file)
    book, problems = check_shape(document, _Book, _CODES)
    if book is None:
        raise PromptErrors(problems)
    silent = []
    for name, entry in book.prompts.items():
        if not entry.text:
            place = document.place(("prompts", name, "text"))
            silent.append(
                Problem(file, place.line, place.column, NO_WORDS, f"the prompt '{name}' has no words")
            )
        for locale, words in entry.text.items():
            if not words.strip():
                place = document.place(("prompts", name, "text", locale))
                sentence = f"the prompt '{name}' has no words in {locale}"
                silent.append(Problem(file, place.line, place.column, NO_WORDS, sentence))
    if silent:
        raise PromptErrors(silent)
    return PromptBook(
        MappingProxyType(
            {
                name: Prompt(
                    name, MappingProxyType(dict(entry.text)), entry.recorded_by, entry.made, entry.discloses
                )
                for name, entry in book.prompts.items()
            }
        )
    )
