"""A recipe carried out: model file, workload, routing, program, replay, execution."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from backends.functional import Case, Comparison, Run, compare, execute
from backends.simulate import replay
from compiler.baselines import main_methods
from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.options import Shape
from compiler.pipeline import compile_model, map_model
from compiler.profiling.feeds import Feeds
from compiler.profiling.profile import profile
from ir.compiled import Compiled
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.processes.session import Runtime
from ir.routing import Routing
from ir.schedule import Caches
from ir.workload import Workload
from tests.chain.forms import FORMS, block_of
from tests.chain.on_dies import compile_on_dies
from tests.chain.recipe import Recipe
from tests.chain.tied import Tied, again
from tests.compiler.frontend import models as m
from tests.compiler.frontend import sides
from tests.compiler.frontend.opsets import as_opset, least_opset
from tests.compiler.frontend.stored import STORED
from tests.make import options_of, small_chip
from tests.stacks import random_stacks

HALVES = {"float16": TensorProto.FLOAT16, "bfloat16": TensorProto.BFLOAT16}


@dataclass(frozen=True, eq=False)
class Ready:
    """A recipe's model, read and profiled."""

    recipe: Recipe
    path: Path
    workload: Workload
    source: Source
    inputs: dict[str, Any]
    routing: Routing


def read_recipe(recipe: Recipe, folder: Path, runtime: Runtime) -> Ready:
    """Write the model, read it, record its routing. Every MoE layer must be recognised."""
    path, span = write_model(recipe, folder), recipe.span
    source = open_model(path)
    lengths = span.tokens if span.source else None
    workload = read_model(source, lengths, runtime=runtime, decodes=span.decode > 0)
    layers = (*recipe.model.layers, *recipe.model.layers[: bool(span.source)])
    asked = sum(FORMS[layer.form].layers for layer in layers if layer.form != "dense")
    if len(workload.moe_layers) != asked:
        notes = "; ".join(workload.notes)
        raise AssertionError(
            f"{len(workload.moe_layers)} of {asked} MoE layers recognised: {notes}"
        )
    length = span.cut or span.prefill + span.decode
    count = -(-span.prefill // span.cut) if span.cut else span.batch
    inputs = m.token_ids(length, count, recipe.model.seed)
    if span.source:
        inputs = sides.ids(span.source, span.prefill, count, recipe.model.seed)
    together = count if span.together else None
    routing = profile(
        source,
        workload,
        inputs,
        tokens=length,
        batch=together,
        runtime=runtime,
        decode=span.decode if recipe.expert_choice else 0,
    )
    return Ready(recipe, path, workload, source, inputs, routing)


def write_model(recipe: Recipe, folder: Path) -> Path:
    """The ONNX file of a recipe's model."""
    model = recipe.model
    g = Tied(
        model.seed,
        model.element == "weights in 16 bits",
        model.d,
        model.heads,
        model.head,
        biased=model.biased,
        stored=STORED[model.element][0] if model.element in STORED else None,
    )
    blocks = [again(layer, model.tied) if model.tied else block_of(layer) for layer in model.layers]
    path = folder / "m.onnx"
    axes = ["batch" if recipe.span.together else 1, "tokens"]
    if recipe.span.source:
        sides.encoder_decoder(g, blocks[:1], blocks, model.kv_heads)
        sides.save(g, path, sides.NAMES, axes[0])
    else:
        m.transformer(g, blocks, model.kv_heads)
        g.model(path, {"logits": [*axes, g.vocab]}, {"input_ids": (7, axes)})
    if model.opset != 18:
        written = onnx.load(path)
        onnx.save(as_opset(written, max(model.opset, least_opset(written))), path)
    if model.element in HALVES:
        m.in_16_bits(path, HALVES[model.element])
    return path


def compile_recipe(ready: Ready) -> Compiled:
    """Compile by the recipe's method; the compiler's own verifier runs.

    Random stacks are of the fire groups of a mapping without any, and so are dies.
    """
    recipe, span = ready.recipe, ready.recipe.span
    whole = (0, ready.routing.tokens)
    options = options_of(
        Shape.of(span.tokens, span.batch, span.decode),
        whole,
        whole,
        caches=Caches(span.kv, span.go),
        **recipe.options,
    )
    chosen = main_methods(small_chip(**recipe.chip), options)[recipe.method]
    given, chip, how = (ready.workload, ready.routing), chosen.chip, chosen.options
    if recipe.dies is not None:
        return compile_on_dies(ready.workload, ready.routing, chip, how, recipe.dies)
    if recipe.stacks is None:
        return compile_model(*given, chip, how)
    alone = map_model(*given, chip, how)
    stacks = random_stacks(alone, chip, recipe.stacks)
    how = replace(how, placement=replace(how.placement, stacks=stacks))
    return compile_model(*given, chip, how, grouping=alone.grouping)


def case_of(ready: Ready, done: Compiled) -> Case:
    """What an execution takes: the program and the model's runs over the window."""
    sequence = done.schedule.sequence
    tokens = {int(s): np.flatnonzero(sequence == s) for s in np.unique(sequence)}
    runs: list[Run] = []
    for length in sorted({len(own) for own in tokens.values()}):
        members = [s for s, own in tokens.items() if len(own) == length]
        together = len(members) if ready.recipe.span.together else 1
        graph = Graph.of(ready.source)
        feeds = Feeds(graph, ready.workload, ready.inputs, length, together)
        for first in range(0, len(members), together):
            group = members[first : first + together]
            runs.append(
                Run(feeds.of(range(group[0], group[-1] + 1)), np.stack([tokens[s] for s in group]))
            )
    return Case(done, ready.source, runs, sequence)


def run_recipe(recipe: Recipe, folder: Path, runtime: Runtime) -> Comparison:
    """The whole chain; AssertionError or an error of ours where anything is not as it must be."""
    ready = read_recipe(recipe, folder, runtime)
    done = compile_recipe(ready)
    replay(done.program, done.chip)
    found = compare(execute(case_of(ready, done), runtime))
    if found.culprit >= 0:
        first = found.first
        name = first.name if first is not None else ""
        raise AssertionError(
            f"{done.program.name(found.culprit)} makes {name!r} wrong by {found.worst:.1e}"
        )
    return found
