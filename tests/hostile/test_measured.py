"""What refusing costs: the dearest cases in a process of their own, its children included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.test_models import CASES
from tests.paths import ROOT

CPU_SECONDS, MORE_BYTES = 5.0, 256 * 2**20
SAMPLE = (
    "files: 3 GiB of nothing",
    "files: ten million empty nodes",
    "names: ten megabytes",
    "tensors: 2^80 elements",
    "external: absolute",
    "sizes: Range of 2^40",
    "sizes: Expand of x to 2^40",
    "sizes: Concat doubled 40 times",
    "sizes: loops in loops",
    "sizes: static export of 30,000 tokens",
    "doubling: functions, 2^40 nodes",
    "doubling: functions in If, 2^16 nodes",
    "doubling: overloads, 2^24 nodes",
    "experts: k = 0",
    "experts: router weight is nan",
)


def cost(*words: str) -> tuple[int, float, int]:
    """Exit code, CPU seconds, and peak memory in bytes of the largest process."""
    script = (
        "import resource, subprocess, sys\n"
        "code = subprocess.run([sys.executable, '-m', 'moexbar', *sys.argv[1:]],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(code, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=120,
    )
    code, seconds, peak = done.stdout.split()
    return int(code), float(seconds), int(peak)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> int:
    """Bytes that a process takes which refuses a file for its first bytes."""
    path = tmp_path_factory.mktemp("baseline") / "model.onnx"
    path.write_bytes(b"hello world")
    return cost("model", str(path))[2]


@pytest.mark.slow
@pytest.mark.parametrize("name", SAMPLE)
def test_a_refusal_costs_little(name: str, baseline: int, tmp_path: Path) -> None:
    code, seconds, peak = cost("model", str(CASES[name].write(tmp_path)))
    assert code == 2
    assert seconds < CPU_SECONDS
    assert peak < baseline + MORE_BYTES
