"""The four methods every result is set beside: docs/model.md, section Methods."""

from dataclasses import dataclass, replace

from compiler.pipeline import Options
from ir.chip import Chip


@dataclass(frozen=True)
class Method:
    """A chip and the decisions made on it."""

    name: str
    chip: Chip
    options: Options


def unshared(chip: Chip) -> Chip:
    """The same chip with peripherals of its own for every crossbar (mux 1)."""
    return replace(chip, name=f"{chip.name} unshared", pg=replace(chip.pg, mux=1))


def methods(chip: Chip, options: Options) -> tuple[Method, ...]:
    """(i) unshared, one token at a time; (ii) unshared, compact; (iii) the paper's; (iv) ours."""
    alone = unshared(chip)
    plain = replace(
        options,
        groups=None,
        group_size=None,
        replicas=0,
        objective="slots",
        bus=None,
        buffer=None,
        pack=False,
    )
    return (
        Method(
            "unshared, serial",
            alone,
            replace(plain, grouping="contiguous", scheduling="token-serial"),
        ),
        Method(
            "unshared, compact",
            alone,
            replace(plain, grouping="contiguous", scheduling="compact"),
        ),
        Method(
            "paper's method",
            chip,
            replace(plain, grouping="sorted", scheduling="reschedule"),
        ),
        Method("moexbar", chip, options),
    )
