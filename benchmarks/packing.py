"""Packing of ragged tiles: expert crossbars and area of one MoE layer of known models.

    python -m benchmarks.packing [--chips hermes-mux2 hermes-mux4 ...]

Area: peripheral groups, crossbars and switches of the layer's experts, by the chip's figures.
"""

import argparse

import numpy as np

from benchmarks.placement import llama_moe
from compiler.grouping import Calibration, group_layer
from compiler.options import GroupingOptions, PlacementOptions
from compiler.partition import partition
from compiler.placement import place
from compiler.timeline.inventory import inventory
from ir.chip import Chip
from ir.converters import peripheral_um2
from ir.mapping import Grouping, Mapping
from ir.schedule import prefill_schedule
from ir.verify import verify_mapping
from ir.workload import Workload
from moexbar.chips import load_chip

CHIPS = ("hermes-mux2", "hermes-mux4", "hermes-mux8", "isaac", "ibm-3dcim")
SHAPES = {  # d_model, width of an expert, experts
    "shipped models": (128, 384, 16),
    "LLaMA-MoE-3.5B": (4096, 688, 16),
    "gpt-oss-20b": (2880, 2880, 32),
    "DeepSeek-V2-Lite": (2048, 1408, 64),
    "Mixtral-8x7B": (4096, 14336, 8),
}


def crossbars_and_area(workload: Workload, chip: Chip, *, pack: bool) -> tuple[int, int | None]:
    """Crossbars of the experts, and the area of their part in um2 where it is published."""
    experts = workload.moe_layers[0].router.experts
    anyhow = Calibration(np.ones((1, experts), dtype=np.bool_), [(0, 1)])
    layer = group_layer(anyhow, 0, chip.pg.mux, GroupingOptions("contiguous"))
    blocks, grouping = partition(workload, chip), Grouping((layer,))
    mapping = Mapping(blocks, grouping, place(blocks, grouping, chip, PlacementOptions(pack=pack)))
    verify_mapping(mapping, workload, chip)
    one_token = prefill_schedule(np.zeros(1, dtype=np.int64), ())  # which needs no caches
    held = inventory(workload, mapping, one_token, chip, buffer_bytes=0, moved=(0, 0))
    peripheral, array = peripheral_um2(chip), chip.crossbar.array_um2
    if peripheral is None or array is None:
        return held.expert_crossbars, None
    crossbar = array + (chip.pg.mux_switch_um2 if chip.pg.mux > 1 else 0)
    return held.expert_crossbars, held.expert_pgs * peripheral + held.expert_crossbars * crossbar


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chips", nargs="+", default=CHIPS)
    given = parser.parse_args(argv)
    print(f"{'model':<18}{'chip':<14}{'alone':>9}{'packed':>9}{'fewer':>8}{'area':>8}")
    for name, (d, f, experts) in SHAPES.items():
        workload = llama_moe(layers=1, d=d, f=f, experts=experts)
        for chip_name in given.chips:
            chip = load_chip(chip_name)
            alone, area = crossbars_and_area(workload, chip, pack=False)
            packed, smaller = crossbars_and_area(workload, chip, pack=True)
            less = "-" if area is None or smaller is None else f"{smaller / area - 1:.1%}"
            fewer = f"{1 - packed / alone:.1%}"
            print(f"{name:<18}{chip_name:<14}{alone:>9}{packed:>9}{fewer:>8}{less:>8}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
