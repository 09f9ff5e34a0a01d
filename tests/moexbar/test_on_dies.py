"""The models that are shipped, on several dies: compiled, replayed, executed, written, read."""

import json
import re
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from backends.simulate import replay
from ir.program import Opcode
from ir.verify import check_mapping, check_program
from moexbar.__main__ import main
from moexbar.report.executed import Executed
from tests.compiler.frontend import models
from tests.paths import MODELS

QUICK: dict[str, Any] = {  # sizes that would be tried out otherwise
    "bus.transfers_per_slot": 8,
    "bus.return_lanes": 2,
    "pg.input_buffers": 2,
    "link.kind": "ucie-2.5d",
}
DIES: dict[str, dict[str, Any]] = {
    "2": {"die.count": 2, "die.area_mm2": 110},
    "2 of 3D links": {"die.count": 2, "die.area_mm2": 110, "link.kind": "ucie-3d"},
    "4 in a ring": {"die.count": 4, "die.area_mm2": 50, "die.topology": "ring"},
    "4, each joined to all": {"die.count": 4, "die.area_mm2": 50, "die.topology": "all-to-all"},
    "4 about a hub": {
        "die.count": 4,
        "die.area_mm2": 50,
        "die.topology": "table",
        "die.links": "0-1,1-2,1-3",
    },
    "9 in a mesh": {"die.count": 9, "die.area_mm2": 24},
    "9 in a ring": {"die.count": 9, "die.area_mm2": 24, "die.topology": "ring"},
    "as many as it takes": {"die.area_mm2": 28},
}
SMALL_DIES: dict[str, Any] = {
    "die.area_mm2": 0.025,
    "link.kind": "own",
    "link.bits_per_ns_per_mm": 64,
    "link.edge_mm": 0.1,
    "link.latency_ns": 2,
    "link.bit_pj": 0.5,
    "link.um2_per_mm": 1000,
    "digital.dpus_per_region": 2,
    "digital.mha_units_per_region": 1,
}
HELD = MODELS / "heldout.npz"


@cache
def model(name: str) -> mx.Model:
    return mx.open_model(MODELS / f"{name}.onnx")


def compiled(name: str, sets: dict[str, Any], **asked: Any) -> mx.Compilation:
    """A prefill of 8 tokens, without what takes long elsewhere."""
    chip = mx.load_chip("hermes-mux2", QUICK | sets)
    options: dict[str, Any] = {
        "inputs": HELD,
        "prefill": 8,
        "baselines": "none",
        "grouping": mx.GroupingOptions("sorted"),
        "slots": mx.SlotOptions("token-order"),
        "limits": mx.SolverOptions(time_s=0.1),
    }
    return mx.compile(model(name), chip, **(options | asked))


def refuse_nothing(done: mx.Compilation) -> None:
    """Every check passes, all times hold, and the values are the model's."""
    c = done.compiled
    found = check_mapping(c.mapping, c.workload, c.chip) + check_program(c)
    assert [result for result in found if result[1] != "ok"] == []
    replay(c.program, c.chip)
    executed = done.report.executed
    assert isinstance(executed, Executed)
    assert executed.worst is not None
    assert executed.worst <= 1e-4


@pytest.mark.parametrize(
    ("name", "dies"),
    [
        ("token_choice", "2"),
        ("token_choice", "4 in a ring"),
        ("token_choice", "4, each joined to all"),
        ("token_choice", "4 about a hub"),
        ("token_choice", "9 in a mesh"),
        ("expert_choice", "2 of 3D links"),
        ("expert_choice", "9 in a mesh"),
        ("mote", "2"),
        ("mote", "as many as it takes"),
        ("mote", "9 in a ring"),
    ],
)
def test_a_shipped_model_on_dies_computes_itself(name: str, dies: str) -> None:
    done = compiled(name, DIES[dies])
    refuse_nothing(done)
    placement = done.compiled.mapping.placement
    told = re.match(r"\d+", dies)
    assert told is None or placement.topology.count == int(told[0])
    used = {region.die for region in placement.regions}
    crossing = np.count_nonzero(done.program.opcode == Opcode.CROSS)
    assert (crossing > 0) == (len(used) > 1)


