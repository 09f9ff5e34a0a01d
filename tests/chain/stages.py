"""Each stage's output, interpreted in plain numpy, means what its input meant.

Nothing here executes a program: a failing case is held against these one after the other, and the
first that does not hold is the stage that went wrong (`first_wrong`).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backends.functional import compare, execute
from backends.simulate import replay
from compiler.grouping import split_pairs
from compiler.trace import routing_matrices
from ir.arrays import Bools
from ir.compiled import Compiled
from ir.mapping import DenseOwner, Owner, RoutedOwner, SharedOwner
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_weight
from ir.workload import Dense, Expert, MoELayer
from tests.chain.recipe import Recipe
from tests.chain.run import Ready, case_of, compile_recipe, read_recipe
from tests.compiler.frontend import execute as operators


def check_front_end(ready: Ready, runtime: Runtime) -> None:
    """The workload's operators, run one after the other, give the model's outputs."""
    error = operators.compare(
        runtime, ready.path, ready.inputs, workload=ready.workload, unpacked=True
    )
    assert error < 1e-4, f"the operators' outputs are off by {error:.1e}"


def check_partition(ready: Ready, done: Compiled) -> None:
    """Every matrix of the model stands on the chip, its tiles put together, and nothing twice.

    x @ W is then the sum over the tiles, each row of tiles on its part of x.
    """
    random, taken = np.random.default_rng(0), set[tuple[int, int, int, int]]()
    found: Counter[tuple[int, str, Owner]] = Counter()
    crossbar = done.chip.crossbar
    for index, pgs, spots in done.mapping.tiles():
        block = done.mapping.blocks[index]
        copied = isinstance(block.owner, RoutedOwner) and block.owner.replica > 0
        found[block.operator, block.role, block.owner] += not copied
        w = load_weight(ready.source, block.weight).astype(np.float64)
        slices = crossbar.cells(block.weight)
        wide = crossbar.columns // slices
        x = random.standard_normal((w.shape[0],))
        out, covered = np.zeros(w.shape[1]), np.zeros(w.shape, dtype=np.int64)
        for i, j in np.ndindex(pgs.shape):
            rows = slice(i * crossbar.rows, min((i + 1) * crossbar.rows, w.shape[0]))
            columns = slice(j * wide, min((j + 1) * wide, w.shape[1]))
            position, top, left = (int(n) for n in spots[i, j])
            part = w[rows, columns]
            cells = {
                (int(pgs[i, j]), position, top + r, left + c)
                for r in range(part.shape[0])
                for c in range(part.shape[1] * slices)
            }
            inside = top + part.shape[0] <= crossbar.rows
            inside &= left + part.shape[1] * slices <= crossbar.columns
            assert inside, f"tile ({i}, {j}) of {block.weight.tensor} leaves its crossbar"
            assert position < done.chip.pg.most, f"{block.weight.tensor}: on crossbar {position}"
            assert not cells & taken, f"tile ({i}, {j}) of {block.weight.tensor} is not alone"
            taken |= cells
            covered[rows, columns] += 1
            out[columns] += x[rows] @ part
        assert np.all(covered == 1), f"{block.weight.tensor}: parts missing or twice"
        assert np.allclose(out, x @ w), f"{block.weight.tensor}: tiles do not add up"
    assert found == _matrices(ready, done), "the chip holds other matrices than the model"


def _matrices(ready: Ready, done: Compiled) -> Counter[tuple[int, str, Owner]]:
    """(operator, role, whose) of every matrix on crossbars, of routed experts the first copy.

    Of large ones on dies of their parts.
    """
    copies = range(ready.recipe.options.get("dense_copies", 1))  # of all but routed experts
    out: Counter[tuple[int, str, Owner]] = Counter()
    holders, routers = list[MoELayer](), list[MoELayer]()  # which no layer before has
    for index, op in enumerate(done.workload.operators):
        if isinstance(op, Dense):
            out.update((index, "dense", DenseOwner(copy)) for copy in copies)
        elif isinstance(op, MoELayer):
            same = [o for o in routers if _same_experts(o, op)]
            new = all(o.router.projection != op.router.projection for o in same)
            new &= op.router.projection is not None
            if new and ready.recipe.chip.get("digital", {}).get("router_on") == "crossbar":
                out.update((index, "dense", DenseOwner(copy)) for copy in copies)
            routers.append(op)
            if any(_same_experts(o, op) for o in holders):
                continue
            holders.append(op)
            named: list[tuple[Owner, Expert]] = [
                (RoutedOwner(e), expert) for e, expert in enumerate(op.experts)
            ]
            named += [(SharedOwner(s, c), e) for s, e in enumerate(op.shared) for c in copies]
            for owner, held in named:
                out[index, "up", owner] += 1
                out[index, "gate", owner] += held.gate is not None
                out[index, "down", owner] += held.down is not None
    return +out


def _same_experts(one: MoELayer, other: MoELayer) -> bool:
    """Whether two layers work on the same crossbars: equal experts of one curve."""
    same = one.experts == other.experts and one.shared == other.shared
    return same and one.activation == other.activation


def check_grouping(ready: Ready, done: Compiled) -> None:
    """Every token-expert pair goes to one group, which holds a copy of its expert."""
    for layer in done.mapping.grouping.for_layers(ready.workload.expert_homes).layers:
        size = max(len(group) for group in layer.groups)
        assert size <= done.chip.pg.mux, f"layer {layer.layer}: a group of {size}"
        chosen = routing_matrices(ready.workload, ready.routing)[layer.layer]
        split = split_pairs(layer, chosen)
        assert np.array_equal(split >= 0, chosen), f"layer {layer.layer}: pairs lost or made up"
        for token, expert in np.argwhere(chosen):
            group = layer.groups[int(split[token, expert])]
            assert expert in group, f"layer {layer.layer}: expert {expert} is not in its group"


def check_schedule(ready: Ready, done: Compiled) -> None:
    """Run in slot order, the pairs of every step give each token its gate-weighted sum.

    Expert e on token t stands for a random vector; its weight for a random number.
    """
    random, schedule = np.random.default_rng(1), done.schedule
    for layer, chosen in done.chosen.items():
        groups = done.mapping.grouping.of(ready.workload.expert_homes[layer]).groups
        value = random.standard_normal((*chosen.shape, 3)) * random.random((*chosen.shape, 1))
        for step in schedule.steps:
            order = step.of(layer)
            out = np.zeros((len(chosen), 3))
            slots = np.stack([order.slot, order.group])
            assert len(np.unique(slots, axis=1).T) == slots.shape[1], "two pairs in one slot"
            for t, e, g in zip(order.token, order.expert, order.group, strict=True):
                assert e in groups[g], f"layer {layer}: group {g} does not hold expert {e}"
                out[t] += value[t, e]
            runs = _tokens_of(ready, done, step.number)
            wanted = np.where(chosen[:, :, None], value, 0).sum(axis=1) * runs[:, None]
            assert np.allclose(out, wanted), f"layer {layer}, step {step.number}: other sums"


def _tokens_of(ready: Ready, done: Compiled, step: int) -> Bools:
    """The tokens whose experts run in a step (decision 10): new ones, or all that nothing keeps."""
    arrival, caches = done.schedule.arrival, done.schedule.caches
    kept = caches.kv or (ready.recipe.expert_choice and caches.go)
    return np.asarray(arrival == step if step and kept else arrival <= step)


def check_times(ready: Ready, done: Compiled) -> None:
    """The program's times replay on its units to the picosecond."""
    replay(done.program, done.chip)


@dataclass(frozen=True)
class Wrong:
    """The first stage that does not hold, and what it says."""

    stage: str
    problem: str


COMPILED: dict[str, Callable[[Ready, Compiled], None]] = {
    "partition and placement": check_partition,
    "grouping": check_grouping,
    "slot schedule": check_schedule,
    "times": check_times,
}


def first_wrong(recipe: Recipe, folder: Path, runtime: Runtime) -> Wrong | None:
    """Where the chain goes wrong; None where nothing does."""
    stage = "front end"
    try:
        ready = read_recipe(recipe, folder, runtime)
        check_front_end(ready, runtime)
        stage = "compiler"
        done = compile_recipe(ready)
        for stage, check in COMPILED.items():  # noqa: B007 (named where it fails)
            check(ready, done)
        stage = "program"
        found = compare(execute(case_of(ready, done), runtime))
        if found.culprit >= 0:
            return Wrong(stage, f"{done.program.name(found.culprit)} makes a wrong value")
    except Exception as error:
        return Wrong(stage, f"{type(error).__name__}: {error}")
    return None
