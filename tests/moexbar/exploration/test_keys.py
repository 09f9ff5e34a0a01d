"""What each stage depends on: found by its key as every field of the chip is changed by a step."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.options import GroupingOptions
from compiler.partition import partition
from compiler.pipeline import group_experts, place_experts
from compiler.stages import Places, Stages, group_layers, order_layer, place_blocks
from compiler.trace import routing_matrices
from ir.chip import Chip
from ir.errors import InputError
from ir.mapping import LayerGrouping
from ir.placement import Placement
from moexbar.case import carry_out
from moexbar.chips.fields import SCHEMA, TABLES, Field
from moexbar.chips.loader import change_chip
from moexbar.exploration.content import key_of
from moexbar.exploration.kept import Answers, Recent, kept_stages, order_key, place_key
from moexbar.exploration.prepare import Prepared, Preparing
from moexbar.exploration.words import line_of
from moexbar.exploration.work import case_of, jobs_of
from moexbar.progress import Quiet
from tests.moexbar.exploration.inline import SMALL
from tests.paths import ROOT

PAGE = ROOT / "docs" / "explore.md"
# which no step alone can change: they are stated together, or not at all
TOGETHER = {"mesh.width", "mesh.height", "die.links"} | {
    field.path for table in ("die", "link") for field in SCHEMA[table]
}


@pytest.fixture(scope="module")
def opened() -> Iterator[Preparing]:
    with Preparing(Path(), Quiet()) as found:
        yield found


def point(opened: Preparing, **settings: Any) -> Prepared:
    return opened.point(line_of(SMALL | settings, "point"))


def keys(point: Prepared, chip: Chip | None = None) -> list[str]:
    """Keys of the groups of a point, or of the same on another chip."""
    on = point if chip is None else Prepared(point.sent, chip, point.asked)
    return [key for key, _ in jobs_of(case_of(on))]


def stepped(chip: Chip, field: Field) -> Chip:
    """The chip with one field changed."""
    part = TABLES[field.table].part(chip)
    now = None if part is None else getattr(part, field.name)
    if field.kind == "flag":
        word = str(not now).lower()
    elif field.kind == "choice":
        word = next(choice for choice in field.choices if choice != now)
    else:
        word = str(2 * now if now else 8)
    return change_chip(chip, {field.path: word})


def documented(stage: str) -> set[str]:
    """The fields that the page says a stage depends on."""
    (row,) = re.findall(rf"^\| {stage} \|(.*)\|", PAGE.read_text(), re.M)
    return set(re.findall(r"`([a-z_]+\.[a-z_0-9]+)`", row))


@pytest.mark.parametrize("objective", ["slots", "time", "energy"])
def test_groups_depend_on_what_the_page_says(opened: Preparing, objective: str) -> None:
    asked = point(opened, objective=objective)
    base, changed, kept = keys(asked), set[str](), list[Chip]()
    for field in (field for fields in SCHEMA.values() for field in fields):
        if field.path in TOGETHER:
            with pytest.raises((InputError, TypeError)):
                stepped(asked.chip, field)
            continue
        chip = stepped(asked.chip, field)
        if keys(asked, chip) == base:
            kept.append(chip)
        else:
            changed.add(field.path)
    assert changed == documented(f"groups, `--objective {objective}`")
    assert len(kept) > 90
    # equal keys, equal answers: computed anew for some of the chips
    plain = groups(asked)
    for chip in kept[:: len(kept) // 4]:
        assert groups(Prepared(asked.sent, chip, asked.asked)) == plain


def groups(point: Prepared) -> list[tuple[tuple[int, ...], ...]]:
    return [g.groups for g in group_layers([job for _, job in jobs_of(case_of(point))], 1)]


@pytest.mark.parametrize(
    "settings",
    [
        {"prefill": 17},
        {"fit": "0:0.4"},
        {"seed": 1},
        {"time": 2.0},
        {"group_size": "1"},
        {"replicas": 1},
        {"grouping": "lpt"},
    ],
    ids=str,
)
def test_groups_depend_on_what_is_asked_of_them(
    opened: Preparing, settings: dict[str, Any]
) -> None:
    assert not set(keys(point(opened))) & set(keys(point(opened, **settings)))


@pytest.mark.parametrize(
    "settings",
    [{"score": "0.6:1"}, {"scheduling": "compact"}, {"placement": "squares"}, {"kv": "off"}],
    ids=str,
)
def test_and_on_nothing_else(opened: Preparing, settings: dict[str, Any]) -> None:
    assert keys(point(opened)) == keys(point(opened, **settings))


def test_what_is_read_depends_on_no_chip(opened: Preparing) -> None:
    one, two = point(opened), point(opened, **{"chip.pg.mux": 4, "chip.mvm.read_ns": 90})
    assert one.sent is two.sent
    assert one.sent.key != point(opened, prefill=17).sent.key
    read = one.sent.read()
    assert key_of(read) == one.sent.key
    assert read.workload == case_of(one).read.workload


def test_an_order_is_kept_by_groups_pairs_and_what_is_asked(opened: Preparing) -> None:
    (layer, *_) = group_layers([job for _, job in jobs_of(case_of(point(opened)))], 1)
    asked = point(opened).asked
    picked = np.random.default_rng(0).random((16, 16)) < 0.2
    words = layer, picked, asked.slots, asked.limits, None
    key = order_key(*words)
    again = replace(layer, certificate=replace(layer.certificate, seconds=9.0))
    assert order_key(again, *words[1:]) == key  # who found the groups, in which time
    other = LayerGrouping(layer.layer, layer.groups[::-1], layer.solver, layer.certificate)
    assert order_key(other, *words[1:]) != key
    assert order_key(layer, ~picked, *words[2:]) != key
    assert order_key(*words[:2], replace(asked.slots, bus=2), *words[3:]) != key
    assert order_key(*words[:3], replace(asked.limits, seed=1), None) != key
    assert order_key(*words[:4], np.arange(16)) != key
    stages = kept_stages({}, Answers())
    found = stages.order(*words)
    assert stages.order(*words) is found
    assert np.array_equal(found.order.table, order_layer(*words).order.table)


def test_a_placement_depends_on_what_the_page_says(opened: Preparing) -> None:
    """Where keys are equal, so are placements by the rules, which see what the search sees."""
    asked = point(opened, placement="squares")
    base, plain = placing(asked, asked.chip)
    same = key_of(replace(plain, certificate=None))
    changed = set[str]()
    for field in (field for fields in SCHEMA.values() for field in fields):
        if field.path in TOGETHER:
            continue
        key, placed = placing(asked, stepped(asked.chip, field))
        if key != base:
            changed.add(field.path)
        else:
            assert key_of(replace(placed, certificate=None)) == same, field.path
    assert changed == documented("placement, `--placement cp-sat`")


def placing(point: Prepared, chip: Chip) -> tuple[str, Placement]:
    """The key of a point's placement on a chip, groups being what they are, and the placement."""
    case = case_of(point)
    read, options = case.read, case.options(case.read.workload)
    asked = list[Places]()

    def place(words: Places) -> Placement:
        asked.append(words)
        return place_blocks(words)

    traced, blocks = routing_matrices(read.workload, read.trace), partition(read.workload, chip)
    rule = replace(options, grouping=GroupingOptions("contiguous"))
    words = read.workload, blocks, traced, read.trace
    grouping = group_experts(*words, point.chip, rule)
    of = read.workload, blocks, grouping, traced, read.trace, chip
    mapping = place_experts(*of, options, Stages(place=place))
    return place_key(asked[0]), mapping.placement


