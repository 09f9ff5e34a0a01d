"""One small compilation for all tests of pictures, with all that a picture may show."""

import pytest

from moexbar.__main__ import main
from moexbar.figures.figure import Shown
from moexbar.files.program_file import read_program
from moexbar.files.routing_file import load_routing
from moexbar.report.mapped import MappingFile
from moexbar.report.reading import read_object, read_report, typed
from tests.paths import TINY


@pytest.fixture(scope="session")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """A compilation with decode steps, other methods, bands and jitter."""
    out = tmp_path_factory.mktemp("pictured") / "out"
    files = [str(TINY / "model.onnx"), "--inputs", str(TINY / "inputs.npz"), "-o", str(out)]
    window = ["--prefill", "8", "--decode", "2", "--grouping", "lpt"]
    assert main(["compile", *files, *window, "--bands", "--jitter", "2"]) == 0
    mapping = out / "mapping.json"
    return Shown(
        read_report(out / "report.json"),
        typed(MappingFile, read_object(mapping), str(mapping)),
        read_program(out / "program.parquet"),
        load_routing(out / "routing.npz"),
    )
