"""Telephone numbers, at the border: what is made of them before anything is dialled."""

import phonenumbers


def national_part(number: str) -> str:
    """The digits somebody in the same country would dial.

    Without a plus there is no country code to take away, and a number that no country knows keeps its digits.
    """
    if not number.startswith("+"):
        return number
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number.removeprefix("+")
    return phonenumbers.national_significant_number(parsed)
