"""A program carried out on real weights beside ONNX Runtime, or why it was not."""

from dataclasses import dataclass, field

from moexbar.report.plain import FLAT, Document


@dataclass(frozen=True)
class DifferenceRow:
    """One value: how far ours is from the reference's.

    value: name in the model.
    layer: decoder layer; -1 outside all.
    max_absolute: largest difference; null where it is not finite.
    max_relative: that over the largest magnitude of the reference's; null where it is not finite.
    """

    value: str
    layer: int
    max_absolute: float | None
    max_relative: float | None


@dataclass(frozen=True)
class Executed:
    """What executing the program gave.

    norm: what a relative error is.
    worst: largest relative error of an output or MoE layer; null where it is not finite.
    outputs: of the model.
    moe_layers: results of the MoE layers.
    first_wrong_instruction: id in the program; -1: all are right.
    near_ties: tokens that rounding alone could have sent to other experts.
    tokens_before_window: of its first sequence, whose values are the model's own.
    onnx_runtime_itself: its outputs where the reference is another, such as in wider floats.
    run_anew: of tokens of decode steps, what must equal the model run anew on all tokens so far.
    uncached_deviation: how far the rest is from that run, which may differ.
    summary: in a line.
    rounding_ties: results taken from the model: a number in them lay half way between two integers.
    """

    norm: str
    worst: float | None
    outputs: tuple[DifferenceRow, ...]
    moe_layers: tuple[DifferenceRow, ...]
    first_wrong_instruction: int
    near_ties: int
    tokens_before_window: int
    onnx_runtime_itself: tuple[DifferenceRow, ...]
    run_anew: tuple[DifferenceRow, ...]
    uncached_deviation: tuple[DifferenceRow, ...]
    summary: str
    rounding_ties: int = 0


@dataclass(frozen=True)
class Skipped:
    """Why the program was not executed.

    skipped: the reason.
    """

    skipped: str


@dataclass(frozen=True)
class VerifyReport(Document):
    """A program executed and compared: `moexbar verify --json`.

    executed: what came of it.
    """

    executed: Executed = field(metadata=FLAT)
