"""Cost of one instruction, against values worked by hand."""

from dataclasses import replace

import pytest

from ir import timing
from ir.chip import Dies, Link
from ir.errors import InputError
from moexbar.chips import load_chip

HERMES = load_chip("hermes-mux2")
PAPER = load_chip("paper")
REGION = timing.Extent(1, 1, 16)


@pytest.mark.parametrize(
    ("name", "ns"),
    [
        ("hermes", 130),
        ("hermes-4phase", 521),
        ("ibm-3dcim", 100),
        ("isaac", 1600),  # 16 one-bit cycles x max(100 ns, 128 columns x 0.781 ns)
        ("puma", 2304),  # 16 cycles x 128 ns + 2 x 128 ns
        ("paper", 130),
    ],
)
def test_mvm_time_of_presets(name: str, ns: int) -> None:
    assert timing.mvm_ps(load_chip(name), shared=False) == ns * 1000


def test_mvm_takes_the_slower_of_read_and_conversion() -> None:
    # 8 columns per ADC x 20 ns = 160 ns > 130 ns
    held = replace(HERMES.mvm, adc_kind="sampled", columns_per_adc=8, conversion_ps=20_000)
    slow = replace(HERMES, mvm=held)
    assert timing.mvm_ps(slow, shared=False) == 160_000


def test_mux_settles_only_where_crossbars_share() -> None:
    chip = replace(HERMES, pg=replace(HERMES.pg, mux=2, mux_settle_ps=5_000))
    assert timing.mvm_ps(chip, shared=True) == 135_000
    assert timing.mvm_ps(chip, shared=False) == 130_000
    alone = replace(chip, pg=replace(chip.pg, mux=1))
    assert timing.mvm_ps(alone, shared=True) == 130_000


def test_mvm_energy_is_per_crossbar_and_cycle() -> None:
    assert timing.mvm(HERMES, timing.full(HERMES, 3), shared=True).energy_fj == 3 * 12_500_000
    isaac = load_chip("isaac")
    assert (
        timing.mvm(isaac, timing.full(isaac, 1), shared=True).energy_fj == 16 * isaac.mvm.cycle_fj
    )


def test_bus_carries_b_vectors_per_slot() -> None:
    # B = 2: a vector of d_model takes half an MVM time; the latency comes on top, not on the bus,
    # and so does the way along 2 x 3493 um of wire at 40 ps/mm: 279.4 ps
    cost = timing.load(HERMES, 128, 128, REGION)
    assert cost.busy_ps == 65_000
    assert cost.duration_ps == 65_000 + HERMES.bus.latency_ps + 280
    assert cost.bytes == 128
    # half the vector, half the time
    assert timing.load(HERMES, 64, 128, REGION).busy_ps == 32_500
    # width: 2 x 128 x 8 bits in 130 ns = 15.75, rounded up for the area
    assert timing.bus_bits_per_ns(HERMES, 128) == 16


def test_return_link_has_lanes() -> None:
    assert timing.store(HERMES, 128, 128, 4).busy_ps == 65_000 // 4


def test_unlimited_bus_costs_its_latency_and_is_never_busy() -> None:
    cost = timing.load(PAPER, 4096, 4096, REGION)
    assert (cost.duration_ps, cost.busy_ps) == (12_000, 0)


def test_fixed_bus_width() -> None:
    chip = replace(HERMES, bus=replace(HERMES.bus, transfers_per_slot=None, bits_per_ns=512))
    # 4096 x 8 bits / 512 bits per ns = 64 ns, and so much the buffers of two cores give
    assert timing.load(chip, 4096, 128, timing.Extent(2, 1, 32)).busy_ps == 64_000


def test_add_follows_the_published_line() -> None:
    # 8 d / 256 + 4 ns: 12 ns at 256, 132 ns at 4096, 25.5 ns at 688 (docs/model.md, section Timing)
    assert timing.add(PAPER, 256).duration_ps == 12_000
    assert timing.add(PAPER, 4096).duration_ps == 132_000
    assert timing.add(PAPER, 688).duration_ps == 25_500
    assert timing.add(PAPER, 256).energy_fj == 9_430


def test_norm_of_4096_values() -> None:
    cost = timing.norm(PAPER, 4096)
    assert cost.duration_ps == 800_000
    assert cost.energy_fj == 16 * 20_960  # 335.4 pJ


