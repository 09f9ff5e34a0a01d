"""Keys and values that stay in the regions' buffers: decode steps go on with the chain of jobs."""

from pathlib import Path

import pytest

from backends.functional import Case, compare, execute
from ir import timing
from ir.compiled import Compiled
from ir.errors import CheckError, InputError
from ir.onnxdoor.processes.session import Runtime
from ir.program import Opcode
from ir.schedule import Caches
from ir.verify import check_program
from ir.workload import Attention
from tests.backends.functional import mutate
from tests.backends.functional.small import run_case, small_case
from tests.compiler.frontend import models as m
from tests.make import small_chip

BUFFERS = small_chip(memory={"kv": "buffers"})


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """Two sequences of 6 tokens and 3 decode steps."""
    folder = tmp_path_factory.mktemp("model")
    block = m.dense_masked()
    return small_case(runtime, folder, block, chip=BUFFERS, sequences=2, tokens=9, decode=3)


@pytest.fixture(scope="module")
def dram(tmp_path_factory: pytest.TempPathFactory, runtime: Runtime) -> Case:
    """The same with keys and values in DRAM."""
    folder = tmp_path_factory.mktemp("model")
    return small_case(runtime, folder, m.dense_masked(), sequences=2, tokens=9, decode=3)


def faults(case: Case) -> set[str]:
    """Checks that a program fails."""
    assert isinstance(case.executable, Compiled)
    return {check for check, problem in check_program(case.executable) if problem != "ok"}


def jobs(case: Case, step: int) -> list[int]:
    """Attention of a step, in the order of the sequences."""
    found = mutate.rows(case.program, Opcode.ATTN, step=step)
    return sorted(found, key=lambda row: (case.program.seq[row], case.program.token[row]))


def attention(case: Case) -> Attention:
    (op,) = case.workload.attentions()
    return op


def test_every_step_computes_the_model(case: Case, runtime: Runtime) -> None:
    done = run_case(runtime, case)
    assert (done.culprit, done.worst < 2e-6) == (-1, True)
    assert [d.name for d in done.operators].count("logits") == 4


def test_without_a_cache_all_is_computed_again(tmp_path: Path, runtime: Runtime) -> None:
    """No keys are kept anywhere: each step is a chain of its own over all tokens so far."""
    block, none = m.dense_masked(), Caches(kv=False)
    again = small_case(runtime, tmp_path, block, chip=BUFFERS, tokens=6, decode=2, caches=none)
    assert run_case(runtime, again).culprit == -1
    assert [len(jobs(again, step)) for step in range(3)] == [4, 5, 6]


def test_a_step_goes_on_with_the_step_before(case: Case) -> None:
    """One job for each sequence's token, which reads the job before; keys are those so far."""
    p, op = case.program, attention(case)
    assert not mutate.rows(p, Opcode.KV_RD) and not mutate.rows(p, Opcode.KV_WR)
    for step in (1, 2, 3):
        for sequence, row in enumerate(jobs(case, step)):
            before = jobs(case, step - 1)
            last = [r for r in before if p.seq[r] == p.seq[row]][-1]
            assert last in p.reads[row]
            assert p.token[row] == 9 * sequence + 5 + step
            assert p.macs[row] == 2 * (6 + step) * op.heads * op.head_dim


def test_what_keys_are_made_of_stays_to_the_last_step(case: Case) -> None:
    """The last job of a sequence reads what its 9 keys, and its 9 values, are made of."""
    p, op = case.program, attention(case)
    last = jobs(case, 3)[0]
    makers = {name: i for i, o in enumerate(case.workload.operators) for name in o.outputs}
    for name in filter(makers.__contains__, op.kept):  # the mask is made of the model's input
        made = [r for r in p.reads[last].tolist() if p.node[r] == makers[name]]
        assert sorted(p.token[made].tolist()) == list(range(9))


def test_the_memory_is_the_buffers(case: Case, dram: Case) -> None:
    """In DRAM: 2 sequences x 9 tokens; in buffers nothing is there, and a buffer has that more."""
    op, chip = attention(case), case.chip
    kept = 2 * 9 * timing.key_bytes(chip, op.kv_heads, op.head_dim)
    ours, theirs = case.program.inventory, dram.program.inventory
    assert (ours.kv_bytes, theirs.kv_bytes) == (0, kept)
    assert ours.buffer_bytes >= kept
    # steps of 7, 8 and 9 keys read all but their own from the buffer, where they are vectors
    assert ours.buffer_read_bytes > 2 * (6 + 7 + 8) * timing.key_bytes(
        chip, op.kv_heads, op.head_dim
    )


def test_the_checks_see_a_key_that_goes(case: Case) -> None:
    """A chain that breaks between steps, and a key that nothing holds on to: `inputs` says so."""
    p, op = case.program, attention(case)
    assert not faults(case)
    row = jobs(case, 2)[0]
    without = [r for r in p.reads[row].tolist() if p.opcode[r] != Opcode.ATTN]
    assert "inputs" in faults(case.running(mutate.reads(p, row, without)))
    last = jobs(case, 3)[0]
    makers = {name: i for i, o in enumerate(case.workload.operators) for name in o.outputs}
    key = next(r for r in p.reads[last].tolist() if p.node[r] == makers[op.kept[-1]])
    fewer = [r for r in p.reads[last].tolist() if r != key]
    assert "inputs" in faults(case.running(mutate.reads(p, last, fewer)))


def test_a_step_that_starts_anew_has_no_keys(case: Case, runtime: Runtime) -> None:
    p = case.program
    row = jobs(case, 2)[0]
    without = [r for r in p.reads[row].tolist() if p.opcode[r] != Opcode.ATTN]
    with pytest.raises(CheckError, match=r"does not read .* of token 0"):
        compare(execute(case.running(mutate.reads(p, row, without)), runtime))


def test_the_reference_reads_keys_from_dram() -> None:
    with pytest.raises(InputError, match=r"memory\.kv: buffers, but memory.accounting reference"):
        small_chip(memory={"kv": "buffers", "accounting": "reference"})


def test_a_barrier_over_a_whole_sequence_has_no_place(case: Case) -> None:
    """A job without a token is one that reads a cache in DRAM, which there is not."""
    p = case.program
    row = jobs(case, 2)[0]
    assert "operators" in faults(case.running(mutate.put(p, "token", row, -1)))
