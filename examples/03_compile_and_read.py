"""Compile the shipped model from Python and ask the program a question.

Run: python examples/03_compile_and_read.py
"""

from pathlib import Path

import numpy as np

from backends.cost import cost
from compiler.frontend import read_model
from compiler.options import Options, Shape
from compiler.pipeline import compile_model
from compiler.profiling.profile import load_inputs, profile
from ir.program import Opcode
from ir.routing import select_sequences
from moexbar.chips import load_chip

MODELS = Path(__file__).parent / "models"


def main() -> None:
    path = MODELS / "token_choice.onnx"
    workload, chip = read_model(path), load_chip("hermes-mux2")
    routing = profile(path, workload, load_inputs(MODELS / "heldout.npz"), sequences=8, tokens=32)
    fit, score = (select_sequences(routing, half) for half in ((0, 0.5), (0.5, 1)))
    done = compile_model(workload, routing, chip, Options(Shape(32), fit, score))
    program = done.program
    figures = cost(program, chip)
    print(
        f"{len(program)} instructions, {figures.time_ps / 1e6:.2f} us, "
        f"{figures.energy.total_fj / 1e9:.2f} uJ"
    )
    mvm = (program.opcode == Opcode.MVM) & (program.expert >= 0) & (program.stage == 0)
    for layer in np.unique(program.layer[mvm]).tolist():
        here = mvm & (program.layer == layer)
        busy = np.bincount(program.unit[here])
        hottest = int(busy.argmax())
        print(
            f"layer {layer}: busiest group {program.units[hottest].name}, {busy[hottest]} turns, "
            f"mean {busy[busy > 0].mean():.1f}"
        )


if __name__ == "__main__":
    main()
