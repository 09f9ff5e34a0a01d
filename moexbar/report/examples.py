"""What `moexbar example` tells: the files of an example and what they stand for."""

from dataclasses import dataclass

from moexbar.examples.sizes import Sizes
from moexbar.examples.synthetic import Traits
from moexbar.report.plain import Document


@dataclass(frozen=True)
class ExampleReport(Document):
    """An example in its folder: `moexbar example --json`.

    moexbar: version.
    example: name.
    files: in the folder, the model first.
    source: where the model or its sizes are from.
    simplified: what is left out of the original.
    """

    moexbar: str
    example: str
    files: tuple[str, ...]
    source: str
    simplified: tuple[str, ...]


@dataclass(frozen=True)
class SyntheticRouting:
    """The routing trace of an example without weights.

    tokens: of the trace.
    sequences: of the trace.
    seed: of the trace.
    traits: constants of the random model that it is drawn from.
    """

    tokens: int
    sequences: int
    seed: int
    traits: Traits


@dataclass(frozen=True)
class LargeExampleReport(ExampleReport):
    """A large example, whose weights have no values: `moexbar example --json`.

    sizes: of the model.
    nodes: of the ONNX graph.
    weights: number of them.
    data_bytes: length of the data file, which is one hole.
    routing: how the trace was drawn.
    """

    sizes: Sizes
    nodes: int
    weights: int
    data_bytes: int
    routing: SyntheticRouting
