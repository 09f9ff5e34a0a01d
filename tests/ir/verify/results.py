"""What every check says of a program."""

from ir.compiled import Compiled
from ir.verify import check_mapping, check_program


def results(c: Compiled) -> dict[str, str]:
    """Results of all checks; a broken mapping's program is not looked at."""
    found = check_mapping(c.mapping, c.workload, c.chip)
    if all(result == "ok" for _, result in found):
        found += check_program(c)
    return dict(found)
