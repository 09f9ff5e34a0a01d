"""What the buffers of regions take in and give out: by hand, and found where it is wrong."""

from dataclasses import replace

import pytest

from backends.cost import cost
from ir.errors import CheckError
from ir.verify import verify_program
from tests.make import compile_small, small_chip, small_workload


def test_bytes_by_hand() -> None:
    """One layer of d 8, f 4, 2 experts of which a token has 1; 3 tokens in one sequence.

    A token writes EMBED 8, three NORMs 24, the STOREs of q, k, v, o 32, two ADDs 16, GATE 2 x 2,
    TOPK 4, up and gate by XFER 8, ACT 4, MUL 4, the expert's STORE 8, COMBINE 8, the head's STORE
    30: 150. The sequence's ATTN writes 3 x 8.

    A token reads NORMs 24; LOADs for q, k and v, for o (its own vector of the ATTN's), the experts
    (and their choice, 4) and the head 36; ATTN q, k, v 24; ADDs 32; GATE 8; TOPK 4; ACT the gate's
    half 4; MUL it and the other half 8; XFER to the second stage 4; COMBINE a result and its gate
    12: 156.
    """
    workload = small_workload(layers=1, d=8, f=4, experts=2, k=1)
    chip = small_chip(memory={"buffer_bit_fj": 80})
    done = compile_small(workload, chip, tokens=3)
    held = done.program.inventory
    assert (held.buffer_written_bytes, held.buffer_read_bytes) == (3 * 150 + 24, 3 * 156)
    energy = cost(done.program, chip).energy
    assert energy.dynamic_fj["buffers"] == 80 * 8 * (474 + 468)
    assert energy.dynamic_total_fj == done.program.energy_fj.sum() + 602_880
    free = cost(done.program, small_chip()).energy  # whose buffers take nothing
    assert "buffers" not in free.dynamic_fj


@pytest.mark.parametrize("field", ["buffer_written_bytes", "buffer_read_bytes"])
def test_a_wrong_count_is_found(field: str) -> None:
    done = compile_small()
    wrong = replace(done.program.inventory, **{field: 1})
    with pytest.raises(CheckError, match="inventory"):
        verify_program(replace(done, program=replace(done.program, inventory=wrong)))
