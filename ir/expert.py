"""Constant matrices by reference, and the feed-forward expert that is made of them."""

from dataclasses import dataclass
from typing import Literal

from ir.errors import InputError

Format = Literal["binary", "ternary"]


@dataclass(frozen=True)
class Weight:
    """A constant matrix y = x @ W, W: [rows, columns], somewhere in the model's tensors.

    The stored tensor is W or its transpose (`transposed`), alone or at `index` of a leading expert
    axis; its columns start, start + step, ... are the matrix (gate and up fused or interleaved in
    one tensor differ in start and step). `bits`: of the stored element type. The stored `bias` may
    have a leading expert axis too, with ours at `bias_index`, else at `index`. `format`: how
    crossbars hold it: `binary` numbers of so many bits, or `ternary`, -1, 0 or 1 times one scale.
    `rounded`: the stored numbers are others, and rounded to ternary ones when the model is opened.
    """

    tensor: str
    rows: int
    columns: int
    bits: int = 32
    index: int | None = None
    transposed: bool = False
    start: int = 0
    step: int = 1
    bias: str | None = None
    bias_index: int | None = None
    format: Format = "binary"
    rounded: bool = False

    def __post_init__(self) -> None:
        if self.rows < 1 or self.columns < 1:
            raise InputError(
                self.tensor, f"a weight of {self.rows} x {self.columns}, expected at least 1 x 1"
            )
        if self.rounded and self.format != "ternary":
            raise InputError(self.tensor, f"a rounded {self.format} weight, expected a ternary one")

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one vector through this matrix."""
        return self.rows * self.columns


@dataclass(frozen=True)
class Expert:
    """One feed-forward expert: down(act(gate(x)) * up(x)), or down(act(up(x))) without a gate.

    Without a down matrix it is act(up(x)): a single matrix.
    """

    up: Weight
    down: Weight | None
    gate: Weight | None = None

    def __post_init__(self) -> None:
        if self.down is None and self.gate is not None:
            raise InputError(
                self.up.tensor, "an expert of a gate and no down matrix, expected both"
            )

    @property
    def weights(self) -> tuple[Weight, ...]:
        """Its one, two or three matrices."""
        return tuple(w for w in (self.up, self.gate, self.down) if w is not None)

    @property
    def last(self) -> Weight:
        """The matrix that gives its output."""
        return self.up if self.down is None else self.down

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one token through this expert."""
        return sum(weight.macs for weight in self.weights)
