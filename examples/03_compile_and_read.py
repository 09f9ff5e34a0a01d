"""Compile the shipped model from Python and ask the program which group of experts is busiest.

Run: python examples/03_compile_and_read.py
"""

from pathlib import Path

from pyarrow.compute import field

import moexbar as mx

MODELS = Path(__file__).parent / "models"


def main() -> None:
    model = mx.open_model(MODELS / "token_choice.onnx")
    done = mx.compile(model, "hermes-mux2", inputs=MODELS / "heldout.npz", prefill=32)
    print(done.program)
    first_stage = (field("opcode") == "MVM") & (field("stage") == 0) & (field("expert") >= 0)
    turns = done.program.to_arrow().filter(first_stage).group_by(["layer", "unit"])
    busiest = turns.aggregate([("id", "count")]).sort_by([("id_count", "descending")])
    for row in busiest.slice(0, 5).to_pylist():
        print(f"layer {row['layer']}: {row['unit']} runs {row['id_count']} turns")


if __name__ == "__main__":
    main()
