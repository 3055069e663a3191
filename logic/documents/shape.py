"""Holds a document against a pydantic model and says what does not fit in sentences, at the place where it stands.

Works for any model made of models, lists, mappings and unions told apart by one key, so new kinds of steps need
nothing here.
"""

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from logic.documents.problems import Problem, did_you_mean, listed
from logic.documents.tree import Document, Path

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ShapeCodes:
    """The codes under which problems are told: for a key nobody knows, and for everything else."""

    unknown_key: str
    wrong: str


def check_shape(
    document: Document, model: type[Model], codes: ShapeCodes
) -> tuple[Model | None, tuple[Problem, ...]]:
    """Return the document as a model, or None and what is wrong. A document with problems of its own gives those."""
    if document.problems:
        return None, document.problems
    if not isinstance(document.value, dict):
        place = document.place(())
        sentence = "the file is empty" if document.value is None else "the file must hold keys and values"
        return None, (Problem(document.file, place.line, place.column, codes.wrong, sentence),)
    try:
        return model.model_validate(document.value), ()
    except ValidationError as error:
        told = [details for details in error.errors(include_url=False) if not _is_echo(details)]
        found = [_problem(document, model, codes, details) for details in told]
        return None, tuple(sorted(set(found)))


def _is_echo(details: ErrorDetails) -> bool:
    """Whether a list is called too short only because items in it were refused, which is told of them."""
    given = details["input"]
    return details["type"] == "too_short" and isinstance(given, list | dict) and len(given) > 0


def _problem(document: Document, model: type[BaseModel], codes: ShapeCodes, details: ErrorDetails) -> Problem:
    path, around, expected = _follow(model, details["loc"])
    code = codes.wrong
    name = str(path[-1]) if path else ""
    match details["type"]:
        case "extra_forbidden":
            code = codes.unknown_key
            place = document.key_place(path)
            known = () if around is None else tuple(around.model_fields)
            missing = tuple(key for key in known if key not in _mapping_at(document, path[:-1]))
            near = did_you_mean(name, missing) or did_you_mean(name, known)
            sentence = f"unknown key '{name}'{near or _known_keys(known)}"
        case "missing":
            place = document.key_place(path[:-1])
            sentence = f"{_named(path[:-1])} needs '{name}'"
        case "union_tag_not_found":
            place = document.key_place(path)
            sentence = (
                f"{_named(path)} needs '{_discriminator(details)}': {listed(map(str, _members(expected)))}"
            )
        case "union_tag_invalid":
            key, kinds = _discriminator(details), list(map(str, _members(expected)))
            place = document.place((*path, key))
            tag = str(details.get("ctx", {}).get("tag", ""))
            sentence = f"{key} '{tag}' is unknown{did_you_mean(tag, kinds) or f'; use {listed(kinds)}'}"
        case _ if details["loc"][-1:] == ("[key]",):
            place = document.key_place(path)
            sentence = f"'{name}' {_what(details, key=True)}"
        case _:
            place = document.place(path)
            sentence = f"{_named(path)} {_what(details)}"
    return Problem(document.file, place.line, place.column, code, sentence)


def _known_keys(known: Sequence[str]) -> str:
    return f"; known here: {', '.join(known)}" if known else ""


def _mapping_at(document: Document, path: Path) -> Mapping[str, object]:
    here: object = document.value
    for part in path:
        if isinstance(here, list) and isinstance(part, int):
            here = here[part]
        else:
            here = _mapping(here).get(str(part))
    return _mapping(here)


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _discriminator(details: ErrorDetails) -> str:
    return str(details.get("ctx", {}).get("discriminator", "")).strip("'")


def _named(path: Path) -> str:
    """Return how a sentence calls the thing at a path: its key, or its number in the list of that key."""
    if not path:
        return "the file"
    if isinstance(path[-1], int) and len(path) > 1:
        return f"number {path[-1] + 1} of '{path[-2]}'"
    return f"'{path[-1]}'"


def _what(details: ErrorDetails, *, key: bool = False) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "string_type":
            given = details["input"]
            if given is None:
                return "is empty; write its value"
            return "must be text" if isinstance(given, dict | list) else "must be text; put it in quotes"
        case "int_type" | "int_from_float" | "int_parsing":
            return "must be a whole number, like 3"
        case "float_type" | "float_parsing":
            return "must be a number, like 2.5"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "tuple_type" | "list_type":
            return "must be a list, like [one, two]"
        case "dict_type" | "model_type" | "model_attributes_type":
            return "must hold keys and values"
        case "too_short":
            return "must not be empty"
        case "too_long":
            return f"is too long; at most {context.get('max_length')} are allowed"
        case "string_too_short":
            return "must not be empty"
        case "string_too_long":
            return f"is too long; at most {context.get('max_length')} characters are allowed"
        case "greater_than_equal":
            return f"is too small; use {_plain(context.get('ge'))} or more"
        case "greater_than":
            return f"is too small; use more than {_plain(context.get('gt'))}"
        case "less_than_equal":
            return f"is too large; use {_plain(context.get('le'))} or less"
        case "literal_error" | "enum":
            return f"must be {str(context.get('expected')).replace(chr(39), '')}"
        case "value_error":
            return str(context.get("error"))
        case _:
            return f"is not right: {details['msg']}" if not key else "cannot be a name"


def _plain(number: object) -> str:
    return f"{number:g}" if isinstance(number, float) else str(number)


def _follow(model: type[BaseModel], loc: Iterable[str | int]) -> tuple[Path, type[BaseModel] | None, object]:
    """Turn pydantic's location, which also names the chosen members of unions, into a path of the document.

    Also returns the model around the last step, whose keys could have stood there, and what was expected at the end.
    """
    path: list[str | int] = []
    here: object = model
    around: type[BaseModel] | None = None
    for part in loc:
        if part == "[key]":
            continue
        members = _members(here)
        if members:
            here = members.get(part)
            continue
        around = _as_model(here)
        path.append(part)
        here = _step(here, part)
    return tuple(path), around, here


def _bare(annotation: object) -> object:
    """Take off `Annotated` and `| None`."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
            continue
        if get_origin(annotation) in {Union, types.UnionType}:
            rest = [member for member in get_args(annotation) if member is not types.NoneType]
            if len(rest) == 1:
                annotation = rest[0]
                continue
        return annotation


def _as_model(annotation: object) -> type[BaseModel] | None:
    bare = _bare(annotation)
    return bare if isinstance(bare, type) and issubclass(bare, BaseModel) else None


def _members(annotation: object) -> dict[str | int, object]:
    """Return the members of a union told apart by a key, by what that key says; nothing for anything else."""
    if get_origin(annotation) is not Annotated:
        return {}
    union, *notes = get_args(annotation)
    keys = [
        note.discriminator
        for note in notes
        if isinstance(note, FieldInfo) and isinstance(note.discriminator, str)
    ]
    if not keys:
        return {}
    found: dict[str | int, object] = {}
    for member in get_args(union):
        model = _as_model(member)
        if model is not None:
            found.update(dict.fromkeys(get_args(model.model_fields[keys[0]].annotation), member))
    return found


def _step(annotation: object, part: str | int) -> object:
    model = _as_model(annotation)
    if model is not None:
        field = model.model_fields.get(str(part))
        return None if field is None else field.annotation
    bare = _bare(annotation)
    arguments = get_args(bare)
    if get_origin(bare) is dict and len(arguments) == 2:
        return arguments[1]
    return arguments[0] if arguments else None
