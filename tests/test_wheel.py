"""Built as a wheel and installed away from the clone, it does what the README says."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("ir", "compiler", "backends", "moexbar")
FOLDERS = (*PACKAGES, ".ci", "benchmarks", "docs", "examples", "tests")
FILES = (
    "pyproject.toml",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
)
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*_choice.onnx")


def run(folder: Path, *words: object) -> str:
    """Standard output of a command run in `folder`, without the clone on Python's path."""
    free = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env=free,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """The sdist, and the wheel built from it, of a copy of the clone (without its large models).

    A copy: setuptools writes into the tree it builds, and another worker may be reading this one.
    """
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=LEFT_OUT)
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / "source" / name)
    run(folder / "source", sys.executable, "-m", "build", "--no-isolation", "-o", folder / "dist")
    (sdist,), (wheel,) = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    return sdist, wheel


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel; returns its folder of commands.

    The dependencies are those of this environment: a .pth file adds its site-packages behind the
    new ones. Python runs no .pth file of a folder added in this way, so an editable install of the
    clone, which rests on one, is not seen.
    """
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    run(
        folder,
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-compile",
        wheel,
    )
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "bin"


@pytest.mark.slow
def test_a_wheel_works_away_from_the_clone(tmp_path: Path) -> None:
    sdist, wheel = build(tmp_path)
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {*FILES, "tests/test_wheel.py", "docs/formats.md", ".ci/run"} <= held

    commands = install(wheel, tmp_path / "venv")
    work = tmp_path / "work"  # a folder with nothing of ours, but a package of the same name
    (work / "compiler").mkdir(parents=True)
    (work / "compiler" / "__init__.py").write_text("raise ImportError('not ours')\n")

    where = run(
        tmp_path,
        commands / "python",
        "-c",
        f"import {', '.join(PACKAGES)}\nfor p in {', '.join(PACKAGES)}: print(p.__path__[0])",
    ).splitlines()
    site = (tmp_path / "venv").resolve()
    assert [Path(path).name for path in where] == list(PACKAGES)
    assert all(site in Path(path).resolve().parents for path in where)
    assert all((Path(path) / "py.typed").is_file() for path in where)

    moexbar = commands / "moexbar"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run(work, moexbar, "--version") == f"moexbar {version}\n"
    assert "hermes-mux2" in run(work, moexbar, "chips")
    said = run(work, moexbar, "example", "tiny", "-o", "tiny")
    assert "next: moexbar compile tiny/model.onnx --inputs tiny/inputs.npz --prefill 128" in said
    said = run(
        work,
        moexbar,
        "compile",
        "tiny/model.onnx",
        "--inputs",
        "tiny/inputs.npz",
        "--chip",
        "hermes-mux2",
        "--prefill",
        16,
        "-o",
        "out",
    )
    assert "executed: largest error" in said  # ONNX Runtime's own process was found, too
    written = {path.name for path in (work / "out").iterdir()}
    assert {"program.parquet", "mapping.json", "report.json", "trace.json"} <= written

    said = run(work, moexbar, "report", "out")  # the page's script and style came along
    assert said.endswith(" MB in out/report.html\n")

    read = "import moexbar as mx; print(mx.read_program('program.parquet').to_pandas().unit[0])"
    unit = run(work / "out", commands / "python", "-c", read)
    assert "." in unit  # a unit by its name


def test_another_package_of_the_same_name_is_named(tmp_path: Path) -> None:
    """`python -m moexbar` looks into the current folder first."""
    (tmp_path / "compiler").mkdir()
    (tmp_path / "compiler" / "__init__.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "moexbar", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"package 'compiler' is taken from {tmp_path.resolve()}, expected it" in done.stderr


def test_a_file_of_the_name_of_a_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "ir.py").touch()
    done = subprocess.run(
        [sys.executable, "-m", "moexbar", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    taken = f"taken from the file {tmp_path.resolve() / 'ir.py'}"
    assert f"package 'ir' is {taken}, expected it beside moexbar in {ROOT}" in done.stderr


def test_the_citation_names_the_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = dict(
        line.split(": ", 1)
        for line in (ROOT / "CITATION.cff").read_text().splitlines()
        if line[0].isalpha() and not line.endswith(":")
    )
    assert (cited["version"], cited["license"]) == (project["version"], project["license"])
    assert cited["repository-code"] == project["urls"]["Repository"]
