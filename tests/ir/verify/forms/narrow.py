"""Forms that one clause of a check asks for; no change of their numbers is drawn."""

from collections.abc import Callable
from functools import cache

import numpy as np

from ir.activation import usual
from ir.compiled import Compiled
from ir.schedule import Caches
from tests.compiler.emit.test_apart import kept
from tests.compiler.emit.test_single_matrices import single
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.dies import JOINED, at_random, die_chip
from tests.ir.verify.forms.attention import (
    attention_first,
    looking_at_attention,
    of_the_newest_alone,
    with_a_table,
    with_attention_added_as_it_is,
    with_attention_of,
    with_attention_twice,
    with_mask_of_the_user,
    without_the_second_attention,
)
from tests.ir.verify.forms.compiled import (
    in_lockstep_at_first,
    moved_in_no_time,
    second_stage_in_a_stack,
    waiting,
    without_prefill,
)
from tests.ir.verify.forms.experts import (
    scored_by_several_matrices,
    scoring_other_vectors,
    with_a_router_of_its_own,
    with_a_shared_one,
    with_bias_of_one_expert_less,
    with_bias_of_one_of_two,
    with_inputs_apart_in_one,
    with_one_different,
    with_weights_of_outputs,
)
from tests.ir.verify.forms.operators import (
    experts_first,
    multiplying_at_once,
    nothing_but_a_product,
    one_product,
    with_a_constant_of_shapes,
    with_a_sum_of_the_last_layers,
    with_the_mask_beside_vectors,
)
from tests.ir.verify.forms.parts import (
    IN_TILES,
    OF_TWO,
    ON_CROSSBARS,
    ONE_AND_THREE,
    OWN_UNITS,
    SHARES,
    SLOW_BUFFERS,
    TWO,
    plain,
    with_digital,
)
from tests.ir.verify.forms.rare import STREAMED
from tests.ir.verify.forms.sides import on_sides
from tests.make import small_chip, small_workload

