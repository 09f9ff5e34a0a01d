"""Forms that few models have.

Their order is that of the seeds by which single numbers of them are changed (`corpus.drawn`).
"""

from collections.abc import Callable
from functools import cache

from ir.compiled import Compiled
from ir.schedule import Caches
from tests.compiler.emit.test_apart import kept
from tests.compiler.emit.test_idle_outputs import compiled as with_chosen
from tests.compiler.emit.test_idle_outputs import mixed, with_idle
from tests.compiler.emit.test_single_matrices import single
from tests.compiler.emit.test_streams import SEQUENCE, streaming
from tests.ir.verify.forms.attention import with_fewer_key_heads, with_mask_of_the_user
from tests.ir.verify.forms.experts import in_ternary, of_both_choices, with_one_matrix_for_two
from tests.ir.verify.forms.operators import experts_first, of_other_kinds, with_held_matrices
from tests.ir.verify.forms.parts import IN_TILES, ON_CROSSBARS, OWN_UNITS, TWO, plain, with_digital
from tests.ir.verify.forms.sides import on_sides
from tests.make import small_chip, small_workload

STREAMED = streaming(small_workload())
FORMS: dict[str, Callable[[], Compiled]] = {
    "tied layers": plain(small_workload(tied=True), decode=1),
    "tied layers, routers on crossbars": plain(
        small_workload(tied=True, shared=1), small_chip(digital=ON_CROSSBARS), sequence=TWO
    ),
    "tied layers in lockstep": plain(small_workload(tied=True, k=3), lockstep=True),
    "one matrix an expert": plain(single()),
    "one matrix an expert, a curve after it": plain(single("relu", bias=True)),
    "one matrix of other widths, sums on digital units": plain(
        single("relu", columns=30), small_chip(accumulate={"where": "dpu"})
    ),
    "outputs apart": plain(kept("outputs")),
    "inputs apart": plain(kept("inputs")),
    "tokens that pass themselves on": cache(mixed),
    "routers with idle outputs": plain(with_idle((0, 2), (4, 5), scale=2.5)),
    "idle outputs, in the table": cache(lambda: with_chosen(with_idle((0, 2), (4, 5)))),
    "streams that go on in buffers": plain(
        STREAMED, small_chip(memory={"kv": "buffers"}, digital=IN_TILES), sequence=TWO, decode=2
    ),
    "streams without a cache": plain(
        STREAMED, small_chip(digital=IN_TILES), sequence=SEQUENCE, decode=1, caches=Caches(kv=False)
    ),
    "streams on units of their own": plain(
        STREAMED, small_chip(digital={**OWN_UNITS, **IN_TILES}), sequence=SEQUENCE, copies=2
    ),
    "heads of keys for several": plain(with_fewer_key_heads(small_workload()), decode=2),
    "heads of keys for several, in buffers": plain(
        with_fewer_key_heads(STREAMED), small_chip(memory={"kv": "buffers"}), decode=2
    ),
    "ternary matrices": plain(in_ternary(small_workload())),
    "ternary matrices, a cell each": plain(
        in_ternary(small_workload()), small_chip(crossbar={"signed_cells": True})
    ),
    "experts on digital units": plain(small_workload(k=3), grouping=with_digital(3), decode=1),
    "two of four experts on digital units": plain(
        small_workload(k=3, shared=1, weight_on="input"), grouping=with_digital(0, 2)
    ),
    "digital operators with matrices": plain(
        with_held_matrices(small_workload(masks=True)), sequence=TWO, decode=1
    ),
    "an encoder longer than its decoder": cache(lambda: on_sides(5, 3)),
    "a decoder longer than its encoder": cache(lambda: on_sides(2, 4)),
    "a mask of the user": plain(
        with_mask_of_the_user(STREAMED), small_chip(digital=IN_TILES), sequence=TWO, decode=2
    ),
    "a mask of the user, keys in series": plain(
        with_mask_of_the_user(small_workload()),
        small_chip(memory={"accounting": "reference"}, digital={"accounting": "reference"}),
        decode=2,
        caches=Caches(kv=True, go=False),
    ),
    "experts on what comes with the token": plain(experts_first(small_workload()), decode=1),
    "operators of other kinds": plain(of_other_kinds(small_workload()), decode=1),
    "one matrix for several products": plain(
        with_one_matrix_for_two(small_workload()), sequence=TWO, copies=2
    ),
    "experts that choose, and tokens that do": plain(
        of_both_choices(small_workload(expert_choice=True)), sequence=TWO, decode=2
    ),
    "units of each region": plain(small_workload(k=3), small_chip(digital=OWN_UNITS)),
    "several attention units a region": plain(
        small_workload(), small_chip(digital={**OWN_UNITS, "mha_units_per_region": 2})
    ),
    "few rows at a time": plain(small_workload(), small_chip(mvm={"rows_per_read": 3})),
}
