"""The MoE part's area efficiency on the shipped model, beside the paper's "up to 2.2x"."""

from compiler.frontend import read_model
from compiler.options import Options, Shape, SolverOptions
from compiler.profiling.profile import load_inputs, profile
from ir.routing import select_sequences
from moexbar.chips import load_chip
from moexbar.efficiency.methods import efficiency_rows
from moexbar.examples.write import MODELS
from moexbar.report.reproduced import EfficiencyRow

SEQUENCES, WINDOW = 16, 128


def area_efficiency() -> list[EfficiencyRow]:
    """The four methods on the shipped token-choice model, beside the published "up to 2.2x".

    The paper's own trace is not public. Groups are fitted to one half of the held-out sequences
    and scored on the other. Empty where the examples are not installed.
    """
    path = MODELS / "token_choice.onnx"
    if not path.is_file():
        return []
    workload = read_model(path)
    inputs = load_inputs(MODELS / "heldout.npz")
    routing = profile(path, workload, inputs, sequences=SEQUENCES, tokens=WINDOW)
    fit, score = (select_sequences(routing, half) for half in ((0, 0.5), (0.5, 1)))
    options = Options(Shape(WINDOW), fit, score, limits=SolverOptions(time_s=0.3))
    return efficiency_rows(workload, routing, load_chip("hermes"), options)
