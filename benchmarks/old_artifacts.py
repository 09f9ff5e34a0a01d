"""Keep small outputs of this version, which tests of later ones read: tests/golden/old.

    python -m benchmarks.old_artifacts tests/golden/old/0.1.0.tar.xz

A compilation of the tiny example (two tokens) and a sweep of one point. A file is made once for
each version that changes a form, and never again.
"""

import argparse
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from moexbar.__main__ import main as moexbar
from tests.paths import TINY

SWEEP = """
model = "{folder}/model.onnx"
inputs = "{folder}/inputs.npz"
prefill = 2
baselines = "none"

[vary]
"chip.pg.mux" = [2]
"""
PARTS = "report,program,mapping,routing"


def make(work: Path) -> None:
    """Write both folders; RuntimeError where a command fails."""
    tiny = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "--prefill", "2"]
    rest = ["--baselines", "none", "--write", PARTS, "-o", str(work / "compiled")]
    sweep = work / "sweep.toml"
    sweep.write_text(SWEEP.format(folder=TINY), encoding="utf-8")
    for words in (
        ["compile", *tiny, *rest],
        ["explore", str(sweep), "-o", str(work / "explored"), "--processes", "1"],
    ):
        if moexbar(words):
            raise RuntimeError(" ".join(words))


def main(argv: Sequence[str] | None = None) -> None:
    """Write the file, which must not be there."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("file", type=Path, help="to be written, .tar.xz")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        make(work)
        with tarfile.open(asked.file, "x:xz", preset=9) as packed:
            for name in ("compiled", "explored"):
                packed.add(work / name, arcname=name)
    print(f"{asked.file.stat().st_size} bytes in {asked.file}")


if __name__ == "__main__":
    main()
