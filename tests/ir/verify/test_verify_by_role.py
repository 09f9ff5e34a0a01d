"""Whatever is changed in an instruction of a role, some check refuses the program."""

from collections import Counter
from collections.abc import Callable

import pytest

from tests.ir.verify.corpus import by_role


@pytest.mark.slow
def test_every_label_read_and_instruction_matters(golden: Callable[[str, str], None]) -> None:
    """The table says how many changes of each role a check is the first to refuse."""
    first: dict[str, Counter[str]] = {}
    for one in by_role():
        role = one.name.split()[0]
        first.setdefault(role, Counter())[one.first_fault() or f"nobody: {one.name}"] += 1
    lines = [
        f"{role} {sum(checks.values())}: "
        + ", ".join(f"{check} {n}" for check, n in sorted(checks.items()))
        for role, checks in sorted(first.items())
    ]
    free = {check for checks in first.values() for check in checks if check.startswith("nobody")}
    assert free == {"nobody: CROSS of a TOKEN"}
    golden("verifier_refusals_by_role.txt", "\n".join(lines) + "\n")
