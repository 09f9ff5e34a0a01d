"""What is decided of a chip: one value of each decision, and the values that there are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Literal, get_args

from compiler.options import GroupingOptions, PlacementOptions, StackOptions, StackSolver
from ir.chip import Chip
from ir.errors import InputError

Decision = Literal["copies", "transfers", "lanes", "buffers", "dpus", "mha", "replicas"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
Key = Decision | int  # a decision of the chip, or the number of an MoE layer: its group size
Values = Mapping[Key, int]
STACKS: StackSolver = "apart"  # by rank of layers far apart: the same whatever computes when


@dataclass(frozen=True)
class Whole:
    """What is the same wherever a chip is looked at, and all its times depend on.

    mux: crossbars of a layer behind a peripheral group at most; columns, bits: of a converter,
    None: those of the chip that it began with. stack: layers that share a region and its peripheral
    groups, 1: none across layers.
    """

    mux: int
    columns: int | None = None
    bits: int | None = None
    stack: int = 1

    def on(self, chip: Chip) -> Chip:
        """The chip with these."""
        mvm = chip.mvm
        if self.columns is not None:
            mvm = replace(mvm, columns_per_adc=self.columns)
        if self.bits is not None:
            mvm = replace(mvm, adc_bits=self.bits)
        pg = replace(chip.pg, mux=self.mux)
        if self.stack > 1:
            pg = replace(pg, stack_limit=self.stack * self.mux)
        return replace(chip, mvm=mvm, pg=pg)

    @property
    def words(self) -> str:
        """What there is of it, as people say it."""
        words = f"mux {self.mux}, {self.stack} layers a region"
        words += "" if self.columns is None else f", {self.columns} columns a converter"
        return words if self.bits is None else f"{words}, {self.bits} bits"

    @property
    def settings(self) -> dict[str, int]:
        """The fields of a chip that they are."""
        found = {"mvm.columns_per_adc": self.columns, "mvm.adc_bits": self.bits}
        if self.stack > 1:
            found["pg.stack_limit"] = self.stack * self.mux
        return {"pg.mux": self.mux} | {p: n for p, n in found.items() if n is not None}


@dataclass(frozen=True)
class Design:
    """A chip for a model, as it differs from the chip that it began with.

    sizes: {MoE layer that holds experts: experts in its groups at most}; copies: of dense blocks;
    transfers, lanes, buffers: of bus, return link and input buffers; dpus, mha: digital and
    attention units of a region; replicas: copies of experts that are added in each MoE layer.
    """

    sizes: tuple[tuple[int, int], ...]
    whole: Whole
    copies: int
    transfers: int
    lanes: int
    buffers: int
    dpus: int
    mha: int
    replicas: int = 0

    def __post_init__(self) -> None:
        largest = max((size for _, size in self.sizes), default=1)
        most = self.whole.mux
        if largest > most:
            raise InputError("design", f"groups of {largest}, expected at most mux {most}")

    @property
    def stack(self) -> int:
        """Layers that share a region and its peripheral groups."""
        return self.whole.stack

    @property
    def values(self) -> dict[Key, int]:
        """Every decision's value."""
        chosen: dict[Key, int] = {name: getattr(self, name) for name in DECISIONS}
        return chosen | dict(self.sizes)

    @property
    def settings(self) -> dict[str, int]:
        """The fields of the chip that it sets, as `--set` and chip files name them."""
        return self.whole.settings | {
            "pg.input_buffers": self.buffers,
            "bus.transfers_per_slot": self.transfers,
            "bus.return_lanes": self.lanes,
            "digital.dpus_per_region": self.dpus,
            "digital.mha_units_per_region": self.mha,
        }

    def on(self, chip: Chip) -> Chip:
        """The chip with all of it set."""
        chip = self.whole.on(chip)
        pg = replace(chip.pg, input_buffers=self.buffers)
        bus = replace(
            chip.bus,
            transfers_per_slot=self.transfers,
            bits_per_ns=None,
            return_lanes=self.lanes,
        )
        digital = replace(chip.digital, dpus_per_region=self.dpus, mha_units_per_region=self.mha)
        return replace(chip, pg=pg, bus=bus, digital=digital, open=())

    def grouping(self, asked: GroupingOptions) -> GroupingOptions:
        """How experts are grouped for it."""
        return replace(asked, sizes=self.sizes, replicas=self.replicas)

    def placement(self, asked: PlacementOptions) -> PlacementOptions:
        """How tiles are placed for it, and in which stacks."""
        placed = replace(asked, solver="squares", dense_copies=self.copies)
        if self.stack == 1:
            return placed
        return replace(placed, stacks=StackOptions(STACKS, layers=self.stack))


@dataclass(frozen=True)
class Menu:
    """The values of every decision, ascending; sizes are those of each layer's groups.

    columns, bits: of converters, none for those of the chip. stack: layers that share a region.
    replicas: copies of experts to add in a layer, of which 0 is a number too.
    """

    sizes: tuple[int, ...] = (1, 2, 4, 8)
    copies: tuple[int, ...] = (1, 2, 4)
    transfers: tuple[int, ...] = (2, 4, 8, 16, 32)
    lanes: tuple[int, ...] = (1, 2, 4, 8)
    buffers: tuple[int, ...] = (1, 2, 4)
    dpus: tuple[int, ...] = (1, 2, 3, 4, 6, 8, 12, 16)
    mha: tuple[int, ...] = (1, 2, 4, 8)
    columns: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()
    stack: tuple[int, ...] = (1,)
    replicas: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        for field in fields(self):
            values, optional = getattr(self, field.name), field.name in ("columns", "bits")
            ascending, least = list(values) == sorted(set(values)), int(field.name != "replicas")
            if not ascending or not (values or optional) or min(values, default=1) < least:
                raise InputError(
                    f"design: {field.name}",
                    f"{list(values)}, expected whole numbers from {least} up, ascending, each once",
                )

    def of(self, key: Key) -> tuple[int, ...]:
        """The values of a decision, or of a layer's group size."""
        found: tuple[int, ...] = self.sizes if isinstance(key, int) else getattr(self, key)
        return found

    def wholes(self) -> Iterator[Whole]:
        """All that a whole chip may have, the most crossbars behind a peripheral group first."""
        converters = product(self.columns or (None,), self.bits or (None,))
        for stack, mux, (columns, bits) in product(self.stack, self.sizes[::-1], tuple(converters)):
            yield Whole(mux, columns, bits, stack)

    def up_to(self, mux: int) -> "Menu":
        """The same with groups of at most `mux`."""
        return replace(self, sizes=tuple(size for size in self.sizes if size <= mux))

    def under(self, whole: Whole) -> "Menu":
        """What there is on a chip with `whole`: of input buffers of stacks none with one vector.

        Layers that share a single one wait for each other's broadcasts more than is known.
        """
        menu, several = self.up_to(whole.mux), tuple(n for n in self.buffers if n > 1)
        return replace(menu, buffers=several) if whole.stack > 1 and several else menu

    def keys(self, layers: tuple[int, ...]) -> Iterator[Key]:
        """All decisions: those of the chip, and the group size of each of the layers."""
        yield from DECISIONS
        yield from layers


def design_of(values: Values, whole: Whole) -> Design:
    """The design of these values."""
    sizes = tuple((key, size) for key, size in values.items() if isinstance(key, int))
    chosen: dict[str, int] = {name: values[name] for name in DECISIONS}
    return Design(sizes=sizes, whole=whole, **chosen)
