"""What refusing an artifact costs: the dearest cases in a process of their own."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.artifact_seeds import Seeds
from tests.hostile.damage import Damage, content
from tests.hostile.documents import MANY, NESTED
from tests.hostile.programs import FILES
from tests.hostile.test_measured import CPU_SECONDS, MORE_BYTES, cost

TEXTS = b'["schema", ' + b'"ab",' * 2_000_000 + b'"ab"]'
DEAR: dict[str, tuple[str, Damage]] = {
    "a bomb of rows": ("program.parquet", FILES["a bomb of rows"].damage),
    "a page that says more": ("program.parquet", FILES["a page that says more"].damage),
    "ten million lists": ("report.json", content(MANY)),
    "two million texts": ("report.json", content(TEXTS)),
    "nested": ("report.json", content(NESTED)),
    "quotes and backslashes": ("report.json", content(b'"' + b'\\"' * 20_000_000)),
}


@pytest.fixture(scope="module")
def baseline(artifacts: Seeds, tmp_path_factory: pytest.TempPathFactory) -> int:
    """Bytes that a process takes which refuses a program for its first bytes."""
    return measured(artifacts, tmp_path_factory.mktemp("b"), "program.parquet", lambda _: b"PAR")[2]


def measured(
    artifacts: Seeds, folder: Path, name: str, damage: Callable[[bytes], bytes]
) -> tuple[int, float, int]:
    copy = Path(shutil.copytree(artifacts.compiled, folder / "compiled"))
    (copy / name).write_bytes(damage((copy / name).read_bytes()))
    return cost("simulate", str(copy), "--unchecked")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "damage"), DEAR.values(), ids=DEAR)
def test_a_refusal_costs_little(
    name: str, damage: Damage, artifacts: Seeds, baseline: int, tmp_path: Path
) -> None:
    code, seconds, peak = measured(artifacts, tmp_path, name, damage)
    assert code == 2
    assert seconds < CPU_SECONDS
    assert peak < baseline + MORE_BYTES
