"""Kinds of links: sourced numbers under a name, and the arithmetic on what was published."""

from typing import get_args

import pytest

from ir.chip import Link, LinkKind
from moexbar.chips import load_chip
from moexbar.chips.merge import LINKS, OWN

KINDS = tuple(kind for kind in get_args(LinkKind) if kind != OWN)


def link(kind: str) -> Link:
    found = load_chip("hermes", {"die.area_mm2": "858", "link.kind": kind}).link
    assert found is not None
    return found


def test_every_file_is_a_kind() -> None:
    assert {path.stem for path in LINKS.glob("*.toml")} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_has_a_source_or_a_reason(kind: str) -> None:
    chip = load_chip("hermes", {"die.area_mm2": "858", "link.kind": kind})
    facts = [fact for fact in chip.facts if fact.path.startswith("link.")]
    assert len(facts) == 6
    for fact in facts:
        assert fact.source != "no source given"
        assert fact.path == "link.kind" or fact.source != "set on the command line"
    assert chip.link is not None
    assert chip.link.kind == kind


@pytest.mark.parametrize(
    ("kind", "lanes", "gt_per_s", "edge_mm", "both_gb_per_s_mm"),
    [("ucie-2d", 32, 32, 1.143, 224), ("ucie-2.5d", 64, 32, 0.3888, 1317)],
)
def test_ucie_counts_both_directions(
    kind: str, lanes: int, gt_per_s: int, edge_mm: float, both_gb_per_s_mm: int
) -> None:
    """Lanes of both directions over the edge are what is published; the link has half of it."""
    assert 2 * lanes * gt_per_s / 8 / edge_mm == pytest.approx(both_gb_per_s_mm, rel=1e-3)
    found = link(kind)
    assert found.bits_per_ns_per_mm == both_gb_per_s_mm / 2 * 8
    assert found.edge_um == round(edge_mm * 1000)
    assert found.bits_per_ns == pytest.approx(lanes * gt_per_s, rel=1e-3)


def test_areas_of_ucie() -> None:
    """2D: 1.54 mm deep, 256 GB/s on 1.76 mm2 = 145 GB/s/mm2. 2.5D: 1317 / 1350 mm deep."""
    flat, bridge = link("ucie-2d"), link("ucie-2.5d")
    assert flat.end_um2 == pytest.approx(256 / 145.44 * 1e6, rel=1e-3)
    assert bridge.um2_per_mm == round(1317 / 1350 * 1e6)
    assert bridge.end_um2 == pytest.approx(512 / 1350 * 1e6, rel=1e-3)


def test_stacked_dies_count_square_millimetres() -> None:
    """4000 GB/s/mm2 of both directions: 2000 x 8 bits a ns; 80 lanes of 4 GT/s are 320."""
    found = link("ucie-3d")
    assert found.bits_per_ns_per_mm == 4000 // 2 * 8
    assert found.bits_per_ns == 80 * 4
    assert found.end_um2 == 20_000
    pads, one_way = 1e6 / 9**2, 4000 * 8 / 4
    assert one_way < pads < 2 * one_way  # so 4000 GB/s cannot be of each direction


def test_hypertransport_of_puma() -> None:
    """6.4 GB/s a link; 10.4 W and 22.88 mm2 for four."""
    found = link("hypertransport")
    assert found.bits_per_ns == round(6.4 * 8) == 51
    assert found.bit_fj == pytest.approx(10.4 / (4 * 6.4e9 * 8) * 1e15, rel=1e-3)
    assert found.end_um2 == 22_880_000 // 4


def test_a_port_between_boards() -> None:
    """400 Gbit/s; serial lanes at both ends and the switch: 5.5 + 500 W / 51.2 Tbit/s."""
    found = link("board")
    assert found.bits_per_ns == 400
    assert found.bit_fj == pytest.approx((5.5 + 500 / 51.2) * 1000, rel=5e-3)
    assert found.um2_per_mm == pytest.approx(304 / 169 * 1e6, rel=1e-3)
    assert found.latency_ps == 400_000
