"""`moexbar limits`: how much a model and its inputs may ask for, and how to raise it."""

from moexbar.cli.options import Json
from moexbar.console import out, print_json, table


def limits(json: Json = False) -> None:
    """Show how much a model and its inputs may ask for, and how to raise it.

    Counted before any work, so that a file of a kilobyte cannot take all memory or time
    (docs/limits.md). MOEXBAR_LIMITS=NAME=NUMBER,... in the environment changes them.

    Example: moexbar limits --json
    """
    from moexbar.limits_in_force import limits as in_force

    found = in_force()
    if json:
        print_json(found)
        return
    shown = table("limit", "of", "at most", "unit", left=2)
    for row in found.limits:
        changed = "" if row.limit == row.default else " *"
        shown.add_row(row.name, row.of, f"{row.limit:,}{changed}", row.unit)
    console = out()
    console.print(shown)
    console.print(f"raise one for files that you trust: {found.setting}=NAME=NUMBER,...")
    if any(row.limit != row.default for row in found.limits):
        console.print("*: not the default")
