"""The models that are shipped, on several dies: compiled, replayed, executed, written, read."""

import re
from functools import cache
from typing import Any

import numpy as np
import pytest

import moexbar as mx
from backends.simulate import replay
from ir.program import Opcode
from ir.verify import check_mapping, check_program
from moexbar.report.executed import Executed
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
        ("expert_choice", "4 in a ring"),
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
    "digital units of each region": ({"digital.dpus_per_region": 3}, {}),
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
