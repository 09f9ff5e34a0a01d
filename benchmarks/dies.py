"""Models on dies of a reticle: how many, what goes over their links, and what that costs.

    python -m benchmarks.dies llama --model DIR
    python -m benchmarks.dies gpt-oss --traces DIR
    python -m benchmarks.dies deepseek --model DIR --fewest

DIR of `--model` is what `moexbar example llama-moe-3.5b -o DIR`, or deepseek-v3, writes. Each line
is a compilation with all checks: on one die, however large; on the fewest dies of 26 x 33 mm that a
packing reaches, joined as --topology says by links of UCIe 2.5D; and on as many as filling them in
the model's order takes, by each way. `--fewest` is the second of these alone. Groups are sorted
ones of the first half of the trace, and so is what dies are chosen by: "fitted" are its bytes x
links, in GB; "run" are those of the program, which is of the second half, in MB. "uJ": of the links
alone, then with the mesh of cores to and from them, and that part of all energy.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

from backends.cost import cost
from backends.dies import link_use
from benchmarks.stacks import GPT_OSS, LENGTH, PLAIN, packed
from benchmarks.traces import add_traces, trace_file
from compiler.options import DieOptions, DieRule, PlacementOptions
from ir.errors import InfeasibleError
from ir.routing import Routing
from moexbar.chips import load_chip
from moexbar.compilation import Compilation, compile
from moexbar.files.routing_file import load_routing

RETICLE: dict[str, int | str] = {
    "die.width_mm": 26,
    "die.height_mm": 33,
    "link.kind": "ucie-2.5d",
}
PRESET = {"llama": "hermes-mux2", "gpt-oss": "hermes-mux4", "deepseek": "hermes-mux8"}
TOKENS = {"llama": LENGTH, "gpt-oss": LENGTH, "deepseek": 128}
SQUARES = PlacementOptions("squares")
HEAD = (
    f"{'':<22} {'dies':>5} {'least':>5} {'fitted':>8} {'bound':>8} {'':>7} {'run MB':>8} {'':>7} "
    f"{'uJ':>8} {'':>8} {'':>6} {'us':>9} {'':>7} {'mm2':>9} {'CPU s':>6}"
)


@dataclass(frozen=True)
class Asked:
    """A model, its routing, and the preset that it is compiled for."""

    model: Path
    routing: Routing
    preset: str
    prefill: int
    topology: str

    def compiled(self, rule: DieRule | None, count: int = 0) -> Compilation:
        """The program, on so many dies (0: as few as are found) chosen by `rule`; None: on one."""
        fields: dict[str, int | str] = {}
        if rule is not None:
            fields = RETICLE | {"die.topology": self.topology}
            fields |= {"die.count": count} if count else {}
        return compile(
            self.model,
            load_chip(self.preset, fields),
            routing=self.routing,
            prefill=self.prefill,
            placement=replace(SQUARES, dies=DieOptions(rule or "auto")),
            **PLAIN,
        )

    def dies_in_order(self) -> int:
        """As many dies as it takes to fill them in order."""
        try:
            return self.compiled("in-order").compiled.mapping.placement.topology.count
        except InfeasibleError as error:
            if error.unit != "dies":
                raise
            return int(error.demand.value)


def lines(asked: Asked, *, fewest: bool) -> Iterator[str]:
    """The table, line by line as it is made."""
    if fewest:
        begun = process_time()
        yield _line("as few as found", asked.compiled("auto"), 0, None, process_time() - begun)
        return
    begun = process_time()
    alone = asked.compiled(None)
    one = alone.compiled.program.makespan_ps
    yield _line("one die", alone, one, None, process_time() - begun)
    begun = process_time()
    yield _line("as few as found", asked.compiled("auto"), one, None, process_time() - begun)
    count, first = asked.dies_in_order(), None
    rules: tuple[DieRule, ...] = ("in-order", "cut", "auto")
    for rule in rules:
        begun = process_time()
        try:
            done = asked.compiled(rule, count)
        except InfeasibleError as error:
            yield f"{rule:<22} {count:>5} does not fit: {error}"
            continue
        first = first or done
        yield _line("search" if rule == "auto" else rule, done, one, first, process_time() - begun)


def _line(
    name: str, done: Compilation, one_ps: int, first: Compilation | None, seconds: float
) -> str:
    """One compilation; one_ps: time on one die; first: in order, to compare with."""
    program, placement = done.program, done.compiled.mapping.placement
    found, use, crossing = cost(program, done.chip), link_use(program), placement.crossing
    row = f"{name:<22} {placement.topology.count:>5}"
    if crossing is None:
        row += " " * 71
    else:
        known = crossing.certificate
        row += f" {crossing.least_dies:>5} {known.value / 1e9:>8.3f} {known.bound / 1e9:>8.3f}"
        row += _less(known.value, _fitted(first)) + f" {use.bytes / 1e6:>8.2f}"
        row += _less(use.bytes, link_use(first.program).bytes if first else 0)
        alone = 8 * use.bytes * (done.chip.link.bit_fj if done.chip.link else 0)
        row += f" {alone / 1e9:>8.2f} {use.energy_fj / 1e9:>8.2f}"
        row += f" {use.energy_fj / found.energy.total_fj:>6.1%}"
    row += f" {program.makespan_ps / 1e6:>9.2f}" + _less(program.makespan_ps, one_ps)
    return row + f" {found.area.total_um2 / 1e6:>9.0f} {seconds:>6.0f}"


def _fitted(done: Compilation | None) -> int:
    """Bytes x links of the fitted tokens, 0 where there is nothing to compare with."""
    crossing = done.compiled.mapping.placement.crossing if done else None
    return crossing.certificate.value if crossing else 0


def _less(value: int, than: int) -> str:
    """By how much a value is above another."""
    return f" {value / than - 1:>+7.1%}" if than and value != than else " " * 8


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table of one model."""
    first, text = (__doc__ or "").split("\n", 1)
    parser = argparse.ArgumentParser(
        description=first, epilog=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=tuple(PRESET))
    parser.add_argument("--model", type=Path, help="folder of the example model")
    parser.add_argument("--topology", default="mesh", help="of the dies: mesh, ring, all-to-all")
    parser.add_argument("--fewest", action="store_true", help="only on as few dies as are found")
    add_traces(parser, required=False)
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        if asked.part == "gpt-oss":
            if asked.traces is None:
                parser.error("--traces: expected the folder of routing traces")
            model, routing = Path(folder) / "config.json", trace_file(asked.traces, "gpt-oss-20b")
            model.write_text(json.dumps(GPT_OSS), encoding="utf-8")
            trace = packed(load_routing(routing))
        else:
            if asked.model is None:
                parser.error("--model: expected the folder of the example model")
            model = next(asked.model.glob("*.onnx"))
            trace = load_routing(asked.model / "routing.npz")
        part, preset = asked.part, PRESET[asked.part]
        print(f"{part} on {preset}, prefill {TOKENS[part]}, {asked.topology} of dies")
        print(HEAD)
        what = Asked(model, trace, preset, TOKENS[part], asked.topology)
        for line in lines(what, fewest=asked.fewest):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
