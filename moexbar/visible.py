"""One way to show a text that is not ours: on a terminal, in a log, on a page.

What would not be seen, or would steer what shows it, is spelt out.
"""

BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]  # turn text around
CONTROLS = [*range(32), *range(127, 160), 0x2028, 0x2029, 0xFEFF]
_SPELT = {code: f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" for code in CONTROLS + BIDI}
_LINES = _SPELT | {ord("\n"): "\n"}


def visible(words: object, *, lines: bool = False) -> str:
    r"""A text with control characters, marks of direction and lone surrogates spelt out as `\x1b`.

    lines: ends of lines stay.
    """
    whole = str(words).translate(_LINES if lines else _SPELT)
    return whole.encode("utf-8", "backslashreplace").decode("utf-8")
