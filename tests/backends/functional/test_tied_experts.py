"""MoE layers with the same experts: these stand once, and all layers work on them in turn."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backends.cost import cost
from backends.functional import Case, execute
from backends.simulate import replay
from ir.compiled import Compiled
from ir.errors import CheckError
from ir.mapping import Block, RoutedOwner, SharedOwner
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.verify import check_program, verify_mapping
from ir.workload import MoELayer, Workload
from tests.backends.functional import mutate
from tests.backends.functional.small import case_of, run_case
from tests.backends.functional.test_tied import ALL, Tied, Turns
from tests.compiler.frontend import models as m
from tests.make import small_chip

TOKENS = 9
UP, DOWN = (m.EXPERTS, 2 * m.HIDDEN, m.D), (m.EXPERTS, m.D, m.HIDDEN)  # stacks of gate and up; down
EXPERTS: Turns = {UP: 1, DOWN: 1}
ROUTER: Turns = {(m.D, m.EXPERTS): 1}
ON_CROSSBARS = {"digital": {"router_on": "crossbar"}}


def tied_case(
    runtime: Runtime,
    folder: Path,
    turns: Turns,
    *,
    layers: int = 2,
    sequences: int = 1,
    decode: int = 0,
    blocks: Sequence[m.Ffn] = (),
    chip: dict[str, Any] | None = None,
    **options: Any,
) -> Case:
    """Layers of which each has the matrices of the first, of the shapes in `turns`."""
    graph = m.transformer(Tied(turns=turns), blocks or [m.gather_batched()] * layers)
    path, ids = graph.model(folder / "m.onnx", m.LOGITS), m.token_ids(TOKENS, sequences)
    on = small_chip(**(chip or {}))
    return case_of(runtime, path, ids, on, sequences, TOKENS, decode, **options)


def expert_blocks(case: Case) -> int:
    return sum(isinstance(b.owner, RoutedOwner) for b in case.executable.mapping.blocks)


def router_blocks(case: Case) -> list[Block]:
    moe = {i for i, op in enumerate(case.workload.operators) if isinstance(op, MoELayer)}
    return [b for b in case.mapping.blocks if b.role == "dense" and b.operator in moe]


@pytest.mark.parametrize("turns", [EXPERTS, EXPERTS | ROUTER, EXPERTS | ROUTER | ALL])
@pytest.mark.parametrize("mux", [1, 2, 4])
def test_experts_stand_once(runtime: Runtime, tmp_path: Path, turns: Turns, mux: int) -> None:
    """Of two layers, whatever their routers: 4 experts x gate, up, down, in the first's region."""
    case = tied_case(runtime, tmp_path, turns, chip={"pg": {"mux": mux}})
    work, program = case.executable.workload, case.executable.program
    assert work.expert_homes == {0: 0, 1: 0}
    assert expert_blocks(case) == m.EXPERTS * 3
    assert [g.layer for g in case.executable.mapping.grouping.layers] == [0]
    assert len(np.unique(program.node[program.expert >= 0])) == 2
    replay(program, case.executable.chip)
    assert run_case(runtime, case).worst < 1e-5


@pytest.mark.parametrize("decode", [0, 3])
def test_three_layers_and_sequences(runtime: Runtime, tmp_path: Path, decode: int) -> None:
    case = tied_case(runtime, tmp_path, EXPERTS, layers=3, sequences=2, decode=decode)
    program, chip = case.executable.program, case.executable.chip
    assert expert_blocks(case) == m.EXPERTS * 3
    assert len(cost(program, chip).moe) == 3
    assert run_case(runtime, case).worst < 1e-5


