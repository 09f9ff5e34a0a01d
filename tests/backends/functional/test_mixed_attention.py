"""A mixture of attention carried out in steps: routed queries come from another region."""

from pathlib import Path

import pytest

from backends.functional import TOLERANCE, compare, execute
from ir.onnxdoor.processes.session import Runtime
from tests.backends.functional.small import case_of
from tests.compiler.frontend import mixed_attention as a
from tests.compiler.frontend import models as m


@pytest.mark.parametrize("how", ["sorted", "Einsum"])
def test_steps_of_two_layers(how: str, tmp_path: Path, runtime: Runtime) -> None:
    """The second attention keeps queries that came over the mesh: what was moved is written."""
    path = a.write(tmp_path, a.mixture(how), layers=2)
    case = case_of(runtime, path, m.token_ids(9, 1), None, 1, 9, decode=2)
    assert [layer.apart for layer in case.workload.moe_layers] == ["outputs", "inputs"] * 2
    regions = {op.layer for op in case.workload.attentions()}
    assert not {layer.layer for layer in case.workload.moe_layers[2:3]} & regions
    assert compare(execute(case, runtime)).worst <= TOLERANCE
