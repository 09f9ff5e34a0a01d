"""Programs and routing traces as tables, one row per instruction or per token and expert.

Names instead of numbers where there are some. pyarrow is imported when a table is asked for.
"""

# pyright: basic
# pyarrow and its stubs leave types open; mypy checks this file

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from ir.arrays import Array
from ir.program import Lists, Opcode, Program
from ir.routing import Routing

if TYPE_CHECKING:
    import pyarrow as pa


def program_table(program: Program) -> "pa.Table":
    """One row per instruction: the program's columns, units and opcodes by name.

    `src` is null where the data comes from no unit; `dst` and `reads` are lists. `end_ps` is added.
    """
    import pyarrow as pa

    names = pa.array([unit.name for unit in program.units], pa.string())
    columns: dict[str, Any] = {"id": pa.array(np.arange(len(program)), pa.int32())}
    for field in fields(program):
        value = getattr(program, field.name)
        if field.name == "opcode":
            opcodes = pa.array([Opcode(i).name for i in range(len(Opcode))], pa.string())
            columns["opcode"] = pa.DictionaryArray.from_arrays(_indices(value), opcodes)
        elif field.name in ("unit", "src"):
            columns[field.name] = pa.DictionaryArray.from_arrays(_indices(value), names)
        elif field.name == "dst":
            to = pa.DictionaryArray.from_arrays(_indices(value.values), names)
            columns["dst"] = pa.ListArray.from_arrays(pa.array(value.offsets, pa.int32()), to)
        elif isinstance(value, Lists):
            columns[field.name] = pa.ListArray.from_arrays(
                pa.array(value.offsets, pa.int32()), pa.array(value.values, pa.int32())
            )
        elif isinstance(value, np.ndarray):
            columns[field.name] = pa.array(value)
        if field.name == "duration_ps":
            columns["end_ps"] = pa.array(program.end_ps)
    return pa.table(columns)


def routing_table(routing: Routing) -> "pa.Table":
    """One row per layer, token and expert that the token goes to, in that order.

    Columns layer, token, sequence, expert, and weight: the gate weight of a token-choice trace or
    the score of an expert-choice one; null where the trace has none.
    """
    import pyarrow as pa

    layers, tokens, experts, weights = [], [], [], []
    for row, layer in enumerate(routing.layer.tolist()):
        token, expert = np.nonzero(routing.matrix(row))
        layers.append(np.full(len(token), layer))
        tokens.append(token)
        experts.append(expert)
        weights.append(_weights(routing, row, token, expert))
    token = np.concatenate(tokens) if tokens else np.zeros(0, dtype=np.int64)
    known = [w for w in weights if w is not None]
    return pa.table(
        {
            "layer": _whole(layers),
            "token": _whole(tokens),
            "sequence": pa.array(routing.sequence[token], pa.int64()),
            "expert": _whole(experts),
            "weight": pa.array(np.concatenate(known), pa.float32())
            if known and len(known) == len(weights)
            else pa.nulls(len(token), pa.float32()),
        }
    )


def to_pandas(table: "pa.Table") -> Any:
    """The table as a pandas DataFrame."""
    return table.to_pandas()


def _weights(routing: Routing, row: int, token: Array, expert: Array) -> Array | None:
    """Weight of each pair of one layer."""
    if routing.scores is not None:
        scores: Array = routing.scores[row, token, expert]
        return scores
    if routing.weights is None or routing.choices is None:
        return None
    wide = np.zeros((routing.tokens, int(routing.num_experts[row])), dtype=np.float32)
    at, place = np.nonzero(routing.choices[row] >= 0)
    wide[at, routing.choices[row][at, place]] = routing.weights[row][at, place]
    weights: Array = wide[token, expert]
    return weights


def _whole(parts: list[Array]) -> Any:
    import pyarrow as pa

    joined = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    return pa.array(joined.astype(np.int64), pa.int64())


def _indices(values: Array) -> Any:
    """Places in a dictionary; null for -1."""
    import pyarrow as pa

    return pa.array(values.astype(np.int32), pa.int32(), mask=values.astype(np.int64) < 0)
