"""Runs of other tools that the validation table records, repeated where the tool is installed.

    python -m benchmarks.validate_references [--neurosim MAIN] [--levels64 MAIN] [--muxed16 MAIN]
        [--tiers] [--converter]

MAIN: the program that NeuroSim 1.4 builds: as it is, with levelOutput = 64 in its Param.cpp, and
with numColMuxed = 16. --tiers: `threedsim`, the 3D-CiM simulator, can be imported. --converter:
`hwcomponents_adc` can, with which AccelForge gives a converter's area. Each prints what `moexbar
validate` has recorded and what comes out now.
"""

import argparse
import random
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from moexbar.validation.rows import STUDIES

BITS, SIDE = 8, 128  # of a weight; rows and columns of an array
Matrix = tuple[int, int, int]  # rows, columns, bits of an input
MATRICES: dict[str, Matrix] = {
    "neurosim.": (1024, 128, 8),
    "neurosim.small_": (512, 64, 8),
    "neurosim.large_": (4096, 256, 8),
    "neurosim.row_": (128, 512, 8),
    "neurosim.square_": (768, 768, 8),
    "neurosim.down_": (3072, 768, 8),
    "neurosim.bits4_": (1024, 128, 4),
    "neurosim.256x256_": (256, 256, 8),
    "neurosim.2048x512_": (2048, 512, 8),
    "neurosim.1536x384_": (1536, 384, 8),
    "neurosim.8192x128_": (8192, 128, 8),
}
LEVELS64: dict[str, Matrix] = {"neurosim.adc6_": (1024, 128, 8)}
MUXED16: dict[str, Matrix] = {"neurosim.mux16_": (1024, 128, 8)}
SAID = {  # what NeuroSim prints before a number
    "time": r"layer1's readLatency is: ([\d.e+]+)",
    "energy": r"layer1's readDynamicEnergy is: ([\d.e+]+)",
    "buffer time": r"layer1's buffer latency is: ([\d.e+]+)",
    "wire time": r"layer1's ic latency is: ([\d.e+]+)",
    "buffer energy": r"layer1's buffer readDynamicEnergy is: ([\d.e+]+)",
    "wire energy": r"layer1's ic readDynamicEnergy is: ([\d.e+]+)",
    "arrays": r"Chip total CIM array : ([\d.e+]+)",
    "adc": r"Total ADC \(.*?\) Area on chip : ([\d.e+]+)",
    "sums": r"Total Accumulation Circuits \(.*?\) on chip : ([\d.e+]+)",
}
WIDE, TOKENS = 512, 8
ADC = {"n_bits": 8, "throughput": 1.28e9, "tech_node": 32e-9}
Figures = Iterator[tuple[str, float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what is asked for; exit 2 where nothing is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--neurosim", type=Path, help="the program that NeuroSim 1.4 builds")
    parser.add_argument("--levels64", type=Path, help="the same with levelOutput = 64")
    parser.add_argument("--muxed16", type=Path, help="the same with numColMuxed = 16")
    parser.add_argument("--tiers", action="store_true", help="run the 3D-CiM simulator")
    parser.add_argument("--converter", action="store_true", help="ask hwcomponents_adc")
    asked = parser.parse_args(arguments)
    runs: list[Callable[[], Figures]] = []
    built = ((asked.neurosim, MATRICES), (asked.levels64, LEVELS64), (asked.muxed16, MUXED16))
    runs += [partial(neurosim, program.resolve(), of) for program, of in built if program]
    runs += [run for run, wanted in ((tiers, asked.tiers), (converter, asked.converter)) if wanted]
    if not runs:
        parser.error("nothing to run: name a program of NeuroSim, --tiers or --converter")
    recorded = {claim.key: claim.published for study in STUDIES for claim in study.claims}
    for run in runs:
        for key, value in run():
            print(f"{key:28s} recorded {recorded.get(key, float('nan')):14.8g}  now {value:14.8g}")


def neurosim(program: Path, matrices: dict[str, Matrix]) -> Figures:
    """Matrices through a build of NeuroSim: times ns, energies nJ, areas um2."""
    for key, matrix in matrices.items():
        with tempfile.TemporaryDirectory() as folder:
            words = _layer(Path(folder), matrix)
            told = subprocess.run(
                [str(program), *words],
                cwd=program.parent,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        read = {name: float(_found(pattern, told)) for name, pattern in SAID.items()}
        spent = read["energy"] - read["buffer energy"] - read["wire energy"]
        time = read["time"] - read["buffer time"]
        yield f"{key}time", time
        yield f"{key}time_alone", time - read["wire time"]
        yield f"{key}energy", spent / 1000
        yield f"{key}arrays", read["arrays"]
        yield f"{key}converters", read["adc"] + read["sums"]


def _layer(folder: Path, matrix: Matrix) -> list[str]:
    """The files of a network of one fully connected layer, and the words that name them."""
    rows, columns, input_bits = matrix
    draw = random.Random(0)  # noqa: S311 - weights, no secrets
    net, weights, inputs = (folder / name for name in ("net.csv", "weights.csv", "inputs.csv"))
    net.write_text(f"1,1,{rows},1,1,{columns},0,1\n")
    lines = [",".join(f"{draw.uniform(-1, 1):.4f}" for _ in range(columns)) for _ in range(rows)]
    weights.write_text("\n".join(lines) + "\n")
    bits = [",".join(str(draw.randint(0, 1)) for _ in range(input_bits)) for _ in range(rows)]
    inputs.write_text("\n".join(bits) + "\n")
    sizes = [str(BITS), str(input_bits), str(SIDE), str(SIDE)]
    return [str(net), *sizes, str(weights), str(inputs)]


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"NeuroSim printed nothing like {pattern!r}: is it version 1.4?")
    return found[1]


def tiers() -> Figures:
    """One decoder layer in tiles of its own, default constants: ns, nJ without passive power."""
    sim: dict[str, Any] = {
        name: import_module(f"threedsim.{name}")
        for name in ("accelerator", "inference", "mapping", "models", "modules", "modules.base")
    }
    base, mapping = sim["modules.base"], sim["mapping"]
    config = sim["accelerator"].AcceleratorConfig(tiles=64, tiers=4, tier_shape=(WIDE, WIDE))
    chip = sim["accelerator"].Accelerator(config, device="meta")
    model = sim["models"].DecoderOnlyTransformer(
        sim["modules"].TransformerDecoderLayer,
        num_layers=1,
        decoder_layer_kwargs={"d_model": WIDE, "nhead": 8, "dim_feedforward": WIDE},
        embedding_layer_kwargs={
            "vocab_size": WIDE,
            "embedding_dim": WIDE,
            "max_seq_length": TOKENS + 1,
        },
        device="meta",
    )
    base.assign_acc(model, chip)
    order = mapping.MapStrategy(
        strategy=mapping.Strategy.GREEDY_IN_ORDER, split_ffn=True, stack_embedding=True
    )
    mapping.Mapper(accelerator=chip, model=model, map_strategy=order).map_network()
    base.fill_name_fields(model)
    base.make_traceable(model, is_traceable=True)
    base.make_use_linear(model, use_linear=True)
    traced = sim["inference"].fast_trace_decoder(
        model, start_len=TOKENS, target_len=TOKENS + 1, bsz=1
    )
    time_ns, _, _, energy_nj, _, parts, _ = sim["inference"].schedule_execution(
        traced.graph, accelerator=chip, copy_and_cleanup_graph=False, communication=True
    )
    yield "tiers.time", time_ns
    yield "tiers.energy", energy_nj - parts["passive"]


def converter() -> Figures:
    """Eight converters as AccelForge has them in an ISAAC unit, um2: recorded are 51754."""
    model: Any = import_module("hwcomponents_adc").ADC(**ADC)
    yield "8 ADCs of forge.area", 8 * model.area * 1e12


if __name__ == "__main__":
    main()
