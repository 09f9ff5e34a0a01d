"""`moexbar validate`: what others measured or published, beside what our model gives."""

from moexbar.cli.options import Json
from moexbar.console import out, print_json


def validate_command(json: Json = False) -> None:
    """Set published figures of chips and simulators beside ours, with errors.

    A row is fitted where a number of a preset was set from it, else independent. Errors are of our
    model as it stands; where one is large the cause is said.

    Example: moexbar validate
    """
    from moexbar.validation.show import show
    from moexbar.validation.table import validate

    report = validate()
    if json:
        print_json(report)
    else:
        show(report, out())
