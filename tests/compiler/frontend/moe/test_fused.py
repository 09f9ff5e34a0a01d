"""Operators that are a whole layer, whose router reads something else than the experts."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontend import read_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import MoELayer
from tests.backends.functional.small import TOKENS, case_of, run_case
from tests.compiler.frontend import models as m
from tests.compiler.frontend.execute import compare


def operator(g: m.Graph, x: str, logits: str) -> str:
    """com.microsoft::MoE on `x`, routed by `logits`."""
    fc1, fc2 = g.weight(g.experts, g.hidden, g.d), g.weight(g.experts, g.d, g.hidden)
    chosen = {"k": g.top, "activation_type": "silu", "normalize_routing_weights": 1}
    return g("MoE", x, logits, fc1, "", fc2, domain="com.microsoft", **chosen)


def pre_gated(g: m.Graph, x: str) -> str:
    """The router reads the block's input, the experts a norm of it."""
    return operator(g, m.rms_norm(g, x), m.router_logits(g, m.flat(g, x)))


def by_two_matrices(g: m.Graph, x: str) -> str:
    hidden = g("Tanh", m.linear(g, m.flat(g, x), g.d, g.d))
    return operator(g, m.rms_norm(g, x), m.router_logits(g, hidden))


def by_table(g: m.Graph, x: str) -> str:
    """Logits that are looked up by a token's id: no vector is scored."""
    table = g.constant(g.random.standard_normal((g.vocab, g.experts)), np.float32)
    found = g("Gather", table, "input_ids")
    return operator(g, x, g("Reshape", found, g.constant([-1, g.experts])))


ROUTERS: dict[str, tuple[m.Ffn, bool]] = {  # and whether the matrix is the layer's own
    "pre-gated": (pre_gated, True),
    "two matrices": (by_two_matrices, False),
    "table": (by_table, False),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_router_beside_the_experts(name: str, tmp_path: Path, runtime: Runtime) -> None:
    """The layer has two inputs: the experts' vectors, and what the router has."""
    block, own = ROUTERS[name]
    path = m.write(tmp_path, [block])
    workload = read_model(path, runtime=runtime)
    (layer,) = workload.moe_layers
    assert isinstance(layer, MoELayer)
    assert (layer.proof, len(layer.inputs), layer.router.experts) == ("run", 2, m.EXPERTS)
    assert (layer.router.projection is not None) == own
    assert compare(runtime, path, m.token_ids(), workload=workload) < 1e-5
    done = run_case(runtime, case_of(runtime, path, m.token_ids(TOKENS), None, 1, TOKENS))
    assert done.culprit == -1
    assert done.worst < 2e-6
