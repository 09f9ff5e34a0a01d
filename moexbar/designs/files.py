"""A chosen chip as a file, and the command that compiles the model for it."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from compiler.design.choices import STACKS, Design
from compiler.design.designer import Chosen
from compiler.options import Options
from ir.chip import Chip
from moexbar.chips import preset_names
from moexbar.given import Given
from moexbar.report.designed import DesignReport
from moexbar.report.plain import as_json
from moexbar.report.times import without_times

SOURCE = "chosen by moexbar design"


def settings_of(design: Design) -> dict[str, str]:
    """What a design sets of a chip, as `--set` takes it."""
    return {path: str(value) for path, value in design.settings.items()}


def chip_text(base: Chip, design: Design) -> str:
    """A chip file: the preset, what of it was set before, and the design."""
    words = {change.key: change.text for change in base.changes} | settings_of(design)
    tables: dict[str, list[str]] = {}
    for path, text in words.items():
        table, _, key = path.partition(".")
        source = f'source = "{SOURCE}"' if path in design.settings else 'source = "as asked"'
        tables.setdefault(table, []).append(f"{key} = {{ value = {_toml(text)}, {source} }}")
    description = json.dumps(f"{base.description}; {SOURCE}")
    lines = [f"description = {description}", f'extends = "{base.name}"']
    for table, entries in tables.items():
        lines += ["", f"[{table}]", *entries]
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    """A value as TOML has it: a number or a flag as it is, else in quotes."""
    plain = text in ("true", "false") or text.replace(".", "", 1).isdigit()
    return text if plain else json.dumps(text)


def command_of(model: Path, base: Chip, one: Design, options: Options, given: Given) -> str:
    """`moexbar compile` of a model for a chosen chip, as it is typed."""
    shape = options.shape
    words = ["moexbar", "compile", str(model), "--chip", base.name]
    for change in base.changes:
        words += ["--set", f"{change.key}={change.text}"]
    for path, value in one.settings.items():
        words += ["--set", f"{path}={value}"]
    if given.inputs is not None and not isinstance(given.inputs, dict):
        words += ["--inputs", str(given.inputs)]
    elif isinstance(given.routing, str | Path):
        words += ["--routing", str(given.routing)]
    words += ["--prefill", shape.asked, "--batch", str(shape.batch), "--decode", str(shape.decode)]
    words += ["--grouping", options.grouping.solver, "--scheduling", options.slots.policy]
    if one.sizes:
        words += ["--group-size", ",".join(f"{layer}={size}" for layer, size in one.sizes)]
    if one.replicas:
        words += ["--replicas", str(one.replicas)]
    if one.stack > 1:
        words += ["--stacks", STACKS, "--stack-layers", str(one.stack)]
    words += ["--dense-copies", str(one.copies), "--placement", "squares", "--baselines", "none"]
    return shlex.join(words)


def write_design(
    folder: Path, base: Chip, chosen: Sequence[Chosen], report: DesignReport
) -> dict[str, float]:
    """design.json, commands.txt, and a chip file for each, where they begin with a preset.

    Returns the seconds of the report, which are no part of design.json.
    """
    told, times = without_times(as_json(report))
    text = json.dumps(told, indent=1) + "\n"
    (folder / "design.json").write_text(text, encoding="utf-8")
    commands = "".join(f"{row.command}\n" for row in report.designs)
    (folder / "commands.txt").write_text(commands, encoding="utf-8")
    if base.name not in preset_names():
        return times
    for number, one in enumerate(chosen, start=1):
        path = folder / f"chip-{number}.toml"
        path.write_text(chip_text(base, one.design), encoding="utf-8")
    return times
