"""The energy of a design: of its stations, of what moves through buffers, and while it is on."""

from collections.abc import Mapping
from typing import assert_never

import numpy as np

from compiler.design.choices import Values
from compiler.design.flow import Site
from compiler.design.kernels import Jobs
from compiler.design.model import Model
from compiler.design.rates import spans
from compiler.fire_groups import FireGroup
from ir import timing
from ir.chip import Chip
from ir.workload import Attention, Dense, Digital, MoELayer, Workload


def energy_fj(model: Model, values: Values, time_ps: int, waits_ps: int = 0) -> dict[str, int]:
    """Femtojoules of the window by cause; time_ps: of all of it.

    waits_ps: beside it, in which nothing works.
    """
    chip, resting = model.chip(values), 0
    in_use = {} if model.floor.tokens.decode else spans(model, values)
    for site in _hosts(model, values):
        resting += _resting(site, {n: in_use.get(n, time_ps) for n in site.layers}, time_ps)
    found = {
        "instructions": sum(model.kernel(n, values).energy_fj for n in model.order),
        "buffers": 8 * moved_bytes(model, values) * chip.memory.buffer_bit_fj,
        "passive": chip.memory.passive_uw * (time_ps + waits_ps) // 1000,
        "cores": cores_uw(model, values) * (time_ps + waits_ps) // 1000,
        "peripheral groups resting": resting,
    }
    return {cause: fj for cause, fj in found.items() if fj}


def cores_uw(model: Model, values: Values) -> int:
    """What all cores draw whatever they do."""
    sites = _hosts(model, values)
    cores = sum(site.extent.columns * site.extent.rows for site in sites)
    return model.chip(values).mesh.core_uw * cores


def _hosts(model: Model, values: Values) -> list[Site]:
    """The regions, each once where layers share it."""
    sites = (model.site(region, values) for region in model.floor.workload.regions)
    return [site for site in sites if site.layers[0] == site.region]


def _resting(site: Site, in_use: Mapping[int, int], time_ps: int) -> int:
    """A region's peripheral groups between their MVMs, each rest as long as the mean of them.

    in_use: ps of each layer, in all no more than time_ps; before and after they are off.
    """
    chip, total = site.chip, 0
    woken = None if chip.pg.wake_fj is None else chip.pg.wake_ps * chip.pg.idle_uw
    for stand in site.laid.stands[site.region]:
        mvms = [_mvms(site, fire) for fire in stand]
        span = min(sum(in_use[fire.layer] for fire in stand), time_ps)
        for fire, own in zip(stand, mvms, strict=True):
            busy = timing.mvm_ps(chip, shared=not fire.is_bank, stacked=site.shares)
            rest = max(0, span // max(sum(mvms), 1) - busy) * chip.pg.idle_uw
            if woken is not None:
                rest = min(rest, woken + 1000 * (chip.pg.wake_fj or 0))
            total += fire.pgs * own * rest // 1000
    return total


def _mvms(site: Site, fire: FireGroup) -> int:
    """What a fire group computes in all."""
    if fire.is_bank:
        return -(-len(site.floor.tokens) // site.values["copies"])
    counts = site.counts(fire.layer)
    return int(counts.times[counts.group == fire.number].sum())


def moved_bytes(model: Model, values: Values) -> int:
    """Bytes into the buffers of regions and out of them, by the operators' vectors.

    Each value is written once, and read by every operator that takes it; an attention's job reads
    the keys and values before its own once more.
    """
    work, tokens = model.floor.workload, len(model.floor.tokens)
    widths = {name: op.width for op in work.operators for name in op.outputs}
    chip, per_token, pairs = model.chip(values), 0, 0
    for op in work.operators:
        read = sum(widths.get(name, 0) for name in dict.fromkeys(op.inputs))
        match op:
            case MoELayer():
                per_token += read + op.d_model + op.d_out
                pairs += _of_pairs(op) * int(model.floor.tokens.chosen[op.layer].sum())
                per_token += len(op.shared) * _of_pairs(op)
            case Digital():
                per_token += 0 if op.scope == "constant" else read + op.width
            case Attention():
                per_token += read + op.width
            case Dense():
                per_token += op.weight.columns
            case _:
                assert_never(op)
    per_token += sum(_loaded(work).values())
    vectors = (per_token * tokens + pairs) * chip.mvm.output_bits // 8
    return vectors + _keys_again(model, values, chip)


def _loaded(work: Workload) -> dict[tuple[str, int], int]:
    """Values of each broadcast, one for all dense products of an input in a region."""
    return {(op.inputs[0], work.region_of(op.layer)): op.weight.rows for op in work.dense()}


def _of_pairs(op: MoELayer) -> int:
    """Values of a pair: its sums, what becomes of them, and its result, which COMBINE reads."""
    if op.single:
        return 2 * op.d_result * (2 if op.curved else 1)
    sums = op.d_expert * (2 if op.gated else 1)
    after = op.d_expert * (5 if op.gated else 2)  # gated: written, both read for the product, again
    return sums + op.d_expert + after + 2 * op.d_result


def _keys_again(model: Model, values: Values, chip: Chip) -> int:
    """Keys and values of earlier tokens that jobs of attentions read."""
    total, place = 0, model.floor.tokens.place
    each = {
        op.name: timing.key_bytes(chip, op.kv_heads, op.head_dim)
        for op in model.floor.workload.attentions()
    }
    for number, station in enumerate(model.stations):
        kernel = model.kernel(number, values)
        if station.unit == "mha" and isinstance(kernel, Jobs):
            first = np.unique(kernel.job, return_index=True)[1]
            total += int(place[first].sum()) * each[station.what]
    return total