def test_partial_sums_on_the_dpu_are_one_add_per_further_row() -> None:
    # 16 row tiles of one column: 15 adds of 12 ns
    assert timing.accumulate(PAPER, 16, 1, 256, bias=False).duration_ps == 15 * 12_000


def test_partial_sums_in_a_chain_are_pipelined() -> None:
    # one hop of 256 values of 16 bits = 24 ns, one add = 12 ns; three tiles = two of both
    cost = timing.accumulate(HERMES, 3, 2, 256, bias=False)
    assert cost.duration_ps == 2 * (24_000 + 12_000)
    assert cost.busy_ps == 24_000 + 12_000
    assert cost.energy_fj == 2 * 2 * (2 * 12_930 + 9_430)


@pytest.mark.parametrize(("rows", "levels"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (32, 5)])
def test_partial_sums_in_a_tree_take_a_level_for_each_halving(rows: int, levels: int) -> None:
    """Levels of 24 ns to the other of a pair and 12 ns to add it; energy of rows - 1 of both.

    Three tiles are two levels: a pair and the third, then their sums. A bias comes last.
    """
    tree = replace(HERMES, accumulate=replace(HERMES.accumulate, order="tree"))
    chain = timing.accumulate(HERMES, rows, 2, 256, bias=False)
    cost = timing.accumulate(tree, rows, 2, 256, bias=False)
    assert cost.duration_ps == levels * (24_000 + 12_000)
    assert cost.energy_fj == chain.energy_fj == 2 * (rows - 1) * (2 * 12_930 + 9_430)
    with_bias = timing.accumulate(tree, rows, 2, 256, bias=True)
    assert with_bias.duration_ps == cost.duration_ps + 12_000
    # a digital unit has one adder: no order makes it faster
    unit = replace(PAPER, accumulate=replace(PAPER.accumulate, order="tree"))
    assert timing.accumulate(unit, 16, 1, 256, bias=False).duration_ps == 15 * 12_000


def test_adders_of_a_peripheral_group_may_have_a_time_of_their_own() -> None:
    """NeuroSim: a clock of 1.697 ns a level, no hop, no energy beside the products'.

    4, 8 and 32 arrays: 2, 3 and 5 levels; one product after another a clock apart.
    """
    chip = load_chip("neurosim")
    costs = [timing.accumulate(chip, rows, 16, 16, bias=False) for rows in (4, 8, 32)]
    assert [cost.duration_ps for cost in costs] == [3_394, 5_091, 8_485]
    assert {(cost.busy_ps, cost.energy_fj) for cost in costs} == {(1_697, 0)}


def test_a_bias_is_one_more_add() -> None:
    assert timing.accumulate(HERMES, 1, 1, 256, bias=True).duration_ps == 12_000


def test_packets_follow_each_other_over_hops() -> None:
    # 512 values = 2 packets over 3 hops: 3 + 2 - 1 = 4 hop times, and 139.7 ps of wire for each of
    # 3 hops; energy 3 x 2 packets, and 4096 bits over 3 x 3.493 mm at 100 fJ/bit/mm
    cost = timing.xfer(HERMES, 512, 3)
    assert cost.duration_ps == 4 * 12_000 + 3 * 140
    assert cost.energy_fj == 6 * 12_930 + 4_292_199
    assert timing.xfer(HERMES, 512, 0).duration_ps == 0


def test_packets_of_different_cores_go_side_by_side() -> None:
    # gate and up of gpt-oss-20b: 5760 values = 23 packets. Out of one core: 23 x 12 ns, twice an
    # MVM. Out of the 18 cores that their 288 tiles fill: two each; the energy is the same.
    one, wide = timing.xfer(HERMES, 5760, 3), timing.xfer(HERMES, 5760, 3, 18)
    assert (one.busy_ps, wide.busy_ps) == (23 * 12_000, 2 * 12_000)
    assert wide.duration_ps == (3 + 2 - 1) * 12_000 + 3 * 140
    # 46080 bits over 10.479 mm: 48287232 fJ
    assert wide.energy_fj == one.energy_fj == 3 * 23 * 12_930 + 48_287_232
    assert timing.xfer(HERMES, 512, 3, 5).busy_ps == 12_000  # more ports than packets


