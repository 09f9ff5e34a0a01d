"""The limits in force, as a table of values."""

from dataclasses import fields

from ir.limits import SETTING, Limits, told
from moexbar.report.limits import LimitRow, LimitsReport


def limits(found: Limits | None = None) -> LimitsReport:
    """Limits with unit, what each is of and why it is so high; by default those in force.

    Raises InputError where MOEXBAR_LIMITS cannot be read.
    """
    found, default = found or Limits.in_force(), Limits()
    rows = [
        LimitRow(
            one.name,
            getattr(found, one.name),
            getattr(default, one.name),
            told(one.name)["unit"],
            told(one.name)["of"],
            told(one.name)["why"],
        )
        for one in fields(Limits)
    ]
    return LimitsReport(setting=SETTING, limits=tuple(rows))