def test_layers_work_on_a_group_at_the_same_time(runtime: Runtime, tmp_path: Path) -> None:
    """In order of tokens, the last sequence is in the first layer with the first one past it."""
    case = tied_case(runtime, tmp_path, EXPERTS, sequences=4, scheduling="compact")
    p = case.program
    first, second = np.unique(p.node[p.expert >= 0])
    turns = (p.opcode == Opcode.MVM) & (p.expert >= 0)
    begins, ends = p.start_ps[turns & (p.node == second)], p.end_ps[turns & (p.node == first)]
    assert begins.min() < ends.max()


@pytest.mark.parametrize("routers", [1, 2])
def test_routers_on_crossbars(runtime: Runtime, tmp_path: Path, routers: int) -> None:
    """The same one stands once too; one of its own stands beside the experts."""
    turns = EXPERTS | (ROUTER if routers == 1 else {})
    case = tied_case(runtime, tmp_path, turns, chip=ON_CROSSBARS)
    assert [b.layer for b in router_blocks(case)] == [0] * routers
    assert run_case(runtime, case).worst < 1e-5


OPTIONS: dict[str, dict[str, Any]] = {
    "one token at a time": {"scheduling": "token-serial"},
    "replicas": {"grouping": "local-search", "replicas": 2},
    "packed": {"pack": True},
    "placed by a solver": {"placement": "cp-sat"},
    "by time": {"grouping": "local-search", "objective": "time"},
    "one input buffer": {"chip": {"pg": {"input_buffers": 1, "retain_input": True}}},
    "one input buffer, one token at a time": {
        "chip": {"pg": {"input_buffers": 1, "retain_input": True}},
        "scheduling": "token-serial",
    },
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_of_the_compiler(runtime: Runtime, tmp_path: Path, name: str) -> None:
    case = tied_case(runtime, tmp_path, EXPERTS, sequences=4, **OPTIONS[name])
    replay(case.program, case.chip)
    assert run_case(runtime, case).worst < 1e-5


SHARED = m.dense_masked(shared=m.gated_shared)
CHOICE = m.expert_choice()
ALL_TENSORS: Turns = {(m.D, m.HIDDEN): 2 * m.EXPERTS, (m.HIDDEN, m.D): m.EXPERTS}  # gate, up; down
WITH_SHARED: Turns = {(m.D, m.HIDDEN): 2 * m.EXPERTS + 2, (m.HIDDEN, m.D): m.EXPERTS + 1}
BLOCKS: dict[str, tuple[m.Ffn, Turns]] = {
    "shared experts": (SHARED, WITH_SHARED),
    "experts choose": (CHOICE, ALL_TENSORS),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_other_layers(runtime: Runtime, tmp_path: Path, name: str) -> None:
    """A shared expert is a bank that the tokens of both layers go through, each with its gate."""
    block, turns = BLOCKS[name]
    case = tied_case(runtime, tmp_path, turns, blocks=[block] * 2, decode=2)
    blocks = [b for b in case.mapping.blocks if isinstance(b.owner, RoutedOwner | SharedOwner)]
    assert len(blocks) == 3 * (m.EXPERTS + (block is SHARED))
    assert run_case(runtime, case).worst < 1e-5


@pytest.mark.parametrize("chip", [{}, ON_CROSSBARS])
@pytest.mark.parametrize("turns", [EXPERTS, EXPERTS | ROUTER])
def test_the_program_pays_for_the_hops_that_a_placement_counts(
    turns: Turns, chip: dict[str, Any], runtime: Runtime, tmp_path: Path
) -> None:
    """The same program with and without energy per hop differs by packets x hops of its tokens."""
    per_hop, spent = 1000, list[int]()
    for fj in (per_hop, 0):
        mesh = {"mesh": {"pgs_per_core": 1, "hop_fj": fj}}
        case = tied_case(runtime, tmp_path, turns, chip=chip | mesh)
        spent.append(int(case.program.energy_fj.sum()))
    known = case.mapping.placement.certificate
    assert known is not None
    assert spent[0] - spent[1] == known.value * per_hop > 0


def test_another_curve_between_the_same_matrices(runtime: Runtime, tmp_path: Path) -> None:
    """Then the experts are others: each layer has its own, and a note says so."""

    def curved(act: str) -> m.Ffn:
        def block(g: m.Graph, x: str) -> str:
            g.act = act
            return m.dense_masked(m.softmax_topk, m.plain)(g, x)

        return block

    turns: Turns = {(m.D, m.HIDDEN): m.EXPERTS, (m.HIDDEN, m.D): m.EXPERTS}
    case = tied_case(runtime, tmp_path, turns, blocks=[curved("relu"), curved("tanh")])
    assert expert_blocks(case) == 2 * 2 * m.EXPERTS
    assert len(case.workload.notes) == 2 * m.EXPERTS
    assert all("each has a copy of its own on crossbars" in note for note in case.workload.notes)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    return tied_case(runtime, tmp_path_factory.mktemp("model"), EXPERTS, chip=ON_CROSSBARS)


def test_the_account_counts_them_once(case: Case) -> None:
    """The tensors of gate and up, and of down, which both layers use; there is nothing to note."""
    shared = case.workload.account.shared
    assert [(s.copies, len(s.operators)) for s in shared] == [(1, 2)] * 2
    assert case.workload.notes == ()


def with_other_experts(workload: Workload) -> Workload:
    """The second layer's first expert has another matrix in the same tensor."""
    operators = list(workload.operators)
    *_, last = (i for i, op in enumerate(operators) if isinstance(op, MoELayer))
    layer = operators[last]
    assert isinstance(layer, MoELayer)
    one, two, *others = layer.experts
    operators[last] = replace(layer, experts=(replace(one, up=two.up), two, *others))
    return replace(workload, operators=tuple(operators))


def test_other_weights_are_not_served(runtime: Runtime, tmp_path: Path) -> None:
    """The verifier finds by itself that the second layer's experts stand nowhere."""
    case = tied_case(runtime, tmp_path, EXPERTS)
    verify_mapping(case.mapping, case.workload, case.chip)
    with pytest.raises(CheckError, match=r"blocks: layer 1 .* has no block"):
        verify_mapping(case.mapping, with_other_experts(case.workload), case.chip)


def test_crossbars_of_other_weights_are_refused(case: Case, runtime: Runtime) -> None:
    """The layers work in one region, on the same experts, but each router's matrix is its own."""
    first, second = (b.operator for b in router_blocks(case))
    p = case.program
    mine, other = (
        mutate.rows(p, Opcode.MVM, node=n, expert=-1, stage=0)[0] for n in (second, first)
    )
    there, load = int(p.unit[other]), int(p.reads[mine][0])
    to = [[there] if row == load else p.dst[row].tolist() for row in range(len(p))]
    wrong = replace(mutate.put(p, "unit", mine, there), dst=mutate.lists(to))
    with pytest.raises(CheckError, match="do not hold its tiles"):
        execute(replace(case, executable=replace(case.executable, program=wrong)), runtime)
    done = case.executable
    assert isinstance(done, Compiled)
    told = dict(check_program(replace(done, program=wrong)))
    assert "runs on PGs of another operator" in told["opcode-unit"]


def test_slots_are_each_layers_own(case: Case) -> None:
    """Of a group's turns those of one layer may not change places; the other's do not matter."""
    done = case.executable
    assert isinstance(done, Compiled)
    told = dict(check_program(done))
    assert told["slot-order"] == "ok"
    p = done.program
    node = int(p.node[p.expert >= 0].max())
    turns = [r for r in mutate.rows(p, Opcode.MVM, node=node, stage=0) if p.expert[r] >= 0]
    unit = int(p.unit[turns[0]])
    one, two = [r for r in turns if p.unit[r] == unit][:2]
    swapped = mutate.swap(p, "start_ps", one, two)
    told = dict(check_program(replace(done, program=swapped)))
    assert told["slot-order"] != "ok"
