"""Which routed experts suffer most from their crossbars' errors, and their cost as digital work.

An expert's sensitivity is the root mean square change of the model's last output, in parts of it,
when its own crossbars alone have errors and converters and all others give exact integer products.
"""

from collections.abc import Sequence

import numpy as np

from backends.functional import Run
from backends.functional.analog_crossbars import AnalogCrossbars, Expert, expert_of
from backends.functional.free import run_free
from ir.arrays import Array
from ir.chip import Chip
from ir.mapping import Mapping
from ir.onnxdoor.nodes import Nodes
from ir.timing import Cost, full, mvm, with_products
from ir.workload import Workload
from moexbar.progress import Progress
from moexbar.report.quantised import DigitalExpertRow


def sensitivities(
    nodes: Nodes,
    workload: Workload,
    crossbars: AnalogCrossbars,
    runs: Sequence[Run],
    progress: Progress,
) -> dict[Expert, float]:
    """Of every routed expert on crossbars, on the runs; the routers see what they get."""
    blocks = (expert_of(tiles.block) for tiles in crossbars.tiles)
    experts = sorted({expert for expert in blocks if expert is not None})

    def outputs(erring: Sequence[Expert]) -> list[Array]:
        with crossbars.only(erring):
            found = [run_free(nodes, workload, run, crossbars) for run in runs]
        return [values[workload.outputs[-1]].astype(np.float64) for values in found]

    exact, out = outputs(()), dict[Expert, float]()
    size = sum(float((values**2).sum()) for values in exact)
    progress.begin("experts", len(experts))
    for expert in experts:
        pairs = zip(outputs((expert,)), exact, strict=True)
        off = sum(float(((ours - theirs) ** 2).sum()) for ours, theirs in pairs)
        out[expert] = float(np.sqrt(off / size)) if size else 0.0
        progress.step(f"layer {expert[0]}, expert {expert[1]}")
    progress.end()
    return out


def worst(found: dict[Expert, float], count: int) -> tuple[Expert, ...]:
    """The `count` most sensitive, the worst first; of equals the one of the lower number."""
    return tuple(sorted(found, key=lambda expert: (-found[expert], expert))[:count])


def digital_row(expert: Expert, rms: float, mapping: Mapping, chip: Chip) -> DigitalExpertRow:
    """What a token costs there by the account: on a digital unit, and on the crossbars it leaves.

    Digital: all its weights from DRAM, then their multiply-accumulates, one after the other. On
    crossbars: an MVM for each of its stages.
    """
    replicas = [b for b in mapping.blocks if expert_of(b) == expert]
    blocks = list({b.weight: b for b in replicas}.values())
    macs = sum(b.weight.rows * b.weight.columns for b in blocks)
    data = sum(-(-b.weight.rows * b.weight.columns * b.weight.bits // 8) for b in blocks)
    work = with_products(chip, Cost(0, 0, 0), macs, data)
    stages = [sum(b.tiles for b in blocks if b.stage == stage) for stage in (0, 1)]
    analog = [mvm(chip, full(chip, tiles), shared=True) for tiles in stages if tiles]
    return DigitalExpertRow(
        layer=expert[0],
        expert=expert[1],
        rms=rms,
        macs=macs,
        weight_bytes=data,
        digital_ns=work.duration_ps / 1e3,
        digital_nj=work.energy_fj / 1e6,
        crossbar_ns=sum(cost.duration_ps for cost in analog) / 1e3,
        crossbar_nj=sum(cost.energy_fj for cost in analog) / 1e6,
        crossbars=sum(b.tiles for b in replicas),
    )
