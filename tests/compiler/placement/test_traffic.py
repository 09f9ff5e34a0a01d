"""Packets x hops: by hand, and against the energy of the program's own transfers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.partition import partition
from compiler.placement import Routed, place
from compiler.placement.traffic import Traffic, packet_hops, traffic_of
from ir.mapping import Mapping
from ir.verify import check_program
from ir.workload import Workload
from tests.make import compile_small, contiguous, map_small, random_routing, small_chip
from tests.make import small_workload as workload_of

SIX = np.zeros(6, dtype=np.int64)


def traffic_under(mapping: Mapping, workload: Workload, chip: Any, chosen: Any) -> Traffic:
    return traffic_of(
        workload, mapping.blocks, mapping.placement.pg_start, mapping.grouping, chip, chosen, 6
    )


def test_packets_of_one_layer_by_hand() -> None:
    # every vector is at most 256 values of 8 bits: one packet. Groups (0, 1) and (2, 3) of mux 2.
    workload, chip = workload_of(layers=1, experts=4, k=2), small_chip()
    chosen = {0: np.zeros((6, 4), dtype=np.bool_)}
    chosen[0][:, 0] = True  # six pairs of group 0
    chosen[0][:2, 1] = True  # two more
    chosen[0][:4, 3] = True  # four of group 1
    mapping = map_small(workload, chip)
    traffic = traffic_under(mapping, workload, chip, chosen)
    # q, k, v, o: one result per token; group 0: 8 results of up and gate, then 8 hidden vectors
    # in and 8 results out of down; group 1: half of that; head: 6
    assert [f.packets for f in traffic.flows] == [6, 6, 6, 6, 8, 16, 4, 8, 6]
    assert traffic.moves == ()


def test_copies_of_dense_blocks_share_their_tokens() -> None:
    """Six tokens dealt to four copies: two, two, one and one result of q, and of k, v, o, head."""
    workload, chip = workload_of(layers=1, experts=4, k=2), small_chip()
    chosen = {0: np.zeros((6, 4), dtype=np.bool_)}
    traffic = traffic_under(map_small(workload, chip, copies=4), workload, chip, chosen)
    dense = [f.packets for f in traffic.flows if f.packets]
    assert dense == [2, 2, 1, 1] * 5


def test_a_vector_crosses_to_another_region_once() -> None:
    # the residual sum of layer 0 is read by the norm AND the addition of layer 1: one XFER
    workload, chip = workload_of(layers=2), small_chip()
    chosen = random_routing(workload, SIX)
    traffic = traffic_under(map_small(workload, chip), workload, chip, chosen)
    assert traffic.moves == (((0, 1), 6),)


def test_hops_are_the_box_around_group_and_port() -> None:
    # one PG per core in rows of 3: PGs 0 1 2 / 5 4 3 / 6 ..; the port is at PG 0
    chip = small_chip(mesh={"pgs_per_core": 1, "width": 3, "height": 90})
    placement = map_small(workload_of(layers=1), chip).placement
    assert placement.hops_to_port(0, 0, 1) == 0
    assert placement.hops_to_port(0, 2, 1) == 2
    assert placement.hops_to_port(0, 4, 1) == 1 + 1
    # PG 2 is 2 to the right, PG 6 is 2 down: the box is 2 + 2, though neither is 4 hops away
    assert placement.hops_to_port(0, 2, 5) == 4


@pytest.mark.parametrize(
    ("workload", "chip"),
    [
        ({}, {}),
        ({}, {"mesh": {"pgs_per_core": 1}}),
        ({"shared": 1, "layers": 3}, {"mesh": {"pgs_per_core": 2}}),
        ({"expert_choice": True}, {"mesh": {"pgs_per_core": 2}}),
        ({"gated": False, "bias": True, "masks": True}, {"mesh": {"pgs_per_core": 3}}),
        ({"dense_layers": (1,)}, {"mesh": {"pgs_per_core": 1}, "accumulate": {"where": "dpu"}}),
        # 20 values of 512 bits are 5 packets of 2048, 12 are 3, gate and up together 6
        ({}, {"mesh": {"pgs_per_core": 1}, "mvm": {"output_bits": 512}}),
        ({}, {"mesh": {"pgs_per_core": 1}, "digital": {"router_on": "crossbar"}}),
    ],
)
def test_the_program_pays_for_exactly_these_hops(
    workload: dict[str, Any], chip: dict[str, Any]
) -> None:
    # the same program with and without energy per hop differs by packets x hops x that energy
    model, per_hop = workload_of(**workload), 1000
    mesh = chip.pop("mesh", {})
    chips = [small_chip(**chip, mesh={**mesh, "hop_fj": fj}) for fj in (per_hop, 0)]
    chosen = random_routing(model, SIX)
    paid, free = (compile_small(model, c, chosen=chosen) for c in chips)
    traffic = traffic_under(paid.mapping, model, chips[0], chosen)
    value = packet_hops(traffic, paid.mapping.placement)
    spent = int(paid.program.energy_fj.sum()) - int(free.program.energy_fj.sum())
    assert value > 0
    assert spent == value * per_hop


@pytest.mark.parametrize("name", ["duration", "energy"])
def test_the_verifier_counts_hops_for_itself(name: str) -> None:
    # the program of one placement, judged by another with every layer's cores in reverse order
    workload, chip = workload_of(layers=1), small_chip(mesh={"pgs_per_core": 1})
    c = compile_small(workload, chip)
    verdicts = dict(check_program(c))
    assert verdicts[name] == "ok"
    moved = replace(c.mapping.placement, core=c.mapping.placement.core[::-1].copy())
    mapping = replace(c.mapping, placement=moved)
    verdicts = dict(check_program(replace(c, mapping=mapping)))
    assert "expected" in verdicts[name]


def test_in_order_is_scored_where_the_routing_is_known() -> None:
    workload, chip = workload_of(), small_chip(mesh={"pgs_per_core": 1})
    blocks, grouping = partition(workload, chip), contiguous(workload, 2)
    chosen = random_routing(workload, SIX)
    assert place(blocks, grouping, chip).certificate is None
    placement = place(blocks, grouping, chip, routed=Routed(workload, chosen, 6))
    traffic = traffic_under(Mapping(blocks, grouping, placement), workload, chip, chosen)
    known = placement.certificate
    assert known is not None
    assert (known.objective, known.status) == ("packets x hops", "heuristic")
    assert known.value == packet_hops(traffic, placement)
    assert 0 < known.bound <= known.value