NARROW: dict[str, Callable[[], Compiled]] = {
    "streams, the first of one token": plain(
        STREAMED, small_chip(digital=IN_TILES), sequence=ONE_AND_THREE
    ),
    "streams, the first of one token, in buffers": plain(
        STREAMED, small_chip(memory={"kv": "buffers"}, digital=IN_TILES), sequence=ONE_AND_THREE
    ),
    "streams whose jobs' results are added": plain(
        with_attention_added_as_it_is(STREAMED), small_chip(digital=IN_TILES), sequence=SEQUENCE
    ),
    "buffers, digital units as in the reference": plain(
        STREAMED,
        small_chip(memory={"kv": "buffers"}, digital={"accounting": "reference"}),
        sequence=TWO,
        decode=1,
    ),
    "a buffer slower than its bus": plain(small_workload(), small_chip(**SLOW_BUFFERS)),
    "buffers slower than their buses, on dies": plain(
        small_workload(),
        die_chip(JOINED["ring of 4"], **SLOW_BUFFERS),
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "a mask of the user, keys in buffers": plain(
        with_mask_of_the_user(STREAMED),
        small_chip(memory={"kv": "buffers"}, digital=IN_TILES),
        sequence=TWO,
        decode=2,
    ),
    "routers on crossbars that score tokens again": plain(
        small_workload(expert_choice=True),
        small_chip(digital=ON_CROSSBARS),
        decode=1,
        caches=Caches(go=False),
    ),
    "tied layers, their one router on crossbars": plain(
        small_workload(tied=True), small_chip(digital=ON_CROSSBARS), decode=1
    ),
    "routers that score other vectors": plain(
        scoring_other_vectors(small_workload()), sequence=TWO, decode=1
    ),
    "routers on crossbars that score other vectors": plain(
        scoring_other_vectors(small_workload(shared=1)), small_chip(digital=ON_CROSSBARS)
    ),
    "routers on crossbars, of one layer digital": plain(
        scored_by_several_matrices(small_workload()), small_chip(digital=ON_CROSSBARS)
    ),
    "digital experts on what comes with the token": plain(
        experts_first(small_workload(k=3)), grouping=with_digital(0, 2), decode=1
    ),
    "digital experts of unlike widths": plain(
        small_workload(k=3, widths=(12, 8)), grouping=with_digital(0, 1)
    ),
    "experts without gates, on dies": plain(
        small_workload(gated=False),
        die_chip(JOINED["ring of 4"]),
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "flash converters, energy of others of fewer columns": plain(
        small_workload(), small_chip(split=OF_TWO, mvm={"adc_kind": "flash", "columns_per_adc": 4})
    ),
    "flash converters, energy of their own": plain(
        small_workload(), small_chip(split=SHARES, mvm={"adc_kind": "flash"})
    ),
    "sampling converters, energy of others of fewer columns": plain(
        small_workload(), small_chip(split=OF_TWO, mvm={"columns_per_adc": 4})
    ),
    "a bias of one of two matrices, each a tile high": plain(
        with_bias_of_one_of_two(small_workload(layers=1, d=8, f=6, bias=True))
    ),
    "streams in buffers, experts choose again": plain(
        streaming(small_workload(expert_choice=True)),
        small_chip(memory={"kv": "buffers"}, digital=IN_TILES),
        sequence=TWO,
        decode=2,
        caches=Caches(go=False),
    ),
    "one attention that streams": plain(
        streaming(small_workload(layers=1)), small_chip(digital=IN_TILES), sequence=SEQUENCE
    ),
    "an encoder that streams": cache(lambda: on_sides(3, 5, streaming)),
    "products of the first operator's vectors": plain(multiplying_at_once(small_workload())),
    "one token, a router on crossbars": plain(
        small_workload(), small_chip(digital=ON_CROSSBARS), tokens=1
    ),
    "attention that could stream and waits": cache(waiting),
    "no MoE layer, caches of keys alone": plain(
        small_workload(dense_layers=(0, 1)), decode=1, caches=Caches(go=False)
    ),
    "decode steps alone": cache(lambda: without_prefill(reference=False)),
    "decode steps alone, as in the reference": cache(lambda: without_prefill(reference=True)),
    "a constant beside vectors that are kept": plain(
        with_the_mask_beside_vectors(small_workload(layers=1, expert_choice=True, masks=True)),
        decode=1,
        caches=Caches(go=False),
    ),
    "one token, looked up on crossbars": plain(small_workload(layers=1, embedded=True), tokens=1),
    "a constant that takes shapes": plain(
        with_a_constant_of_shapes(small_workload(layers=1, masks=True)), decode=1
    ),
    "nothing but a product": plain(nothing_but_a_product(), decode=1),
    "attention first, which streams": plain(
        attention_first(), small_chip(digital=IN_TILES), sequence=SEQUENCE
    ),
    "an encoder that streams, with a table": cache(
        lambda: on_sides(3, 5, lambda workload: with_a_table(streaming(workload)))
    ),
    "constants, on dies": plain(
        small_workload(masks=True),
        die_chip(JOINED["ring of 4"]),
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "streams, on dies": plain(
        STREAMED,
        die_chip(JOINED["ring of 4"], digital=IN_TILES),
        sequence=SEQUENCE,
        sites=at_random(JOINED["ring of 4"], 3),
    ),
    "a digital unit for seven peripheral groups": plain(
        small_workload(layers=1), small_chip(digital={**OWN_UNITS, "pgs_per_dpu": 7})
    ),
    "lockstep in the first step alone": cache(in_lockstep_at_first),
    "few rows at a time, energy of each": plain(
        small_workload(layers=1), small_chip(split=SHARES, mvm={"rows_per_read": 3})
    ),
    "one matrix an expert, one shared, a router on crossbars": plain(
        with_a_shared_one(single()), small_chip(digital=ON_CROSSBARS)
    ),
    "a bias of all but one of the second matrices": plain(
        with_bias_of_one_expert_less(small_workload(layers=1, bias=True))
    ),
    "layers on the same matrices, of another curve": plain(
        with_one_different(small_workload(tied=True), activation=usual("relu"))
    ),
    "layers on the same matrices, one's inputs apart": plain(with_inputs_apart_in_one()),
    "tied layers, a router each on crossbars": plain(
        with_a_router_of_its_own(small_workload(tied=True)), small_chip(digital=ON_CROSSBARS)
    ),
    "crossbars higher than wide": plain(
        small_workload(layers=1), small_chip(crossbar={"rows": 16})
    ),
    "crossbars wider than high": plain(
        small_workload(layers=1), small_chip(crossbar={"columns": 16})
    ),
    "looked up on crossbars, on dies": plain(
        small_workload(layers=1, embedded=True),
        die_chip(JOINED["ring of 4"]),
        decode=1,
        sites=at_random(JOINED["ring of 4"], 1),
    ),
    "four regions, two values of a token after each other": plain(
        with_a_sum_of_the_last_layers(small_workload(layers=4)), tokens=1
    ),
    "a longer decoder that looks at an encoder's attention": cache(
        lambda: on_sides(2, 4, looking_at_attention)
    ),
    "as many attention units as three copies ask for": plain(
        small_workload(layers=1), small_chip(digital=OWN_UNITS), copies=3
    ),
    "a region without attention": plain(
        without_the_second_attention(small_workload()), small_chip(digital=OWN_UNITS)
    ),
    "streams that look at a whole sequence's value": plain(
        with_attention_of(streaming(small_workload(layers=1, masks=True)), "mixed"),
        small_chip(digital=IN_TILES),
        sequence=SEQUENCE,
    ),
    "streams of what streams gave, in one region": plain(
        with_attention_twice(streaming(small_workload(layers=1))),
        small_chip(digital=IN_TILES),
        sequence=SEQUENCE,
    ),
    "two groups on two dies, each other token's": plain(
        small_workload(layers=1),
        die_chip(JOINED["two"]),
        chosen={0: np.tile([[False, False, True, True], [True, True, False, False]], (3, 1))},
        sites=at_random(JOINED["two"], 1),
    ),
    "outputs apart, each with a weight": plain(with_weights_of_outputs(kept("outputs"))),
    "an encoder longer than its decoder, routers on crossbars": cache(
        lambda: on_sides(5, 3, digital=ON_CROSSBARS)
    ),
    "a second stage in a stack": cache(second_stage_in_a_stack),
    "one product in two copies, of three tokens and one": plain(
        one_product(), tokens=4, decode=1, copies=2
    ),
    "two shared experts wider than the routed": plain(
        small_workload(layers=1, shared=2, shared_f=20)
    ),
    "streams, buffers that keep no keys": plain(
        streaming(small_workload(layers=1)),
        small_chip(memory={"kv": "buffers"}, digital=IN_TILES),
        sequence=SEQUENCE,
        decode=1,
        caches=Caches(kv=False),
    ),
    "attention for the newest token alone, whose keys are in no buffer": plain(
        of_the_newest_alone(streaming(small_workload(layers=1))),
        small_chip(memory={"kv": "buffers"}),
        tokens=1,
    ),
    "vectors that are moved in no time": moved_in_no_time,
}
