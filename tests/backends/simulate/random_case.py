"""Random small models on random small chips, compiled."""

from dataclasses import replace

import numpy as np

from ir.compiled import Compiled
from ir.mapping import Grouping
from ir.stacks import NO_STACKS
from ir.workload import Workload
from tests.make import compile_small, contiguous, map_small, small_chip, small_workload
from tests.stacks import random_stacks


def random_case(seed: int, stack_limit: int = 0) -> Compiled:
    """Any mix of what the emitter can emit: 3 to 12 tokens, 1 or 2 sequences, 1 to 3 layers.

    stack_limit: the same in random stacks of so many crossbars.
    """
    rng = np.random.default_rng(seed)

    def coin() -> bool:
        return bool(rng.integers(2))

    experts = int(rng.integers(2, 7))
    layers = int(rng.integers(1, 4))
    workload = small_workload(
        layers,
        d=2 * int(rng.integers(4, 15)),
        f=int(rng.integers(3, 20)),
        experts=experts,
        k=int(rng.integers(1, experts + 1)),
        gated=coin(),
        shared=int(rng.integers(0, 3)),
        expert_choice=coin() and coin(),
        dense_layers=(0,) if layers > 1 and coin() else (),
        bias=coin(),
        masks=coin(),
    )
    chip = small_chip(
        pg={
            "mux": int(rng.integers(1, 5)),
            "input_buffers": int(rng.integers(1, 4)),
            "retain_input": coin(),
            "mux_settle_ps": int(rng.integers(0, 3)) * 700,
            "stack_limit": stack_limit,
        },
        mvm={"read_ps": int(rng.integers(1, 200)) * 1000, "dac_bits": int(rng.choice([1, 4, 8]))},
        accumulate={"where": "dpu" if coin() else "pg"},
        bus={
            "transfers_per_slot": [None, 1, 2, 4][rng.integers(4)],
            "latency_ps": int(rng.integers(0, 2)) * 1500,
            "return_lanes": int(rng.integers(0, 3)),
        },
        mesh={"pgs_per_core": int(rng.integers(1, 9)), "hop_ps": int(rng.integers(0, 2)) * 12_000},
        digital={
            "dpus": int(rng.integers(1, 6)),
            "mha_units": int(rng.integers(1, 3)),
            "router_on": "crossbar" if coin() else "digital",
            "experts_wait_for_router": coin(),
        },
    )
    sequence = np.sort(rng.integers(0, 1 + coin(), int(rng.integers(3, 13))))
    lockstep = coin() and coin()
    grouping, pack = with_replica(workload, chip.pg.mux) if coin() else None, coin()
    stacks = NO_STACKS
    if stack_limit:
        stacks = random_stacks(map_small(workload, chip, grouping, pack=pack), chip, seed)
    return compile_small(
        workload,
        chip,
        sequence=sequence,
        lockstep=lockstep,
        seed=seed,
        grouping=grouping,
        pack=pack,
        stacks=stacks,
    )


def with_replica(workload: Workload, mux: int) -> Grouping:
    """Contiguous groups, and the first expert once more in the last group if it has room."""
    layers = []
    for layer in contiguous(workload, mux).layers:
        *first, last = layer.groups
        roomy = bool(first) and len(last) < mux
        layers.append(replace(layer, groups=(*first, (*last, 0) if roomy else last)))
    return Grouping(tuple(layers))
