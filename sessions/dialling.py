"""How a number becomes what Asterisk dials: pure."""

from typing import Final

from core.errors import Fault, LinekeeperError
from core.numbers import national_part

_DIALLABLE: Final = frozenset("0123456789+*#")
MAX_NUMBER_CHARS: Final = 32


class NotANumber(LinekeeperError):
    """Not something a telephone can dial."""

    fault = Fault.OPERATOR


def clean_number(text: str) -> str:
    """A number without the spaces, dots, hyphens and brackets people write. Raises NotANumber with the remedy."""
    number = "".join(char for char in text if char not in " .-()/\u00a0")
    if not number or not set(number) <= _DIALLABLE or "+" in number[1:] or len(number) > MAX_NUMBER_CHARS:
        raise NotANumber(f"{text!r} is not a number: use E.164 (+12025550101) or the digits of an extension")
    return number


def endpoint_for(template: str, *, number: str, line: str, trunk: str) -> str:
    """The endpoint for a number, from `OUTBOUND_ENDPOINT`.

    `{number}` is the number as given (E.164 where it is known), `{digits}` the same without its plus, `{national}` the
    digits without the country code, `{line}` our line, `{line_last4}` its last four digits, `{trunk}` the trunk.
    """
    digits = number.removeprefix("+")
    return template.format(
        number=number,
        digits=digits,
        national=national_part(number) if "{national}" in template else "",
        line=line,
        line_last4=line[-4:],
        trunk=trunk,
    )
