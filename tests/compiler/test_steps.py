"""Steps and windows: which tokens a prefill and each decode step work on."""

from dataclasses import replace

import numpy as np
import pytest

from compiler.options import Shape
from compiler.steps import pairs_run, plan_steps, refuse_caches
from compiler.trace import first_window
from ir.errors import InputError
from ir.routing import Routing
from ir.schedule import Caches
from tests.make import small_workload

# a prefill of two tokens, then two steps
ARRIVAL = np.array([0, 0, 1, 2])


def sets(caches: Caches, **how: bool) -> list[tuple[list[int], list[int]]]:
    """(rows, scored) of every step."""
    plan = plan_steps(ARRIVAL, caches, **{"expert_choice": False} | how)
    return [(step.rows.tolist(), step.scored.tolist()) for step in plan]


def test_with_a_kv_cache_only_the_new_token_runs() -> None:
    assert sets(Caches()) == [([0, 1], [0, 1]), ([2], [2]), ([3], [3])]


def test_without_a_kv_cache_every_token_so_far_runs_again() -> None:
    again = [([0, 1], [0, 1]), ([0, 1, 2], [0, 1, 2]), ([0, 1, 2, 3], [0, 1, 2, 3])]
    assert sets(Caches(kv=False)) == again
    # token choice looks at no other token's scores: the GO cache changes nothing
    assert sets(Caches(kv=False, go=False)) == again


def test_expert_choice_scores_every_token_unless_a_go_cache_keeps_the_scores() -> None:
    assert sets(Caches(go=False), expert_choice=True)[2] == ([3], [0, 1, 2, 3])
    assert sets(Caches(kv=False), expert_choice=True)[2] == ([0, 1, 2, 3], [3])


def test_the_reference_runs_one_token_where_there_is_a_go_cache() -> None:
    # whatever the KV cache: "KV only = all s tokens, GO only = one token"
    assert sets(Caches(go=False), reference=True)[2] == ([0, 1, 2, 3], [0, 1, 2, 3])
    assert sets(Caches(kv=False), reference=True)[2] == ([3], [3])


def test_a_generation_alone_starts_after_the_prefill() -> None:
    plan = plan_steps(ARRIVAL, Caches(), expert_choice=False, first=1)
    assert [step.number for step in plan] == [1, 2]


@pytest.mark.parametrize(
    ("caches", "runs"),
    [
        (Caches(), [3]),
        (Caches(go=False), [3]),  # scores again, runs only the new token's pairs
        (Caches(kv=False), [3]),  # the others' outputs are kept
        (Caches(kv=False, go=False), [0, 1, 2, 3]),
    ],
)
def test_expert_choice_runs_the_pairs_whose_outputs_nothing_keeps(
    caches: Caches, runs: list[int]
) -> None:
    last = plan_steps(ARRIVAL, caches, expert_choice=True)[-1]
    picked = pairs_run(last, np.ones((4, 3), dtype=np.bool_))
    assert np.flatnonzero(picked.all(axis=1)).tolist() == runs
    assert np.flatnonzero(picked.any(axis=1)).tolist() == runs


def trace(*lengths: int) -> Routing:
    """A trace of one layer with sequences of these lengths."""
    total = sum(lengths)
    return Routing(
        layer=np.array([0]),
        num_experts=np.array([2]),
        sequence=np.repeat(np.arange(len(lengths)), lengths),
        choices=np.zeros((1, total, 1), dtype=np.int16),
    )


def test_a_window_takes_the_first_sequences_that_are_long_enough() -> None:
    # tokens 0-2, 3-7, 8-9, 10-14: two of at least 4 tokens, three of prefill and one of decode
    window = first_window(trace(3, 5, 2, 5), (0, 15), Shape(3, batch=2, decode=1))
    assert window.trace.tolist() == [3, 4, 5, 6, 10, 11, 12, 13]
    assert window.sequence.tolist() == [1] * 4 + [3] * 4
    assert window.arrival.tolist() == [0, 0, 0, 1] * 2


def test_a_prefill_longer_than_any_sequence_takes_several() -> None:
    window = first_window(trace(3, 3, 3), (3, 9), Shape(5))
    assert window.trace.tolist() == [3, 4, 5, 6, 7]
    assert window.sequence.tolist() == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("shape", [Shape(4, decode=1), Shape(2, batch=4), Shape(10)])
def test_a_window_that_the_trace_does_not_have_is_refused(shape: Shape) -> None:
    with pytest.raises(InputError, match=f"at least {shape.length} tokens in the score range"):
        first_window(trace(3, 3, 3), (0, 9), shape)


@pytest.mark.parametrize("kv", [True, False])
@pytest.mark.parametrize("go", [True, False])
@pytest.mark.parametrize("decode", [0, 2])
def test_one_cache_is_not_for_layers_of_both_kinds(kv: bool, go: bool, decode: int) -> None:
    """Token choice reads no inputs again, and nothing keeps its outputs."""
    both = [small_workload(expert_choice=choice) for choice in (True, False)]
    last = both[1].moe_layers[-1]
    operators = tuple(last if op.name == last.name else op for op in both[0].operators)
    mixed = replace(both[0], operators=operators)
    for workload in both:
        refuse_caches(workload, Caches(kv, go), decode)
    if kv == go or not decode:
        refuse_caches(mixed, Caches(kv, go), decode)
        return
    with pytest.raises(InputError, match=r"caches: .. alone.* keep .. too, or neither"):
        refuse_caches(mixed, Caches(kv, go), decode)


def test_vectors_that_no_cache_keeps_are_not_scored_again() -> None:
    """Experts choose anew among all tokens, of which only what experts work on is kept."""
    plain = small_workload(expert_choice=True)
    (layer, *_) = plain.moe_layers
    router = replace(layer.router, reads="embed")
    other = replace(layer, inputs=(*layer.inputs, "embed"), router=router)
    operators = tuple(other if op.name == other.name else op for op in plain.operators)
    workload = replace(plain, operators=operators)
    refuse_caches(workload, Caches(kv=True, go=False), 0)
    refuse_caches(workload, Caches(kv=False, go=False), 2)
    refuse_caches(workload, Caches(kv=True, go=True), 2)
    beside = replace(layer, inputs=(*layer.inputs, "embed"))  # read, though not multiplied
    for one in (other, beside):
        operators = tuple(one if op.name == one.name else op for op in plain.operators)
        with pytest.raises(InputError, match=r"caches: kv alone, with routers .* keep go too"):
            refuse_caches(replace(plain, operators=operators), Caches(kv=True, go=False), 2)
