"""Forms that few models have: right programs of each pass every check."""

import numpy as np
import pytest

from ir.verify import check_mapping, check_program
from tests.ir.verify.forms.compiled import moved_in_no_time
from tests.ir.verify.forms.narrow import NARROW
from tests.ir.verify.forms.rare import FORMS


@pytest.mark.parametrize("name", [*FORMS, *NARROW])
def test_a_right_program_of_a_form_passes_every_check(name: str) -> None:
    c = (FORMS | NARROW)[name]()
    found = check_mapping(c.mapping, c.workload, c.chip) + check_program(c)
    assert [(check, what) for check, what in found if what != "ok"] == []


def test_a_result_is_written_where_a_vector_lived_no_time() -> None:
    """Both at one moment, into a byte of one buffer, the result by the earlier row."""
    p = moved_in_no_time().program
    last = p.end_ps.copy()
    np.maximum.at(last, p.reads.values, p.end_ps[p.reads.rows()])
    gone = np.flatnonzero((p.buffer >= 0) & (last == p.end_ps))
    waits = np.flatnonzero((p.buffer >= 0) & (last > p.end_ps))
    both = (p.buffer[gone] == p.buffer[waits, None]) & (p.end_ps[gone] == p.end_ps[waits, None])
    both &= np.maximum(p.offset[gone], p.offset[waits, None]) < np.minimum(
        (p.offset + p.bytes)[gone], (p.offset + p.bytes)[waits, None]
    )
    assert np.any(both & (waits[:, None] < gone))
