"""The pictures of docs/figures.md: every kind once, of the shipped token-choice model.

    python -m benchmarks.gallery

Compiles the model with other methods, decode steps, bands and jitter, compares solvers on its
routing trace, and explores `examples/sweeps/sharing.toml`: some minutes. Times of solvers, and so
the picture `objective`, differ from run to run.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from moexbar.__main__ import main as moexbar
from moexbar.figures.draw import draw
from moexbar.figures.figure import Figure
from moexbar.figures.kinds import COMPARED, KINDS, SWEPT
from moexbar.figures.window import timeline_window
from moexbar.files.output import read_output
from moexbar.page.reading import read_shown
from moexbar.page.swept import sweep_of
from moexbar.report.reading import read_document
from moexbar.report.traces import CompareReport

ROOT = Path(__file__).parents[1]
MODELS, IMAGES = ROOT / "examples" / "models", ROOT / "docs" / "images" / "figures"
WINDOW = "--prefill 32 --decode 6 --chip hermes-mux2 --bands --jitter 4"
SOLVERS = "--layer 1 --time 5 --chip hermes-mux2"
SOUGHT = ("time_us", "area_mm2")
STRETCH = (3000, 5000)  # ns of the program, for its slices
LARGE = 80_000  # bytes of an SVG; what has more is a PNG


def run(words: str, *paths: Path) -> None:
    """A command of moexbar; RuntimeError where it fails."""
    if moexbar([*words.split(), *map(str, paths)]):
        raise RuntimeError(words)


def pictures(work: Path) -> Iterator[tuple[str, Figure]]:
    """The first picture of each kind."""
    out, inputs = work / "out", f"--inputs {MODELS / 'heldout.npz'}"
    run(f"compile {MODELS / 'token_choice.onnx'} {inputs} {WINDOW} -o", out)
    shown = read_shown(read_output(out, ("compile",)))
    for name, kind in KINDS.items():
        whole = name != "timeline-window"
        found = kind.draw(shown) if whole else (timeline_window(shown, *STRETCH),)
        yield from ((name, figure) for figure in found[:1] if figure is not None)
    run(f"compare {out / 'routing.npz'} {SOLVERS} -o", work / "compared")
    report = work / "compared" / "compare.json"
    compared = read_document(CompareReport, report, "compare")
    for name, of_solvers in COMPARED.items():
        yield name, of_solvers.draw(compared)[0]
    run(f"explore {ROOT / 'examples' / 'sweeps' / 'sharing.toml'} -o", work / "swept")
    for name, of_sweep in SWEPT.items():
        yield name, of_sweep.draw(sweep_of(read_output(work / "swept", ("explore",)), SOUGHT))[0]


def write(name: str, figure: Figure, folder: Path) -> Path:
    """A picture as an SVG file, or as a PNG where that is smaller and the other large."""
    found = {"svg": draw(figure, "svg"), "png": draw(figure, "png", scale=1)}
    form = "svg" if len(found["svg"]) <= max(LARGE, len(found["png"])) else "png"
    path = folder / f"{name}.{form}"
    path.write_bytes(found[form])
    (folder / f"{name}.{'png' if form == 'svg' else 'svg'}").unlink(missing_ok=True)
    return path


def main(argv: list[str] | None = None) -> int:
    """Write all pictures and print their names and sizes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=IMAGES, help="folder of the pictures")
    given = parser.parse_args(argv)
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        for name, figure in pictures(Path(work)):
            path = write(name, figure, given.out)
            print(f"{path.name}: {path.stat().st_size:,} bytes, {figure.title}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
