"""Lengths of sequences as they are asked for; imports nothing, as every command does."""

Tokens = int | tuple[int, ...]  # of a sequence: one number for all sides, or one for each


def in_words(tokens: Tokens) -> str:
    """Lengths as they are typed: 20,12."""
    return ",".join(str(n) for n in (tokens if isinstance(tokens, tuple) else (tokens,)))
