"""The files of one compilation, and the manifest with the hashes of what went in and came out."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backends.perfetto import chrome_trace, first_rows
from compiler.pipeline import Compiled
from ir.chip import Chip
from ir.routing import Routing
from ir.text import listing
from ir.workload import Workload
from moexbar import __version__
from moexbar.chips.show import to_json
from moexbar.files.folder import MARK
from moexbar.files.mapping_file import mapping_json
from moexbar.files.program_file import write_program
from moexbar.files.routing_file import save_routing

LISTING_LINES = 200_000
TRACE_EVENTS = 200_000


def write_outputs(
    folder: Path, workload: Workload, trace: Routing, done: Compiled, report: dict[str, Any]
) -> None:
    """All files of one compilation but the manifest."""
    save_routing(folder / "routing.npz", trace)
    write_program(done.program, folder / "program.parquet")
    write_json(folder / "mapping.json", mapping_json(done.mapping, workload))
    write_json(folder / "report.json", report, indent=1)
    events = done.program
    write_json(folder / "trace.json", chrome_trace(events, first_rows(events, TRACE_EVENTS)))
    with (folder / "listing.txt").open("w", encoding="utf-8") as text:
        text.writelines(f"{line}\n" for line in listing(events, limit=LISTING_LINES))


def write_manifest(folder: Path, chip: Chip, sources: Mapping[str, Path | None]) -> None:
    """Hashes of what went in and of every file that came out."""
    inputs = {
        name: {"file": p.name, "path": str(p), "sha256": _digest(p)}
        for name, p in sources.items()
        if p
    }
    chip_text = json.dumps(to_json(chip), sort_keys=True).encode()
    inputs["chip"] = {"file": chip.name, "sha256": hashlib.sha256(chip_text).hexdigest()}
    files = {path.name: _digest(path) for path in sorted(folder.iterdir())}
    write_json(folder / MARK, {"moexbar": __version__, "inputs": inputs, "files": files}, indent=1)


def write_json(path: Path, value: object, indent: int | None = None) -> None:
    """Plain data in one file."""
    with path.open("w", encoding="utf-8") as text:
        # not dump(): it never uses the fast encoder
        text.write(json.dumps(value, indent=indent, allow_nan=False))


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