def test_reference_attention_polynomial() -> None:
    # s = 32, d = 4096: 1024 x (1.064e-4 x 4096 + 1.521e-5 x 4096^2) = 261752.1 ns, up, halved
    cost = timing.attention(PAPER, 32, 32, 32, 128, causal=True)
    assert cost.duration_ps == 261_753_000 // 2
    assert cost.energy_fj == pytest.approx(0.557225 * 32**2 * 4096 * 1000 / 2, rel=1e-9)
    # with a key-value cache the newest token alone asks: the reference divides both by s
    one = timing.attention(PAPER, 1, 32, 32, 128, causal=True)
    assert one.duration_ps == 261_753_000 // 64
    assert one.energy_fj == pytest.approx(0.557225 * 32 * 4096 * 1000 / 2, abs=1)


def test_attention_by_macs() -> None:
    # 3 tokens, causal: 6 (query, key) pairs x 2 products x 4 x 32 values
    assert timing.attention_macs(3, 3, 4, 32, causal=True) == 6 * 2 * 128
    assert timing.attention_macs(3, 3, 4, 32, causal=False) == 9 * 2 * 128
    # the newest of 5 tokens sees all 5; the newest two see 4 and 5
    assert timing.attention_macs(1, 5, 4, 32, causal=True) == 5 * 2 * 128
    assert timing.attention_macs(2, 5, 4, 32, causal=True) == 9 * 2 * 128


def test_gate_has_the_products_of_router_and_shared_gates() -> None:
    """128 values, 8 experts and one shared gate: 9 x 128 = 1152 MACs, against 1024 without."""
    digital = timing.gate(HERMES, 128, 8, 1, on_crossbar=False)
    assert digital == timing.macs(HERMES, 1152)
    assert timing.gate(HERMES, 128, 8, 0, on_crossbar=False) == timing.macs(HERMES, 1024)


def test_gate_of_a_router_on_crossbars() -> None:
    """Its 8 scores come from crossbars: one pass over them, and the products of the shared gate."""
    alone = timing.gate(HERMES, 128, 8, 0, on_crossbar=True)
    assert alone == timing.digital(HERMES, 8)
    both = timing.gate(HERMES, 128, 8, 1, on_crossbar=True)
    shared = timing.macs(HERMES, 128)
    assert both.duration_ps == alone.duration_ps + shared.duration_ps
    assert both.energy_fj == alone.energy_fj + shared.energy_fj


@pytest.mark.parametrize(
    ("vectors", "weighted", "scaled", "operations"),
    [
        (4, 4, False, 7),  # four products, three sums
        (5, 4, False, 8),  # a shared expert without a gate: one sum more
        (5, 5, False, 9),  # with a gate: a product as well
        (4, 4, True, 8),  # the routed sum times 2.5
        (1, 1, False, 1),  # one expert: nothing to add
        (0, 0, False, 1),  # no expert chose this token: zeros are written
    ],
)
def test_combine(vectors: int, weighted: int, scaled: bool, operations: int) -> None:
    one = timing.add(HERMES, 256)  # 4 ns + 8 ns
    found = timing.combine(HERMES, vectors, weighted, 256, 64, scaled=scaled)
    assert one.duration_ps == 12_000
    assert found.duration_ps == operations * 12_000
    assert found.energy_fj == operations * one.energy_fj


