"""Routing traces of real models, which lie outside the repository: NAME/routing.npz in a folder."""

import argparse
from pathlib import Path


def add_traces(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """`--traces DIR`; not required where a part of the benchmark does without."""
    parser.add_argument(
        "--traces",
        type=Path,
        required=required,
        metavar="DIR",
        help="folder of routing traces, each NAME/routing.npz",
    )


def trace_file(folder: Path, name: str) -> Path:
    """Where the trace of that name is in the folder of traces."""
    return folder / name / "routing.npz"


def trace_files(folder: Path) -> list[Path]:
    """All traces in the folder of traces, by name."""
    return sorted(folder.glob("*/routing.npz"))
