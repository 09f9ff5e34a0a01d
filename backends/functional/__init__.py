"""Executes a program on real weights, as they stand on the crossbars, and compares with the model.

This is what the opcodes mean: `order` says when they have effect, `products`, `router`, `experts`
and `machine.run_nodes` what each does with the values that it reads, `compare` holds the results
against ONNX Runtime.
"""

from backends.functional.compare import Comparison, Difference, compare
from backends.functional.execute import Case, execute, first_steps
from backends.functional.machine import TOLERANCE
from backends.functional.runs import Run
from backends.functional.traced import Traced

__all__ = [
    "TOLERANCE",
    "Case",
    "Comparison",
    "Difference",
    "Run",
    "Traced",
    "compare",
    "execute",
    "first_steps",
]
