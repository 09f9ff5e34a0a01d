"""ONNX file -> Workload, in one page."""

from pathlib import Path

from compiler.frontend.account import account_of, notes_of
from compiler.frontend.facts import Facts
from compiler.frontend.facts.dimensions import check_dimensions, unknown_operators
from compiler.frontend.facts.graph import Graph, name_of
from compiler.frontend.facts.large import refuse_large
from compiler.frontend.facts.random import WHAT_TO_DO, random_operators, refuse_random
from compiler.frontend.facts.sides import refuse_sides, sides_of
from compiler.frontend.moe.find import find_moe
from compiler.frontend.note import Note
from compiler.frontend.operators.formats import with_formats
from compiler.frontend.operators.held import loops_of_unknown_length
from compiler.frontend.operators.name import operators_of
from compiler.frontend.operators.parts import find_parts, in_order
from compiler.frontend.proof.causal import prove_causal
from compiler.frontend.proof.decode import Decode, decode_of
from compiler.frontend.proof.loaded import refuse_unloadable
from compiler.frontend.proof.prover import Prover, no_proof
from compiler.frontend.proof.traced import refuse_traced
from ir.errors import InputError, said_of
from ir.lengths import Tokens, in_words
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.processes.session import Runtime
from ir.workload import Workload

REFERENCE_TOKENS = 128  # at which sizes that grow with the square of the tokens are counted


def read_model(
    path: str | Path | Source,
    tokens: Tokens | None = None,
    batch: int | None = None,
    prove: bool = True,
    trust_traced: bool = True,
    decodes: bool = False,
    runtime: Runtime | None = None,
) -> Workload:
    """Read the model at `path`, or one opened before.

    Weights are loaded only to see that ONNX Runtime takes the model and to prove MoE layers, where
    they are of moderate size.
    tokens: the length of a sequence, at which operators that mix tokens (average per token) or do
    not depend on them (in all) count their elements; a static export has its own, and another one
    asked for is an error; several: of an encoder and a decoder, in the order of the model's inputs
    (see `sides_of`); None: its own, else 128. batch: sequences run together, likewise. prove:
    run every MoE layer against its definition (see `proof`); without, layers are read from the
    graph's structure. trust_traced: False refuses a file whose routing was recorded by tracing;
    decodes: True one that cannot generate step by step. runtime: the child process that runs the
    layers, one of its own if there is none. Raises InputError naming file, dimension, node and
    layer, with ONNX Runtime's reason for a model that it does not take, or for operators that draw
    numbers.
    """
    source = path if isinstance(path, Source) else open_model(path)
    refuse_random(source)
    with said_of(str(source.path)):
        workload, facts = _read(source, tokens, batch, prove=prove, runtime=runtime)
    if decodes and workload.sides:
        raise InputError(
            str(source.path),
            f"--decode with sides of different lengths ({in_words(tokens or ())} tokens): decode "
            "steps go on with one sequence",
            "compile the prefill alone (--decode 0)",
        )
    if decodes:
        _refuse_decode(source.path, decode_of(facts, workload, runtime))
    if not trust_traced:
        refuse_traced(source.path, workload)
    return workload


def survey_model(
    path: str | Path | Source, prove: bool = True, runtime: Runtime | None = None
) -> tuple[Workload, Decode]:
    """The workload of the model at `path`, or of one opened before, and how it can decode.

    prove, runtime: as for `read_model`.
    """
    source = path if isinstance(path, Source) else open_model(path)
    with said_of(str(source.path)):
        workload, facts = _read(source, None, None, prove=prove, runtime=runtime)
    return workload, decode_of(facts, workload, runtime)


def _refuse_decode(path: str | Path, verdict: Decode) -> None:
    if verdict.kind == "no":
        raise InputError(
            str(path),
            f"--decode: this model cannot decode: {verdict.reason}",
            "compile its prefill alone (--decode 0)",
        )


def _read(
    source: Source,
    tokens: Tokens | None,
    batch: int | None,
    *,
    prove: bool,
    runtime: Runtime | None = None,
) -> tuple[Workload, Facts]:
    graph = Graph.of(source)
    facts = Facts.of(graph, sides_of(graph, tokens))
    refuse_large(graph, facts.sizes)
    check_dimensions(graph, facts.patches, tokens, batch)
    longest = max(tokens) if isinstance(tokens, tuple) else tokens
    with Prover(facts, runtime) as prover:
        untried = refuse_unloadable(facts, prover.runtime) if prove else []
        layers, suspects = find_moe(facts, prover.prove if prove else no_proof)
        facts = facts.with_exits({layer.exit: layer.entry for layer in layers})
        parts, refused = find_parts(facts, layers)
        parts = in_order(graph, parts)
        operators = operators_of(facts, parts, longest or REFERENCE_TOKENS)
        operators = with_formats(source, operators)
        operators, looked = (
            prove_causal(facts, operators, prover.runtime) if prove else (operators, [])
        )
    told = [
        Note(f"node {s.node!r} ({s.op_type}) stays digital: {s.reason}", s.reason) for s in suspects
    ]
    told += [*looked, *prover.notes, *unknown_operators(graph)]
    drawing = random_operators(source)
    told += [Note(f"{drawing}; {WHAT_TO_DO}")] if drawing else []
    told += [*(Note(note) for layer in layers for note in layer.notes), *refused]
    account = account_of(facts, parts, operators, suspects)
    told += notes_of(account, {note.reason for note in told})
    told += map(Note, loops_of_unknown_length(facts))
    said = {note.reason for note in told}
    told += [note for note in untried if note.reason not in said]
    workload = Workload(
        name=source.path.stem,
        sha256=source.sha256,
        inputs=tuple(name_of(v) for v in graph.inputs),
        outputs=tuple(name_of(v) for v in graph.outputs),
        operators=tuple(operators),
        notes=tuple(note.text for note in told),
        suspects=tuple(suspects),
        account=account,
        patches=None if facts.patches is None else facts.patches.tokens,
        sides=facts.sides,
    )
    refuse_sides(workload)
    return workload, facts
