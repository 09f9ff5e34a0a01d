"""One number of a right program changed: which checks refuse it, over all kinds of numbers.

The table says of so many changes of a kind how many each check refuses, and how many none does.
What none refuses is another right program: a value elsewhere in a buffer with room for it, work on
another digital unit that is free, a tile elsewhere on a crossbar of its own, numbers of a kind of
tile that a matrix has none of.
"""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.ir.verify.corpus import drawn

HARMLESS = {"offset", "unit", "placement", "start_ps", "buffers"}


@pytest.mark.slow
def test_which_checks_refuse_what_is_drawn(golden: Callable[[str, str], None]) -> None:
    of_kind: Counter[str] = Counter()
    refused: dict[str, Counter[str]] = {}
    for one in drawn():
        of_kind[one.kind] += 1
        checks = one.refused_by() or ("nobody",)
        refused.setdefault(one.kind, Counter()).update(checks)
    assert {kind for kind, checks in refused.items() if "nobody" in checks} <= HARMLESS
    lines = [
        f"{kind} {of_kind[kind]}: "
        + ", ".join(f"{check} {n}" for check, n in sorted(refused[kind].items()))
        for kind in sorted(of_kind)
    ]
    golden("verifier_refusals.txt", "\n".join(lines) + "\n")
