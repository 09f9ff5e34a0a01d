"""A trace of other inputs than those executed: the message blames it, and says where it differs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import moexbar as mx
from backends.functional import Traced
from ir.errors import OtherRoutingError
from ir.routing import Routing
from moexbar.__main__ import main
from moexbar.model import Model
from tests.compiler.frontend import models as m

TOKENS, TOKEN = 12, 29  # the window is sequence 2 of 4: tokens 24 to 35


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return mx.open_model(m.write(tmp_path_factory.mktemp("m"), [m.dense_masked()] * 2))


@pytest.fixture(scope="module")
def recorded(model: Model) -> Routing:
    return mx.profile(model, m.token_ids(TOKENS, 4))


def changed(routing: Routing) -> Routing:
    """In the second layer one token goes to the next expert instead of its first."""
    assert routing.choices is not None
    choices = routing.choices.copy()
    first, second = choices[1, TOKEN].tolist()
    free = [e for e in range(m.EXPERTS) if e not in (first, second)]
    choices[1, TOKEN, 0] = free[0]
    return replace(routing, choices=choices, weights=None, source="mine.npz")


def names(routing: Routing) -> str:
    assert routing.choices is not None
    return "experts " + ", ".join(str(e) for e in sorted(routing.choices[1, TOKEN].tolist()))


def test_the_trace_is_blamed(model: Model, recorded: Routing) -> None:
    """Layer, token, sequence, both selections, and what to do; exit code 2, as of any input."""
    other = changed(recorded)
    with pytest.raises(OtherRoutingError) as caught:
        mx.compile(
            model,
            "tiny",
            routing=other,
            inputs=m.token_ids(TOKENS, 4),
            prefill=TOKENS,
            baselines="none",
        )
    assert str(caught.value) == (
        f"mine.npz: layer 1, token {TOKEN} (sequence 2): {names(other)}, where the model's router "
        f"selects {names(recorded)} for these inputs (1 of 12 tokens differ); record it with "
        "this model and these inputs: moexbar profile MODEL --inputs X.npz -o R.npz"
    )
    assert caught.value.exit_code == 2


def test_its_own_trace_is_not(model: Model, recorded: Routing) -> None:
    given = m.token_ids(TOKENS, 4)
    done = mx.compile(
        model, "tiny", routing=recorded, inputs=given, prefill=8, decode=3, baselines="none"
    )
    assert "largest error" in str(done.report.executed)


def test_a_program_that_does_not_do_what_the_trace_says() -> None:
    """Then the trace is not to blame: nothing is raised."""
    wrong = np.zeros((1, m.EXPERTS), dtype=np.bool_)
    wrong[0, 0] = True
    traced = Traced("mine.npz", {0: ~wrong}, np.array([5]), np.array([0]))
    traced.refuse_other(0, np.array([0]), wrong, ~wrong)


def test_verify(model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Compiled for a trace of one input, executed on another."""
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    np.savez(first, **m.token_ids(TOKENS, 4))
    np.savez(second, **m.token_ids(TOKENS, 4, seed=2))
    trace, folder = tmp_path / "trace.npz", tmp_path / "out"
    assert main(["profile", str(model.path), "--inputs", str(first), "-o", str(trace)]) == 0
    words = ["compile", str(model.path), "--routing", str(trace), "--chip", "tiny"]
    assert main([*words, "--prefill", "12", "--no-baselines", "-o", str(folder)]) == 0
    assert main(["verify", str(folder), "--inputs", str(first)]) == 0
    capsys.readouterr()
    assert main(["verify", str(folder), "--inputs", str(second)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "routing.npz: layer 0, token 24 (sequence 2): experts" in said
    assert "where the model's router selects experts" in said
