"""What a function of `import moexbar` cannot take is named by its argument, in Python's words."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from ir.errors import ArgumentError, InputError
from moexbar.__main__ import main
from moexbar.arguments import arrays, whole
from tests.paths import MODELS

ANY: Any = mx  # given what its types forbid
MODEL, INPUTS = MODELS / "token_choice.onnx", MODELS / "heldout.npz"


@pytest.fixture(scope="module")
def model() -> mx.Model:
    return mx.open_model(MODEL)


def message(call: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        call()
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "compile: no routing; give inputs=... or routing=..."),
        ({"prefill": "128"}, "prefill: '128', expected a whole number"),
        ({"prefill": True}, "prefill: True, expected a whole number"),
        ({"prefill": 0}, "prefill: 0, expected at least 1"),
        ({"decode": 1.5}, "decode: 1.5, expected a whole number"),
        ({"chip": 4}, "chip: 4, expected the name of a preset or the path of a TOML file"),
        ({"inputs": [1]}, "inputs: [1], expected arrays by name, or the path of an NPZ file"),
        ({"routing": 3}, "routing: 3, expected a Routing or the path of a trace"),
        ({"inputs": INPUTS, "routing": "r.npz"}, "compile: both routing and inputs; give one of "),
        ({"slots": "compact"}, "slots: 'compact', expected SlotOptions"),
        ({"grouping": "lpt"}, "grouping: 'lpt', expected GroupingOptions, a Grouping or the Path"),
        ({"fit": 0.5}, "fit: 0.5, expected two fractions of the sequences, such as (0, 0.5)"),
        (
            {"inputs": INPUTS, "prefill": 16, "fit": (0, 0.01)},
            "fit=(0, 0.01): holds none of the 64 sequences; widen the range, or record more",
        ),
        (
            {"inputs": INPUTS, "prefill": 16, "score": (1, 0.5)},
            "score=(1, 0.5): expected 0 <= low < high <= 1",
        ),
        (
            {"inputs": INPUTS, "prefill": 500, "decode": 16},
            f"{INPUTS}: 'input_ids': sequences of 512 tokens, prefill=500 and decode=16 need 516; "
            "lower one of them",
        ),
        (
            {"inputs": INPUTS, "prefill": 513},
            f"{INPUTS}: 'input_ids': sequences of 512 tokens, prefill=513 needs 513; lower it",
        ),
        (
            {"inputs": {"input_ids": [[1, 2], [3]]}, "prefill": 2},
            "inputs: 'input_ids': rows of different lengths, expected an array of numbers",
        ),
    ],
)
def test_compile_names_the_argument(model: mx.Model, given: Any, expected: str) -> None:
    assert message(lambda: mx.compile(model, **given)).startswith(expected)


def test_nested_lists_are_arrays(model: mx.Model) -> None:
    rows = [[1, 2, 3, 4]] * 4
    routing = ANY.profile(model, {"input_ids": rows})
    again = mx.profile(model, {"input_ids": np.array(rows)})
    assert routing.tokens == 16
    assert np.array_equal(routing.matrix(0), again.matrix(0))


def test_the_command_line_names_its_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compile", str(MODEL), "--inputs", str(INPUTS), "-o", str(tmp_path / "out")]
    told = f"error: {INPUTS}: 'input_ids': sequences of 512 tokens, "
    for asked, expected in (
        ("--prefill 500 --decode 16", f"{told}--prefill 500 and --decode 16 need 516; lower one "),
        ("--prefill 513", f"{told}--prefill 513 needs 513; lower it"),
        ("--prefill 16 --fit 0:0.01", "error: --fit 0:0.01: holds none of the 64 sequences; "),
    ):
        assert main([*words, *asked.split()]) == 2
        assert expected in capsys.readouterr().err
    assert main([*words[:2], *words[4:]]) == 2
    assert "no routing; give --routing R.npz or --inputs X.npz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda: ANY.open_model(3), "path: 3, expected the path of an ONNX file"),
        (lambda: ANY.profile(MODEL, INPUTS, tokens="9"), "tokens: '9', expected a whole number"),
        (lambda: ANY.group(3), "routing: 3, expected a Routing, a Load or a file of either"),
        (lambda: ANY.group("r", options="lpt"), "options: 'lpt', expected GroupingOptions"),
        (lambda: ANY.schedule(3, "g", 1), "routing: 3, expected a Routing or the path of an NPZ"),
        (lambda: ANY.simulate(3), "executable: 3, expected an Executable or the folder of"),
        (lambda: ANY.verify(3), "folder: 3, expected an output of `moexbar compile`"),
        (lambda: ANY.compare(3), "routing: 3, expected a Routing or the path of an NPZ file"),
        (lambda: ANY.compare("r", solvers="lpt"), "solvers: 'lpt', expected a list of names"),
        (lambda: ANY.accuracy(3), "compiled: 3, expected the folder of `moexbar compile`"),
        (
            lambda: ANY.accuracy("out", routing="fixed", tokens=8),
            "tokens: given with routing='fixed', which runs the program's own window",
        ),
        (lambda: ANY.inspect("out"), "program: 'out', expected a Program, as "),
        (lambda: ANY.survey(3), "model: 3, expected a Model or the path of an ONNX file"),
        (lambda: ANY.chip_sheet("hermes"), "chip: 'hermes', expected a Chip, as "),
        (lambda: ANY.read_report(3), "path: 3, expected the path of a report.json"),
        (lambda: ANY.read_compiled(None), "folder: None, expected an output of `moexbar compile`"),
    ],
)
def test_other_functions_name_theirs(call: Callable[[], object], expected: str) -> None:
    assert message(call).startswith(expected)


def test_whole_numbers_of_numpy_are_taken() -> None:
    assert whole("prefill", np.int64(3), 1) == 3
    assert type(whole("prefill", np.int64(3), 1)) is int
    assert message(lambda: whole("n", np.True_)) == "n: np.True_, expected a whole number"


def test_arrays_hold_numbers() -> None:
    problem = "inputs: 'x': ['a'], expected an array of numbers"
    assert message(lambda: arrays("inputs", {"x": ["a"]})) == problem
    assert (
        message(lambda: arrays("inputs", {3: [1]}))
        == "inputs: 3, expected the name of a model input"
    )


def test_an_argument_error_crosses_processes() -> None:
    error = ArgumentError("fit", "none", "widen", InputError("--fit", "none", "widen"))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (str(again), str(again.typed)) == ("fit: none; widen", "--fit: none; widen")
