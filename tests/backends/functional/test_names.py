"""What passes between instructions is never taken for a value of the model, whatever its name."""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from backends.functional.names import Added, Inner, Moved, Name, Partial, Passed
from ir.onnxdoor.processes.session import Runtime
from tests.backends.functional.small import TOKENS, case_of, run_case
from tests.compiler.frontend import models as m

NAMES: tuple[Name, ...] = (*Inner, Partial("up"), Added("up"), Moved("up"), Passed("up"))


def give_out_scores(path: Path, name: str) -> None:
    """The router's scores become a further output of the model, called `name`."""
    model = onnx.load(path)
    (scores,) = {node.input[0] for node in model.graph.node if node.op_type == "TopK"}
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [name if n == scores else n for n in names]
    value = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["all_tokens", m.EXPERTS])
    model.graph.output.append(value)
    onnx.save(model, path)


@pytest.mark.parametrize("name", [str(n) for n in NAMES if n is not Inner.LOGITS])  # of the head
def test_a_value_of_the_model_may_have_any_name(
    name: str, tmp_path: Path, runtime: Runtime
) -> None:
    """The scores go from the GATE through TOPK and COMBINE, beside what these names mean there.

    Those of the experts picked are divided by their sum to be weights: taken for weights as they
    are, they would make the model's logits wrong by 9 %.
    """
    path = m.write(tmp_path, [m.dense_masked()])
    give_out_scores(path, name)
    done = run_case(runtime, case_of(runtime, path, m.token_ids(TOKENS, 1), None, 1, TOKENS))
    assert done.culprit == -1
    assert done.worst < 2e-6
    assert [d.name for d in done.outputs] == ["logits", name]


def test_messages_tell_the_names_apart() -> None:
    assert len({str(name) for name in NAMES}) == len(NAMES)
