"""Tokens that an attention mask hides are padding: they are not routed, and cost no expert."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

import moexbar as mx
from moexbar.report.executed import Executed
from tests.compiler.frontend import models as m

TOKENS, HIDDEN = 12, 4


def masked_model(folder: Path) -> Path:
    """Causal, and blind for what attention_mask [1, T] says is padding."""

    def mask(g: m.Graph) -> str:
        at = m.positions(g)
        seen = g("Cast", "attention_mask", to=TensorProto.BOOL)
        return g("And", at.mask, g("Unsqueeze", seen, g.constant([1, 2])))

    g = m.transformer(m.Graph(), [m.gather_batched()], mask=mask)
    ids: tuple[int, list[int | str]] = (TensorProto.INT64, [1, "tokens"])
    return g.model(folder / "m.onnx", m.LOGITS, {"input_ids": ids, "attention_mask": ids})


def inputs(hidden: int) -> dict[str, Any]:
    """Four sequences; the last `hidden` tokens of the last two are padding."""
    given = m.token_ids(TOKENS, 4)
    mask = np.ones((4, TOKENS), dtype=np.int64)
    mask[2:, TOKENS - hidden :] = 0
    return {**given, "attention_mask": mask}


def test_padding_is_no_work(tmp_path: Path) -> None:
    """Two experts a token: 2 x 12 pairs of a whole sequence, 2 x 8 of one with 4 hidden tokens."""
    model = mx.open_model(masked_model(tmp_path))
    done = mx.compile(model, "tiny", inputs=inputs(HIDDEN), prefill=TOKENS, baselines="none")
    choices = done.routing.choices
    assert choices is not None
    pairs = (choices[0] >= 0).reshape(4, TOKENS, 2)
    assert pairs[:2].all()
    assert pairs[2:, :-HIDDEN].all()
    assert not pairs[2:, -HIDDEN:].any()
    # scored on the second half, whose first window is the third sequence
    assert int(done.compiled.chosen[0].sum()) == 2 * (TOKENS - HIDDEN)
    assert isinstance(done.report.executed, Executed)
    assert "4 tokens that the attention mask hides are not routed" in done.report.executed.summary


def test_a_mask_of_ones_hides_nothing(tmp_path: Path) -> None:
    model = mx.open_model(masked_model(tmp_path))
    done = mx.compile(model, "tiny", inputs=inputs(0), prefill=TOKENS, baselines="none")
    assert done.routing.choices is not None
    assert (done.routing.choices >= 0).all()
    assert isinstance(done.report.executed, Executed)
    assert "hides" not in done.report.executed.summary


def test_the_profile_says_how_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from moexbar.__main__ import main

    path, arrays = masked_model(tmp_path), tmp_path / "x.npz"
    np.savez(arrays, **inputs(HIDDEN))
    out = tmp_path / "r.npz"
    assert main(["profile", str(path), "--inputs", str(arrays), "-o", str(out)]) == 0
    assert "8 tokens that the attention mask hides are not routed" in capsys.readouterr().err
