"""Models for a chip by a scaling law: `moexbar size --json`."""

from dataclasses import dataclass, field

from moexbar.report.plain import OPTIONAL, Document


@dataclass(frozen=True)
class SizedRow:
    """A model and the chip that holds it.

    experts: of every layer, of which a token takes one; 1: a dense model.
    layers: of the model.
    width: of a token's vector.
    mux: crossbars of experts behind a peripheral group at most; 1 of a dense model.
    active: parameters that a token meets, embedding and head among them.
    total: all parameters.
    loss: that the law predicts, in nats per token.
    area_um2: of the chip.
    parts_um2: what it is made of.
    most_tokens_per_s: that its crossbars and heads allow.
    tokens_per_active: tokens of the training for each active parameter.
    training_flops: 6 x active parameters x tokens.
    outside: limits of the law's range that it leaves.
    """

    experts: int
    layers: int
    width: int
    mux: int
    active: int
    total: int
    loss: float
    area_um2: int
    parts_um2: dict[str, int]
    most_tokens_per_s: float
    tokens_per_active: float
    training_flops: float
    outside: tuple[str, ...]


@dataclass(frozen=True)
class BindsRow:
    """What keeps the loss from being less.

    limit: area, rate, or the range that the law was fitted to.
    loss: of the best model without it.
    """

    limit: str
    loss: float


@dataclass(frozen=True)
class FrontierRow:
    """The best model of an area.

    best: with any number of experts.
    dense: without experts; left out where none is so small.
    """

    best: SizedRow
    dense: SizedRow | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class SizeReport(Document):
    """The model of least predicted loss for a chip's area and rate.

    chip: whose crossbars and units it takes.
    area_mm2: at most.
    tokens_per_s: at least.
    tokens: of the training.
    context: tokens of a sequence, which attention looks back at.
    law: where it is from.
    rmse: of the law's predictions for runs that it was not fitted to; less apart is not told apart.
    beyond: whether models outside the law's range were looked at.
    best: the answer.
    binds: the limits without which the loss would be less.
    frontier: models from the smallest to `best`, each with less loss than all smaller ones; as many
        as were asked for.
    left_out: what areas do not count.
    batch: sequences of which each has one token on its way; left out where tokens stream.
    dense: the best without experts in the same area; left out where none fits.
    dense_as_good: the smallest without experts that has no more loss than `best`, of whatever
        area; left out where none that was looked at has.
    """

    chip: str
    area_mm2: float
    tokens_per_s: float
    tokens: float
    context: int
    law: str
    rmse: float
    beyond: bool
    best: SizedRow
    binds: tuple[BindsRow, ...]
    frontier: tuple[FrontierRow, ...]
    left_out: tuple[str, ...]
    batch: int | None = field(default=None, metadata=OPTIONAL)
    dense: SizedRow | None = field(default=None, metadata=OPTIONAL)
    dense_as_good: SizedRow | None = field(default=None, metadata=OPTIONAL)
