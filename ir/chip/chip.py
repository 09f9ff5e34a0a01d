"""All of a chip."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ir.chip.crossbar import Accumulate, Crossbar, Mvm, PeripheralGroup, Split, Write
from ir.chip.dies import Dies, Link, faults
from ir.chip.digital import Digital
from ir.chip.noise import Noise
from ir.chip.origin import Change, Fact, Headline
from ir.chip.region import Bus, Memory, Mesh, Wires
from ir.chip.sizes import Size, sizes_of
from ir.errors import InputError
from ir.html import folded, table


@dataclass(frozen=True, repr=False)
class Chip:
    """A complete chip description.

    changes: what was set to other than the description that `name` stands for has it; they are in
    the numbers already, so two chips of the same numbers are the same. open: sizes that the
    compiler chooses (`ir.chip.sizes`). dies, link: where it is several dies; None: one, however
    large.
    """

    name: str
    description: str
    crossbar: Crossbar
    mvm: Mvm
    pg: PeripheralGroup
    accumulate: Accumulate
    bus: Bus
    mesh: Mesh
    digital: Digital
    memory: Memory
    wires: Wires = field(default_factory=Wires)
    split: Split = field(default_factory=Split)
    write: Write = field(default_factory=Write)
    noise: Noise = field(default_factory=Noise)
    headline: Headline = field(default_factory=Headline)
    dies: Dies | None = None
    link: Link | None = None
    facts: tuple[Fact, ...] = ()
    changes: tuple[Change, ...] = field(default=(), compare=False)
    open: tuple[Size, ...] = ()

    def __repr__(self) -> str:
        side = f"{self.crossbar.rows} x {self.crossbar.columns}"
        return f"<Chip {self.title}: crossbars of {side} cells, mux {self.pg.mux}>"

    def _repr_html_(self) -> str:
        """For a notebook: what it is, and, folded, every number with its source."""
        side = f"{self.crossbar.rows} x {self.crossbar.columns}"
        about = (
            ("crossbar", f"{side} cells of {self.crossbar.cell_bits} bits"),
            ("crossbars behind one set of peripherals", self.pg.mux),
            ("numbers", f"{len(self.facts)}, of which {len(self.assumed)} are assumed"),
        )
        rows = (
            (fact.path, fact.text, "assumed" * fact.assumed, fact.source) for fact in self.facts
        )
        every = table("", ("field", "value", "", "source"), rows)
        title = f"{self.title}: {self.description}"
        return table(title, ("", ""), about) + folded("all numbers and their sources", every)

    def __post_init__(self) -> None:
        """Refuse what no chip can be; the loader adds the file's name."""
        positive = {
            "crossbar.rows": self.crossbar.rows,
            "crossbar.columns": self.crossbar.columns,
            "crossbar.cell_bits": self.crossbar.cell_bits,
            "crossbar.weight_bits": self.crossbar.weight_bits,
            "mvm.input_bits": self.mvm.input_bits,
            "mvm.output_bits": self.mvm.output_bits,
            "mvm.dac_bits": self.mvm.dac_bits,
            "mvm.adc_bits": self.mvm.adc_bits,
            "mvm.columns_per_adc": self.mvm.columns_per_adc,
            "mvm.rows_per_read": self.mvm.rows_per_read,
            "mvm.read": self.mvm.read_ps,
            "split.adc_bits": self.split.adc_bits,
            "split.columns_per_adc": self.split.columns_per_adc,
            "split: the sum of the energies": self.split.energy_shares,
            "split: the sum of the areas": self.split.area_shares,
            "pg.mux": self.pg.mux,
            "pg.input_buffers": self.pg.input_buffers,
            "accumulate.psum_bits": self.accumulate.psum_bits,
            "bus.transfers_per_slot": self.bus.transfers_per_slot,
            "bus.bits_per_ns": self.bus.bits_per_ns,
            "mesh.pgs_per_core": self.mesh.pgs_per_core,
            "digital.macs_per_ns": self.digital.macs_per_ns,
            "digital.mha_bits_per_ns": self.digital.mha_bits_per_ns,
            "memory.dram": self.memory.dram_mb_per_s,
            "memory.buffer_bits_per_ns": self.memory.buffer_bits_per_ns,
        }
        for path, value in positive.items():
            if value is not None and value < 1:
                raise InputError(f"chip {self.name}", f"{path}: {value}, expected at least 1")
        if (self.mesh.width == 0) != (self.mesh.height == 0):
            raise InputError(
                f"chip {self.name}",
                f"mesh: {self.mesh.width} x {self.mesh.height} cores, expected both or no auto",
            )
        unknown = self.pg.peripheral_um2 is None or self.crossbar.array_um2 is None
        if self.wires.cost == "by length" and unknown:
            raise InputError(
                f"chip {self.name}",
                "wires.cost: by length, but the areas of a core are not published",
                "state pg.peripheral_um2 and crossbar.array_um2, or set wires.cost to published",
            )
        self._check_dies()
        if self.memory.kv == "buffers" and self.memory.accounting == "reference":
            raise InputError(
                f"chip {self.name}",
                "memory.kv: buffers, but memory.accounting reference reads keys from DRAM",
                "set memory.kv to dram, or memory.accounting to full",
            )
        if self.crossbar.columns < self.crossbar.slices(self.crossbar.weight_bits):
            raise InputError(
                f"chip {self.name}",
                f"crossbar.columns: {self.crossbar.columns} cells hold no weight of "
                f"{self.crossbar.slices(self.crossbar.weight_bits)} cells",
            )

    def _check_dies(self) -> None:
        """Dies have links, and each circuit is on one of them."""
        if self.dies is None and self.link is None:
            return
        if self.dies is None or self.link is None:
            missing, set_it = ("die", "die.area") if self.dies is None else ("link", "link.kind")
            raise InputError(
                f"chip {self.name}",
                f"no [{missing}], expected both [die] and [link], or neither",
                f"set {set_it}",
            )
        fault = next(faults(self.dies, self.link), "")
        if fault:
            raise InputError(f"chip {self.name}", fault)
        shared = {
            "digital.dpus_per_region": self.digital.shares_dpus,
            "digital.mha_units_per_region": self.digital.shares_mha_units,
        }
        if any(shared.values()):
            fields = " and ".join(field for field, is_shared in shared.items() if is_shared)
            raise InputError(
                f"chip {self.name}",
                "die: the whole chip shares units, expected each region to have its own",
                f"set {fields}, to auto or a number",
            )

    @property
    def title(self) -> str:
        """Its name with what was changed, e.g. `hermes-mux2 with pg.mux = 4`."""
        changes = ", ".join(str(change) for change in self.changes)
        return f"{self.name} with {changes}" if changes else self.name

    @property
    def assumed(self) -> tuple[Fact, ...]:
        """The facts without a published source; results that rest on them say so."""
        return tuple(fact for fact in self.facts if fact.assumed)

    def closed(self, sizes: Mapping[Size, int]) -> "Chip":
        """The chip with these of its open sizes chosen."""
        bus, pg = self.bus, self.pg
        return replace(
            self,
            bus=replace(
                bus,
                transfers_per_slot=sizes.get("bus.transfers_per_slot", bus.transfers_per_slot),
                return_lanes=sizes.get("bus.return_lanes", bus.return_lanes),
            ),
            pg=replace(pg, input_buffers=sizes.get("pg.input_buffers", pg.input_buffers)),
            open=tuple(size for size in self.open if size not in sizes),
        )

    def sized_as(self, other: "Chip") -> "Chip":
        """The chip with its open sizes as `other` has them."""
        known = sizes_of(other)
        taken: dict[Size, int] = {}
        for size in self.open:
            value = known[size]
            if value is not None:
                taken[size] = value
        return self.closed(taken)
