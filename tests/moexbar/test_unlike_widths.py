"""Experts of unlike widths from a file to a folder and back: what is told, printed and executed."""

import json
from pathlib import Path

import numpy as np
import pytest

import moexbar as mx
from compiler.options import GroupingOptions
from moexbar.__main__ import main
from moexbar.cli.compile_text import print_compiled
from moexbar.report.executed import Executed
from tests.compiler.frontend import experts as x
from tests.compiler.frontend import models as m

SMALL = {"crossbar.rows": 8, "crossbar.columns": 8}  # tiles of 8 x 8 weights


def test_told_placed_executed_and_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four experts of 24 and 12 by turns, in pairs; each has three matrices.

    16 x 24 is 2 x 3 tiles and 24 x 16 is 3 x 2, so an expert has 18; one of 12 has 12. A mixed pair
    takes 18 PGs, so two of them 36; in pairs of one width 18 + 12 would do.
    """
    path, inputs = m.write(tmp_path, [m.dense_masked(expert=x.by_turns())]), tmp_path / "in.npz"
    np.savez(inputs, **m.token_ids(8, 4))
    assert main(["model", str(path), "--json"]) == 0
    (layer,) = json.loads(capsys.readouterr().out)["moe_layers"]
    assert (layer["d_expert"], layer["hidden_widths"]) == (24, [24, 12, 24, 12])
    assert main(["model", str(path)]) == 0
    assert "12 to 24" in capsys.readouterr().out

    chip, by_place = mx.load_chip("hermes-mux2", SMALL), GroupingOptions("contiguous")
    done = mx.compile(path, chip, inputs=inputs, prefill=8, grouping=by_place, baselines="none")
    assert isinstance(done.report.executed, Executed)
    (row,) = done.report.layers
    assert row.groups == ((0, 1), (2, 3))
    assert row.unlike_widths is not None
    assert (row.unlike_widths.pgs, row.unlike_widths.pgs_bound) == (36, 18 + 12)
    assert done.program.inventory.expert_pgs == 36
    print_compiled(done, tmp_path / "out")
    told = capsys.readouterr().out.replace("\n", " ")
    assert "experts of unlike widths: 36 peripheral groups" in told
    done.save(tmp_path / "out")
    assert main(["verify", str(tmp_path / "out")]) == 0
    assert "executed: largest error" in capsys.readouterr().out