def test_a_placement_is_searched_for_once(opened: Preparing) -> None:
    stages, searched = kept_stages({}, Answers()), point(opened, placement="cp-sat", time=0.05)
    found = [carry_out(case_of(searched), stages=stages).ours.compiled for _ in range(2)]
    one, other = (done.mapping.placement for done in found)
    assert one.certificate is other.certificate


def test_only_the_last_answers_are_kept() -> None:
    kept, made = Recent[int](2), count(1)

    def value(key: str) -> int:
        return kept.get(key, lambda: next(made))

    assert [value(key) for key in "abab"] == [1, 2, 1, 2]
    assert value("c") == 3  # in place of a, used before b
    assert [value(key) for key in "ba"] == [2, 4]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, True),
        (1, 1.0),
        ("1", 1),
        (None, "None"),
        ((1, (2, 3)), (1, 2, 3)),
        ({"a": 1}, {"a": 2}),
        (np.zeros(2), np.zeros((2, 1))),
        (np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int32)),
        (Path("a"), "a"),
    ],
    ids=str,
)
def test_values_of_another_content_have_other_keys(one: object, other: object) -> None:
    assert key_of(one) != key_of(other)
    assert key_of(one) == key_of(one)


def test_what_has_no_content_has_no_key() -> None:
    with pytest.raises(TypeError, match="function: no rule"):
        key_of(key_of)
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    assert key_of(np.int64(3)) == key_of(3)
