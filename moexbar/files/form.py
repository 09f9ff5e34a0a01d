"""Every file that we write says by a number of which form it is, and every reader asks.

The number rises when what was written before is no longer read the same. Files that say none are of
form 1, from before there were numbers.
"""

from ir.errors import InputError

NEWER = "read it with the moexbar that wrote it, or a newer one"


def check_form(where: str, field: str, found: object, ours: int, hint: str, oldest: int = 1) -> int:
    """The form of a file, at least `oldest` and at most `ours`; InputError for any other.

    field: that holds it; found: None where it says none; hint: how an old file is made anew.
    """
    number = 1 if found is None else found
    if type(number) is int and oldest <= number <= ours:
        return number
    shown = ascii(number)[:40]
    expected = f"expected {ours}" if oldest == ours else f"expected {oldest} to {ours}"
    newer = type(number) is int and number > ours
    raise InputError(where, f"{field}: of form {shown}, {expected}", NEWER if newer else hint)