OPTIONS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "decode steps": ({}, {"decode": 2}),
    "two copies of dense blocks": ({}, {"placement": mx.PlacementOptions(dense_copies=2)}),
    "replicas": ({}, {"grouping": mx.GroupingOptions("local-search", replicas=4)}),
    "router on crossbars": ({"digital.router_on": "crossbar"}, {}),
    "experts ahead of the router": ({"digital.experts_wait_for_router": False}, {}),
    "digital units for so many peripheral groups": ({"digital.pgs_per_dpu": 8}, {}),
    "squares": ({}, {"placement": mx.PlacementOptions("squares")}),
    "every expert's own peripherals": ({"pg.mux": 1, "die.area_mm2": 70}, {}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_can_be_asked_of_a_program_holds_on_dies(name: str) -> None:
    sets, asked = OPTIONS[name]
    dies = {"die.area_mm2": 34, "die.topology": "ring"}
    done = compiled("expert_choice" if "decode" in asked else "token_choice", dies | sets, **asked)
    refuse_nothing(done)
    assert np.any(done.program.opcode == Opcode.CROSS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model on dies that are small for its head, which is in parts, with two decode steps."""
    made = tmp_path_factory.mktemp("dies")
    graph = models.Graph(vocab=300)
    models.transformer(graph, [models.dense_masked(shared=models.gated_shared)])
    path = graph.model(made / "m.onnx", {"logits": [1, "tokens", graph.vocab]})
    np.savez(made / "x.npz", **models.token_ids(8, 4))
    chip = mx.load_chip("tiny", SMALL_DIES)
    done = mx.compile(
        path, chip, inputs=made / "x.npz", prefill=6, decode=2, baselines="none", least_placed=0
    )
    joined = [op for op in done.compiled.workload.digital() if op.kind == "join"]
    assert [op.outputs for op in joined] == [("logits",)]
    refuse_nothing(done)
    done.save(made / "out")
    return made / "out"


def test_a_folder_of_parts_is_read_back_and_executed(folder: Path) -> None:
    found = mx.read_compiled(folder)
    assert found.executable.mapping.placement.topology.count > 4
    assert found.execute().worst <= 1e-4
    assert main(["verify", str(folder)]) == 0


def test_crossings_are_inspected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(folder), "--opcode", "CROSS"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " CROSS " in line]
    program = mx.read_compiled(folder).executable.program
    assert len(lines) == np.count_nonzero(program.opcode == Opcode.CROSS)


def test_slower_links_are_simulated(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The program of a link that is 100 ns slower ends later; that of other dies is none."""
    times = []
    for words in ([], ["--set", "link.latency_ns=150"]):
        assert main(["simulate", str(folder), "--json", *words]) == 0
        found = json.loads(capsys.readouterr().out)
        times.append(found["makespan_ns"])
        assert "d2d" in {row["kind"] for row in found["kinds"]}
    assert times[0] < times[1]
    assert main(["simulate", str(folder), "--set", "die.topology=ring"]) == 2
    assert "die.topology: ring, the program was made for mesh" in capsys.readouterr().err


def test_stacks_are_refused_on_several_dies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are of layers that share a region."""
    words = ["compile", MODELS / "token_choice.onnx", "--inputs", HELD, "--prefill", 8]
    words += ["--set", "die.area_mm2=34", "--set", "link.kind=ucie-2d", "--no-baselines"]
    words += ["--set", "pg.stack_limit=4", "--stacks", "auto", "-o", tmp_path / "out"]
    assert main([str(word) for word in words]) == 2
    assert "several dies, and stacks across groups" in capsys.readouterr().err


DAMAGED = {
    "a region on another die than there are": ("mapping.json", ("regions", 0, "die"), 99),
    "pairs of dies that are none": ("mapping.json", ("dies", "joined"), [[0, 99]]),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_folder_is_refused_in_a_line(
    name: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, (table, *keys), value = DAMAGED[name]
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    found = json.loads((copy / file).read_text())
    place = found[table]
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (copy / file).write_text(json.dumps(found))
    assert main(["verify", str(copy)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert "Traceback" not in told
