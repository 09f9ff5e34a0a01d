"""Models of real sizes within the memory that is promised for them, in child processes.

How many seconds they take: `python -m benchmarks.promises`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from moexbar.examples.catalogue import EXAMPLES

pytestmark = pytest.mark.slow

# of the program alone: getrusage's maximum starts from the process that the child was forked from
USE = "print(next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"


def measured(code: str, *words: object) -> tuple[str, int]:
    """What `code` printed, and its largest resident set in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{USE}", *map(str, words)],
        check=True,
        capture_output=True,
        text=True,
    )
    *lines, kib = done.stdout.splitlines()
    return "\n".join(lines), int(kib) * 1024


MAIN = "from moexbar.__main__ import main\nassert main(sys.argv[1:]) == 0"


@pytest.mark.parametrize("name", list(EXAMPLES))
def test_import(name: str, tmp_path: Path) -> None:
    """1 GB to read each model, and to write it."""
    _, size = measured(MAIN, "example", name, "-o", tmp_path / "e", "--json")
    assert size < 1e9
    assert (tmp_path / "e" / f"{name}.onnx.data").stat().st_blocks == 0
    read = (
        "from compiler.frontend import read_model\nprint(len(read_model(sys.argv[1]).moe_layers))"
    )
    layers, size = measured(read, tmp_path / "e" / f"{name}.onnx")
    assert int(layers) == len(EXAMPLES[name].sizes.moe_layers)
    assert size < 1e9


def test_compile_llama_moe(tmp_path: Path) -> None:
    """2 GB for 512 tokens; here without the baselines, which take three times as long.

    The groups are made at once: solvers work in processes of their own, which are not measured.
    """
    name, folder = "llama-moe-3.5b", tmp_path / "e"
    measured(MAIN, "example", name, "-o", folder, "--json")
    shown, size = measured(
        MAIN,
        "compile",
        folder / f"{name}.onnx",
        "--routing",
        folder / "routing.npz",
        "--prefill",
        512,
        "--no-baselines",
        "--grouping",
        "lpt",
        "--json",
        "-o",
        tmp_path / "out",
    )
    report = json.loads(shown)
    assert len(report["layers"]) == 32
    assert report["methods"][0]["instructions"] > 900_000
    assert size < 2e9
    assert (tmp_path / "out" / "mapping.json").stat().st_size < 1e6
