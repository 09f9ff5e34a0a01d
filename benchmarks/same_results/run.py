"""Runs cases with one checkout's package, and keeps what it gave if asked to."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from benchmarks.same_results.cases import Case

ROOMS = ("ir", "compiler", "backends", "moexbar")
SOURCES = (".py", ".toml")
KEPT = "kept.json"  # beside the folder of a case: from what it was made; written last
LIMIT_S = 900  # of one command
NOTHING: Mapping[str, str] = MappingProxyType({})


def run_case(
    case: Case, checkout: Path, folder: Path, renamed: Mapping[str, str] = NOTHING
) -> tuple[str, ...]:
    """Run the commands in `folder`, which is emptied first; the names of those that failed.

    renamed: {"COMMAND --option": what the checkout calls that option}.
    """
    shutil.rmtree(folder, ignore_errors=True)
    printed = folder / "printed"
    printed.mkdir(parents=True)
    failed: list[str] = []
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    for name, words in case.commands.items():
        done = subprocess.run(
            [sys.executable, "-m", "moexbar", *_renamed(words, renamed)],
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=LIMIT_S,
            check=False,
        )
        suffix = ".json" if "--json" in words else ".txt"
        (printed / (name + suffix)).write_bytes(done.stdout)
        ending = f"exit code {done.returncode}\n".encode()
        (printed / f"{name}.errors.txt").write_bytes(done.stderr + ending)
        failed += [name] * (done.returncode != 0)
    return tuple(failed)


def _renamed(words: Sequence[str], renamed: Mapping[str, str]) -> list[str]:
    """A command's words with its options as the checkout calls them."""
    return [renamed.get(f"{words[0]} {word}", word) for word in words]


def run_kept(case: Case, checkout: Path, folder: Path, digest: str) -> bool:
    """Run the case unless `folder` holds what it gave before; whether it did.

    digest: of the checkout. Commands and the files they read must be the same too.
    """
    made_from: dict[str, Any] = {
        "checkout": digest,
        "commands": {name: list(words) for name, words in case.commands.items()},
        "files": {str(path): _digest([path]) for path in case.files},
    }
    mark = folder.parent / f"{folder.name}.{KEPT}"
    if mark.exists() and json.loads(mark.read_text()) == made_from:
        return True
    mark.unlink(missing_ok=True)
    run_case(case, checkout, folder)
    mark.write_text(json.dumps(made_from))
    return False


def checkout_digest(checkout: Path) -> str:
    """Of all source text and chip presets of a checkout, committed or not."""
    files = [p for room in ROOMS for p in (checkout / room).rglob("*") if p.suffix in SOURCES]
    return _digest(sorted(files), checkout)


def _digest(files: list[Path], root: Path | None = None) -> str:
    found = hashlib.sha256()
    for path in files:
        name = str(path.relative_to(root)) if root else path.name
        found.update(f"{name} {path.stat().st_size}\n".encode())
        found.update(path.read_bytes())
    return found.hexdigest()
