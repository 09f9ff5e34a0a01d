"""Who runs the model while its routing is recorded: what an execution of it is held against.

That is ONNX Runtime, or, where weights are packed and its kernels round, the model's definition.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from compiler.frontend.moe.found import RECORDED
from compiler.frontend.proof.traced import traced_layers
from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.definition import Definition
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import Source
from ir.onnxdoor.nodes import Nodes
from ir.onnxdoor.packing import is_packed
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Workload

AT_ONCE = 32  # runs that share one reading of weights too many to be held

Feeds = Mapping[str, Array]
Values = dict[str, Array]


@dataclass(frozen=True)
class Recorder:
    """run: the values asked for, for each of several runs; at_once: how many runs to give it."""

    run: Callable[[Sequence[Feeds]], list[Values]]
    at_once: int = 1

    def parts(self, groups: Sequence[range]) -> list[Sequence[range]]:
        """The runs, as many together as are run at once."""
        return [groups[i : i + self.at_once] for i in range(0, len(groups), self.at_once)]


@contextmanager
def recorder(
    source: Source, workload: Workload, names: Sequence[str], runtime: Runtime
) -> Generator[Recorder, None, None]:
    """A recorder of those values; what it has loaded is freed after the block."""
    if is_packed(source.graph):
        nodes = Nodes(source, runtime)
        model = Definition(nodes, workload)
        yield Recorder(lambda runs: model.run_all(runs, names), 1 if model.held else AT_ONCE)
        nodes.drop()
        return
    session = runtime.load(with_outputs(source, names), str(source.path))
    yield Recorder(lambda runs: [session.run(fed, names) for fed in runs])
    session.drop()


def with_reason(error: InputError, workload: Workload, sequence: int) -> InputError:
    """The runtime's error in that sequence, with what is known about a traced export."""
    if not traced_layers(workload):
        return error
    return InputError(error.where, f"sequence {sequence}: {error.problem}", RECORDED)
