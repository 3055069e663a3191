"""What a name may look like in the files that people write, as pydantic fields that explain themselves."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_LOCALE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Z]{2})?")
_VERSION: Final = re.compile(r"(?:0|[1-9][0-9]{0,8})(?:\.(?:0|[1-9][0-9]{0,8})){2}(?:-[0-9A-Za-z.-]{1,40})?")


def _checked(text: str, pattern: re.Pattern[str], advice: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(advice)
    return text


def _name(text: str) -> str:
    return _checked(
        text, _NAME, "is no name here; use lower-case letters, digits and _, a letter first, at most 64"
    )


def _locale(text: str) -> str:
    return _checked(text, _LOCALE, "is no locale; write it like en or en-US")


def _version(text: str) -> str:
    return _checked(text, _VERSION, "is no version; write it like 1.0.0")


NameField = Annotated[
    str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME.pattern}$"})
]
"""The name of a state, a prompt, a scenario: safe as a file name and inside a guard."""

LocaleField = Annotated[
    str, AfterValidator(_locale), WithJsonSchema({"type": "string", "pattern": f"^{_LOCALE.pattern}$"})
]
"""A language, or a language and a country."""

VersionField = Annotated[
    str, AfterValidator(_version), WithJsonSchema({"type": "string", "pattern": f"^{_VERSION.pattern}$"})
]
"""A version of three numbers (semver)."""
