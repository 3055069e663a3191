"""Turns what the settings model refuses into sentences a person can act on: name, value, what is wrong, what to do.

Values of secrets, and addresses that carry a login, are never shown. Also reads `.env` once for its line numbers and
for lines that are not NAME=value, which the parser would skip.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from config.errors import Problem, SettingsError

DEFAULT_FILE = Path(".env")
ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>.*)$")
MANDATORY = {
    "ARI_APP_NAME": "Set it to the name your dialplan gives to Stasis(), like ARI_APP_NAME=linekeeper",
    "ARI_USERNAME": "Set it to the user of Asterisk's ari.conf",
    "ARI_PASSWORD": "Set it to that user's password in Asterisk's ari.conf",
}


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A settings file: where it is, on which line each name stands, and what in it cannot be read."""

    path: Path | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()


def read_file(env_file: str | Path | None) -> EnvFile:
    """Look at the settings file. Only the usual `.env` may be missing."""
    if env_file is None:
        return EnvFile()
    path = Path(env_file)
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        if path == DEFAULT_FILE:
            return EnvFile()
        raise _unreadable(path, "does not exist", "Check the name of the file") from None
    except UnicodeDecodeError:
        raise _unreadable(path, "is not UTF-8 text", "Save it as UTF-8") from None
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}", "Check its owner and mode") from None

    lines: dict[str, int] = {}
    found = []
    for number, name in _statements(text):
        if name is None:
            wrong = f"line {number} is not NAME=value"
            found.append(Problem(str(path), wrong, "Write one NAME=value a line, with # before a comment"))
        else:
            lines[name.upper()] = number
    return EnvFile(path, lines, tuple(found))


def _unreadable(path: Path, wrong: str, remedy: str) -> SettingsError:
    return SettingsError([Problem(str(path), wrong, remedy)])


def _statements(text: str) -> Iterator[tuple[int, str | None]]:
    """Yield line number and name of each statement, and None as name for a line that is not one."""
    closing = ""  # the quote that ends a value of several lines
    for number, line in enumerate(text.splitlines(), start=1):
        if closing:
            closing = "" if closing in line else closing
            continue
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = ASSIGNMENT.match(line)
        yield number, match["name"] if match else None
        if match and (quote := match["value"][:1]) in {"'", '"'} and quote not in match["value"][1:]:
            closing = quote


def explain(
    error: ValidationError,
    *,
    file: EnvFile,
    environ: Mapping[str, str],
    overrides: Mapping[str, str],
    known: tuple[str, ...],
    secret: frozenset[str],
) -> list[Problem]:
    """Say each problem once, in the order the settings are listed, the unknown names last."""
    in_environ = {name.upper() for name, value in environ.items() if value}
    found: dict[str, Problem] = {}
    for details in error.errors(include_url=False):
        name = str(details["loc"][0]).upper()
        if name in found:
            continue
        if details["type"] == "missing":
            near = difflib.get_close_matches(name, sorted(in_environ - set(known)), n=1, cutoff=0.8)
            hint = f", though the environment has {near[0]}" if near else ""
            found[name] = Problem(name, f"missing{hint}", MANDATORY.get(name, "Set it"))
            continue
        if details["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"; did you mean {near[0]}?" if near else ""
            remedy = "Correct or remove it; .env.example lists every name"
            found[name] = Problem(
                name, f"not a setting{hint}", remedy, source=_source(name, file, set(), overrides)
            )
            continue
        wrong, remedy = _sentence(details)
        value = str(details["input"])
        hidden = name in secret or (name.endswith("_URL") and "@" in value)
        shown = None if hidden else value if len(value) <= 60 else value[:57] + "..."
        found[name] = Problem(name, wrong, remedy, shown, _source(name, file, in_environ, overrides))
    return sorted(found.values(), key=lambda p: known.index(p.name) if p.name in known else len(known))


def _source(name: str, file: EnvFile, in_environ: set[str], overrides: Mapping[str, str]) -> str | None:
    if name in overrides:
        return "from the command line"
    if name in in_environ:
        return "from the environment"
    if name in file.lines:
        return f"{file.path} line {file.lines[name]}"
    return None


def _sentence(details: ErrorDetails) -> tuple[str, str]:
    """Return what is wrong and what to do."""
    context = details.get("ctx", {})
    match details["type"]:
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return "not a whole number", "Write plain digits, like 10"
        case "float_parsing" | "float_type" | "finite_number":
            return "not a number", "Write it like 10 or 0.5"
        case "bool_parsing" | "bool_type":
            return "neither yes nor no", "Write true or false"
        case "greater_than_equal":
            return "too small", f"Use {context['ge']} or more"
        case "greater_than":
            return "too small", f"Use more than {context['gt']}"
        case "less_than_equal":
            return "too large", f"Use {context['le']} or less"
        case "string_too_short" | "too_short":
            return "empty", "Write its value, or remove the line"
        case "literal_error":
            return "not one of the choices", f"Use {context['expected']}"
        case "value_error":
            wrong, _, remedy = str(context["error"]).partition(". ")
            return wrong, remedy or "Correct it"
        case _:
            return details["msg"], "Correct it"