def test_the_reference_combines_in_adds_as_wide_as_the_hidden_layer() -> None:
    """Top-4: 3 adds of 688 values, 4 + 8 x 688 / 256 = 25.5 ns each, rounded up to 26."""
    found = timing.combine(PAPER, 4, 4, 4096, 688)
    assert found.duration_ps == 3 * 26_000
    assert found.energy_fj == 3 * -(-9_430 * 688 // 256)
    assert timing.combine(PAPER, 1, 1, 4096, 688) == timing.Cost(0, 0, 0)  # k = 1: nothing to add


def test_the_reference_selects_in_no_time() -> None:
    assert timing.topk(PAPER, 16, 4) == timing.Cost(0, 0, 0)
    assert timing.top_tokens(PAPER, 1, 8, 16) == timing.Cost(0, 0, 0)
    assert timing.gate(PAPER, 4096, 16, 0, on_crossbar=True) == timing.Cost(0, 0, 0)
    shared = timing.gate(PAPER, 4096, 16, 1, on_crossbar=True)  # a product is one anywhere
    assert shared == timing.macs(PAPER, 4096)


def test_flat_distances_take_one_hop_whatever_is_moved_wherever() -> None:
    """12 ns for 256 values to a neighbour and for 12288 over the chip; the link is not busy."""
    near, far = timing.xfer(PAPER, 256, 0), timing.xfer(PAPER, 12_288, 9)
    assert (near.duration_ps, near.busy_ps, near.energy_fj) == (12_000, 0, 0)
    assert (far.duration_ps, far.busy_ps, far.energy_fj) == (12_000, 0, 0)
    assert far.bytes == 12_288
    assert timing.store(PAPER, 12_288, 4096, 4, hops=9).duration_ps == 12_000


def test_a_vector_over_a_link_between_dies() -> None:
    """4096 values of 8 bits over 1792 bits a ns: 18.286 ns; 2 ns of latency, 2 + 3 mesh hops.

    Each hop is 12 ns and 140 ps of wire, and 12.93 pJ for each of 16 packets; over all five
    17.465 mm at 100 fJ/bit/mm; the link takes 500 fJ a bit. Meanwhile it takes others.
    """
    link = Link("own", 896, 2_000, 2_000, 500, 0)
    chip = replace(HERMES, dies=Dies(4_000_000), link=link)
    cost = timing.cross(chip, 4096, 2, 3)
    assert cost.busy_ps == 18_286
    assert cost.duration_ps == 18_286 + 2_000 + 5 * (12_000 + 140)
    assert cost.energy_fj == 32_768 * 500 + 5 * 16 * 12_930 + 57_229_312
    assert cost.bytes == 4096
    assert timing.cross(chip, 4096, 0, 0) == timing.Cost(20_286, 18_286, 16_384_000, 4096)
    # values of 12 bits: 3 x 12 = 36 bits are 5 bytes, 20.09 ps
    narrow = replace(chip, mvm=replace(chip.mvm, output_bits=12))
    assert timing.cross(narrow, 3, 0, 0) == timing.Cost(2_021, 21, 18_000, 5)


def test_hops_to_a_link_count_nothing_where_distances_are_flat() -> None:
    """8 bits over 8 bits a ns: 1 ns, and 7 ps of latency."""
    flat = replace(HERMES.mesh, distance="flat")
    chip = replace(HERMES, mesh=flat, dies=Dies(1), link=Link("own", 8, 1_000, 7, 1, 0))
    assert timing.cross(chip, 1, 5, 9) == timing.Cost(1_007, 1_000, 8, 1)


def test_one_die_has_no_link_to_cross() -> None:
    with pytest.raises(InputError, match=r"hermes-mux2: no \[link\]"):
        timing.cross(HERMES, 1, 0, 0)


def test_ports_of_crossbars_take_energy_once_per_product() -> None:
    """12.93 pJ to bring the input and 12.93 pJ to take the output, beside 12.5 nJ."""
    assert timing.mvm(PAPER, timing.full(PAPER, 3), shared=False).energy_fj == 3 * (
        12_500_000 + 2 * 12_930
    )
    assert timing.load(PAPER, 4096, 4096, REGION).energy_fj == 0
    bits = replace(load_chip("isaac"), mvm=replace(load_chip("isaac").mvm, port_fj=5))
    more = timing.mvm(bits, timing.full(bits, 1), shared=False).energy_fj - 16 * bits.mvm.cycle_fj
    assert more == 5  # once, not for each of the 16 input cycles


def test_a_switch_settles_where_a_group_has_several_crossbars() -> None:
    """Of experts where mux > 1, of a stack always; of neither one in either, whatever the limit."""
    for mux, limit in ((1, 0), (1, 8), (2, 0), (2, 8)):
        pg = replace(HERMES.pg, mux=mux, stack_limit=limit, mux_settle_ps=5_000)
        chip = replace(HERMES, pg=pg)
        found = {
            (shared, stacked): timing.mvm_ps(chip, shared=shared, stacked=stacked)
            - timing.mvm_ps(chip, shared=False)
            for shared in (False, True)
            for stacked in (False, True)
        }
        settles = 5_000 if mux > 1 else 0
        assert found == {
            (False, False): 0,
            (True, False): settles,
            (False, True): 5_000,
            (True, True): 5_000,
        }
