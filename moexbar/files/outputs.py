"""The files of one compilation, and the hashes of what went in."""

import hashlib
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from backends.perfetto import first_rows, trace_json
from ir.chip import Chip
from ir.compiled import Compiled
from ir.routing import Routing
from ir.text import listing
from moexbar.chips.sheet import change_rows, chip_sheet
from moexbar.files.added import PAGE
from moexbar.files.mapping_file import mapping_json
from moexbar.files.parts import USUAL, Part
from moexbar.files.program_file import write_program
from moexbar.files.routing_file import save_routing
from moexbar.files.sources import source_entry
from moexbar.files.stacks_file import stacks_json
from moexbar.report.compiled import Report
from moexbar.report.plain import as_json
from moexbar.report.times import without_times

LISTING_LINES = 200_000
TRACE_EVENTS = 200_000


def write_outputs(
    folder: Path,
    done: Compiled,
    trace: Routing,
    report: Report,
    write: Collection[Part] = USUAL,
) -> dict[str, float]:
    """The files of one compilation that are asked for, but the manifest and the model's graph.

    Returns the seconds of the report, which are no part of report.json.
    """
    program, (told, times) = done.program, without_times(as_json(report))
    if "routing" in write:
        save_routing(folder / "routing.npz", trace)
    if "program" in write:
        write_program(program, folder / "program.parquet")
    if "mapping" in write:
        write_json(folder / "mapping.json", mapping_json(done.mapping, done.workload))
        if done.mapping.stacks.stacks:
            write_json(folder / "stacks.json", stacks_json(done.mapping.stacks))
    if "report" in write:
        write_json(folder / "report.json", told, indent=1)
    if "page" in write:
        (folder / PAGE).write_bytes(_page(done, trace, report))
    if "trace" in write:
        drawn = trace_json(program, first_rows(program, TRACE_EVENTS))
        (folder / "trace.json").write_text(drawn, encoding="utf-8")
    if "listing" in write:
        with (folder / "listing.txt").open("w", encoding="utf-8") as text:
            text.writelines(f"{line}\n" for line in listing(program, limit=LISTING_LINES))
    return times if "report" in write else {}


def _page(done: Compiled, trace: Routing, report: Report) -> bytes:
    """The same page that `moexbar report` makes of the folder."""
    from moexbar.page.compiled import compiled_page
    from moexbar.page.document import render
    from moexbar.page.reading import shown_of

    return render(compiled_page(shown_of(done, trace, report)))


def hashes(chip: Chip, sources: Mapping[str, Path], target: Path) -> dict[str, Any]:
    """What went in, for the manifest of the folder `target`; of the chip the hash of its values."""
    inputs = {name: source_entry(path, target) for name, path in sources.items()}
    chip_text = json.dumps(as_json(chip_sheet(chip)), sort_keys=True).encode()
    inputs["chip"] = {
        "file": chip.name,
        "changes": as_json(change_rows(chip)),
        "sha256": hashlib.sha256(chip_text).hexdigest(),
    }
    return inputs


def write_json(path: Path, value: object, indent: int | None = None) -> None:
    """Plain data in one file."""
    with path.open("w", encoding="utf-8") as text:
        # not dump(): it never uses the fast encoder
        text.write(json.dumps(value, indent=indent, allow_nan=False))
