"""The contracts of pyproject.toml on imports hold for modules that are yet to come."""

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGES = ("ir", "compiler", "backends", "moexbar")
NO_FILE = shutil.ignore_patterns("__pycache__", "*.onnx", "*.npz", "*.toml", "*.json")

WRONG = {  # a new module, what it imports, and the contract that it breaks
    "compiler/newcomer.py": ("ortools.sat.python", "ortools has one door"),
    "ir/onnxdoor/newcomer.py": ("onnxruntime", "onnxruntime is imported nowhere"),
    "backends/functional/newcomer.py": ("onnx.helper", "onnx has three doors"),
    "compiler/grouping/newcomer.py": ("google.protobuf", "onnx has three doors"),
    "moexbar/examples/newcomer.py": ("onnx_ir", "onnx_ir, a graph in memory, stays"),
    "moexbar/figures/newcomer.py": ("vl_convert", "vl_convert has one door"),
    "backends/newcomer.py": ("compiler.solver", "moexbar -> compiler | backends -> ir"),
    "moexbar/exploration/newcomer.py": ("distributed", "distributed has one door"),
    "moexbar/designs/newcomer.py": ("optuna", "optuna has one door"),
    "compiler/frontend/moe/newcomer.py": ("compiler.frontend.proof", "rooms read downwards"),
}


def lint_imports(folder: Path) -> tuple[int, str]:
    """Exit code and output of lint-imports in a folder."""
    there = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    program = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=1))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=folder,
        env=there,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' sources and their contracts, away from here."""
    folder = tmp_path_factory.mktemp("copy")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=NO_FILE)
    shutil.copyfile(ROOT / "pyproject.toml", folder / "pyproject.toml")
    return folder


def test_a_new_module_breaks_the_contracts(copy: Path) -> None:
    code, said = lint_imports(copy)
    assert (code, "0 broken" in said) == (0, True), said
    for path, (imported, _) in WRONG.items():
        (copy / path).write_text(f"import {imported}\n")
    code, said = lint_imports(copy)
    assert code == 1
    for path, (imported, contract) in WRONG.items():
        module = path.removesuffix(".py").replace("/", ".")
        names = (imported, imported.partition(".")[0])  # of other packages the first part
        assert any(f"{module} -> {name} (l.1)" in said for name in names), path
        assert any(contract in line and "BROKEN" in line for line in said.splitlines()), contract


def named(source: str) -> Iterator[object]:
    """Modules that a text imports, by a statement or by a name handed to a function."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call):
            yield from (a.value for a in node.args if isinstance(a, ast.Constant))


def importers(package: str) -> list[str]:
    return [
        str(path.relative_to(ROOT))
        for room in PACKAGES
        for path in sorted((ROOT / room).rglob("*.py"))
        if any(str(n).partition(".")[0] == package for n in named(path.read_text("utf-8")))
    ]


def test_imports_by_name_keep_to_the_same_doors() -> None:
    """import-linter does not see `import_module("onnxruntime")`, which the child process says."""
    assert list(named('import_module("onnxruntime")\nimport a.b')) == ["a.b", "onnxruntime"]
    assert importers("onnxruntime") == ["ir/onnxdoor/processes/worker.py"]
    assert importers("vl_convert") == ["moexbar/figures/draw.py"]
    assert importers("ortools") == ["compiler/linear.py", "compiler/solver.py"]
