"""Kinds of DRAM: sourced numbers under a name, in the place of inherited ones."""

from pathlib import Path

import pytest

from ir import timing
from ir.errors import InputError
from moexbar.chips import load_chip
from moexbar.chips.merge import KINDS

# data rate in MB/s, power while it transfers in uW, idle power in uW
NUMBERS = {
    "3d-cim": (5_332, 246_700, 129_700),
    "lpddr4": (25_600, 1_750_000, 136_400),
    "lpddr5": (51_200, 1_638_400, 136_400),
    "hbm2": (256_000, 8_030_000, 2_000_000),
    "hbm3": (819_200, 25_700_000, 3_000_000),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_a_kind_stands_for_its_numbers(kind: str) -> None:
    chip = load_chip("hermes", {"memory.dram": kind})
    memory = chip.memory
    found = memory.dram_mb_per_s, memory.dram_active_uw, memory.dram_idle_uw
    assert (memory.dram, found) == (kind, NUMBERS[kind])
    facts = {fact.path: fact for fact in chip.facts}
    for field in ("dram_mb_per_s", "dram_active_uw", "dram_idle_uw"):
        assert facts[f"memory.{field}"].source != "no source given"


def test_every_file_is_a_kind() -> None:
    assert {path.stem for path in KINDS.glob("*.toml")} == set(NUMBERS)


def test_a_kilobyte_of_hbm3() -> None:
    """1024 bytes at 819.2 GB/s: 1.25 ns; at 25.7 W 32.1 nJ, 3.9 pJ a bit."""
    cost = timing.dram(load_chip("hermes", {"memory.dram": "hbm3"}), 1024)
    assert (cost.duration_ps, cost.energy_fj) == (1_250, 32_125_000)
    assert cost.energy_fj / 8192 == pytest.approx(3920, rel=0.01)


def test_currents_of_lpddr4() -> None:
    """A channel of 16 bits: what reading draws beyond standby, over 51.2 Gbit/s; four channels.

    Read 1.8 V x 2.25 mA + 1.1 V x (275 + 150) mA = 471.6 mW; standby 1.8 x 2 + 1.1 x (27 + 0.75)
    = 34.1 mW; 437.4 mW / 51.2 Gbit/s = 8.5 pJ/bit.
    """
    read, standby = 1.8 * 2.25 + 1.1 * 425, 1.8 * 2 + 1.1 * 27.75
    memory = load_chip("hermes").memory
    assert memory.dram == "lpddr4"
    assert memory.dram_active_uw / 4000 == pytest.approx(read - standby, rel=1e-3)
    assert memory.dram_idle_uw / 4000 == pytest.approx(standby, rel=1e-3)
    assert (read - standby) / 51.2 == pytest.approx(8.54, rel=1e-3)


def test_numbers_of_ones_own(tmp_path: Path) -> None:
    """Beside a kind they count; in a file above it too; another kind takes their place again."""
    words = {"memory.dram": "lpddr5", "memory.dram_gb_per_s": "60"}
    memory = load_chip("hermes", words).memory
    assert (memory.dram_mb_per_s, memory.dram_idle_uw) == (60_000, 136_400)
    path = tmp_path / "my.toml"
    path.write_text('extends = "hermes"\n[memory]\ndram_gb_per_s = 100\n')
    assert load_chip(path).memory.dram_mb_per_s == 100_000
    assert load_chip(path, {"memory.dram": "hbm2"}).memory.dram_mb_per_s == 256_000


def test_the_references_memory_stays() -> None:
    for name in ("paper", "ibm-3dcim"):
        memory = load_chip(name).memory
        assert (memory.dram, memory.dram_mb_per_s, memory.dram_idle_uw) == (
            "3d-cim",
            5_332,
            129_700,
        )


def test_an_unknown_kind_names_those_there_are() -> None:
    with pytest.raises(InputError, match=r'memory\.dram: found "hbm4", expected "own" or "3d-cim"'):
        load_chip("hermes", {"memory.dram": "hbm4"})
