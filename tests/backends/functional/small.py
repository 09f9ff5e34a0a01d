"""Small models compiled for small crossbars, ready to be executed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backends.functional import Case, Comparison, Run, compare, execute
from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.options import Shape, SolverOptions
from compiler.pipeline import compile_model
from compiler.profiling.feeds import Feeds
from compiler.profiling.profile import profile
from ir.chip import Chip
from ir.lengths import Tokens
from ir.onnxdoor.load import open_model
from ir.onnxdoor.processes.session import Runtime
from ir.routing import Routing
from tests.compiler.frontend import models
from tests.make import options_of, small_chip

TOKENS = 13


def small_case(
    runtime: Runtime,
    folder: Path,
    block: models.Ffn,
    *,
    layers: int = 1,
    chip: Chip | None = None,
    sequences: int = 1,
    tokens: int = TOKENS,
    decode: int = 0,
    **options: Any,
) -> Case:
    """A transformer of `block`s compiled for 8 x 8 crossbars that hold 8 x 4 weights.

    decode: how many of the tokens come one by one after the prefill.
    """
    path = models.write(folder, [block] * layers)
    inputs = models.token_ids(tokens, sequences)
    return case_of(runtime, path, inputs, chip, sequences, tokens, decode, **options)


def case_of(
    runtime: Runtime,
    path: Path,
    inputs: dict[str, Any],
    chip: Chip | None,
    sequences: int,
    tokens: Tokens,
    decode: int = 0,
    reroute: Callable[[Routing], Routing] = lambda recorded: recorded,
    **options: Any,
) -> Case:
    """A model compiled, with a run for each sequence.

    tokens: of a sequence, of each side where they differ (then nothing is decoded). reroute: makes
    another routing of its own.
    """
    source, longest = open_model(path), max(tokens) if isinstance(tokens, tuple) else tokens
    workload = read_model(source, tokens if isinstance(tokens, tuple) else None, runtime=runtime)
    recorded = profile(source, workload, inputs, tokens=longest, decode=decode, runtime=runtime)
    routing = reroute(recorded)
    whole = (0, routing.tokens)
    each = tokens if isinstance(tokens, tuple) else tokens - decode
    shape = Shape.of(each, sequences, decode)
    chosen: dict[str, Any] = {"grouping": "sorted", "limits": SolverOptions(time_s=0.1)}
    done = compile_model(
        workload,
        routing,
        chip or small_chip(),
        options_of(shape, whole, whole, **(chosen | options)),
    )
    feeds = Feeds(Graph.of(source), workload, inputs, longest)
    runs = [
        Run(feeds.of(range(s, s + 1)), np.arange(s * longest, (s + 1) * longest)[None])
        for s in range(sequences)
    ]
    return Case(done, source, runs, done.schedule.sequence)


def run_case(runtime: Runtime, case: Case) -> Comparison:
    return compare(execute(case, runtime))
