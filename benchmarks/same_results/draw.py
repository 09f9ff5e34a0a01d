"""Random models as files, each with a command line that fits it: the same for both checkouts."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.same_results.cases import ARGUMENTS
from tests.chain.choices import drawn
from tests.chain.recipe import Recipe
from tests.chain.run import write_model
from tests.compiler.frontend.models import token_ids

SEQUENCES = 8  # half of them are fitted to, half scored on
TABLES = {"pg", "accumulate"}  # drawn fields that any preset takes; `tiny` takes them all
PRESETS = ("hermes-mux2", "isaac", "hermes-mux4", "neurosim", "hermes-4phase", "puma", "hermes")


def draw_model(seed: int, number: int, folder: Path) -> None:
    """Write model, inputs and arguments of case `number` of `seed` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe, _ = drawn(seed, number)
    write_model(recipe, folder).rename(folder / "model.onnx")
    span = recipe.span
    length = span.prefill + span.decode
    np.savez(folder / "inputs.npz", **token_ids(length, SEQUENCES, recipe.model.seed))
    (folder / ARGUMENTS).write_text(json.dumps(list(_arguments(recipe, number))))


def _arguments(recipe: Recipe, number: int) -> Iterator[str]:
    """Options of `compile` but for the files."""
    preset = PRESETS[number // 2 % len(PRESETS)] if number % 2 else "tiny"
    span = recipe.span
    yield from ("--chip", preset)
    for table, fields in recipe.chip.items():
        if preset == "tiny" or table in TABLES:
            yield from _settings(table, fields)
    yield from ("--prefill", str(span.prefill), "--decode", str(span.decode))
    yield from ("--batch", str(span.batch if span.together else 1))
    yield from ("--kv", "on" if span.kv else "off", "--go", "on" if span.go else "off")
    yield from _options(recipe.options)
    if number % 4:  # the other methods take as long again
        yield "--no-baselines"


def _settings(table: str, fields: Mapping[str, Any]) -> Iterator[str]:
    """Fields of a chip as `--set TABLE.FIELD=VALUE`; the two widths of a bus exclude each other."""
    for name, value in fields.items():
        if value is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            yield from ("--set", f"{table}.{name}={text}")
    if table == "bus" and fields["transfers_per_slot"] is None:
        yield from ("--set", "bus.transfers_per_slot=unlimited")


def _options(options: Mapping[str, Any]) -> Iterator[str]:
    """What to decide how; HiGHS and SCIP, which know no deterministic time, to their end."""
    by_clock = options["grouping"] in ("highs", "scip")
    yield from ("--time", "60" if by_clock else "0.05")
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            yield flag
        elif name != "solver" and value is not None and value is not False:
            yield from (flag, str(value))
