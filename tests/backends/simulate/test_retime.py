"""Durations on other chips: where there is nothing to change, and where they would be too long."""

from fractions import Fraction

import numpy as np
import pytest

from backends.band import with_peripherals
from backends.simulate.links import crossings, transfers
from backends.simulate.retime import retime, scale
from ir.errors import InputError
from ir.program import Opcode
from tests.make import SMALL_CHIP, compile_small, small_chip


@pytest.mark.parametrize("factor", [2**46, 2**60, 10**20])
def test_durations_that_no_program_has(factor: int) -> None:
    """MVMs of 10 ns: 10^4 x 2^46 ps are less than 2^62 for each, and more for all together."""
    p = compile_small().program
    with pytest.raises(InputError, match=r"scale: durations of .* ps, expected 2\^62 at most"):
        scale(p, p.duration_ps, p.busy_ps, {Opcode.MVM: Fraction(factor)})


def test_durations_beyond_64_bits_on_the_way_are_exact() -> None:
    """10^4 ps x (2^60 + 1) / 2^60: the product has 74 bits, the quotient is rounded up."""
    p = compile_small().program
    found, _ = scale(p, p.duration_ps, p.busy_ps, {Opcode.MVM: Fraction(2**60 + 1, 2**60)})
    mvm = p.opcode == Opcode.MVM
    assert np.array_equal(found[mvm], p.duration_ps[mvm] + 1)
    assert np.array_equal(found[~mvm], p.duration_ps[~mvm])


def test_a_speed_that_is_none() -> None:
    """What takes no time on the one chip has no ratio to what takes some on the other."""
    p = compile_small(decode=1).program
    at_once = small_chip(digital={"sample_ps": 0})
    slow = small_chip(digital={"sample_ps": 7})
    with pytest.raises(InputError, match=r"digital\.sample_ps: 7, the program was made for 0"):
        retime(p, at_once, slow)


def test_dies_on_a_chip_without_links() -> None:
    p, chip = compile_small().program, small_chip()
    rows = np.zeros(len(p), dtype=np.bool_)
    assert [len(found) for found in crossings(p, rows, chip, chip)] == [0, 0]
    rows[0] = True
    with pytest.raises(InputError, match=r"no \[link\], the program was made for dies"):
        crossings(p, rows, chip, chip)


FORMS: dict[str, dict[str, dict[str, object]]] = {
    "by hops": {},
    "one hop's time everywhere": {"mesh": {"distance": "flat"}},
    "attention by a polynomial": {"digital": {"attention": "polynomial"}},
    "sums of tiles at no time": {"accumulate": {"hop_ps": 0}},
}


@pytest.mark.parametrize("form", FORMS)
def test_as_compiled_for_the_other_chip(form: str) -> None:
    """Faster hops and additions: each instruction takes what one made for that chip takes."""
    old, faster = FORMS[form], {"mesh": {"hop_ps": 9_000}, "digital": {"add_ps": 4_000}}
    new = {part: {**old.get(part, {}), **faster.get(part, {})} for part in {*old, *faster}}
    before, after = small_chip(**old), small_chip(**new)
    made, other = (compile_small(chip=chip, decode=1).program for chip in (before, after))
    duration, busy = retime(made, before, after)
    assert sorted(duration.tolist()) == sorted(other.duration_ps.tolist())
    assert sorted(busy.tolist()) == sorted(other.busy_ps.tolist())
    assert duration.sum() < made.duration_ps.sum()


def test_no_transfers() -> None:
    none = np.zeros(0, dtype=np.int64)
    assert [len(found) for found in transfers(none, none, SMALL_CHIP, SMALL_CHIP)] == [0, 0]


def test_areas_that_are_not_published_stay() -> None:
    unknown = small_chip(crossbar={"array_um2": None})
    assert with_peripherals(unknown, 7) is unknown
