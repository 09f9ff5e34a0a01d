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
    "lpddr4": (25_600, 1_750_000, 153_300),
    "lpddr5": (51_200, 1_638_400, 153_300),
    "hbm2": (256_000, 8_030_000, 509_000),
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
    = 34.1 mW; 437.4 mW / 51.2 Gbit/s = 8.5 pJ/bit. Idle is standby with refreshes, 1.8 x 2.5 +
    1.1 x (30 + 0.75) = 38.3 mW: 4.2 mW of refreshes, also beside power-down, 1.8 x 1.2 + 1.1 x
    (3 + 0.75) = 6.3 mW, and active standby, 1.8 x 2.25 + 1.1 x (30 + 0.75) = 37.9 mW.
    """
    read, standby = 1.8 * 2.25 + 1.1 * 425, 1.8 * 2 + 1.1 * 27.75
    memory = load_chip("hermes").memory
    assert memory.dram == "lpddr4"
    assert memory.dram_active_uw / 4000 == pytest.approx(read - standby, rel=1e-3)
    refreshed = 1.8 * 2.5 + 1.1 * 30.75
    refreshes = refreshed - standby
    assert memory.dram_idle_uw / 4000 == pytest.approx(refreshed, rel=1e-3)
    low, high = band("lpddr4", "dram_idle_uw")
    assert low / 4000 == pytest.approx(1.8 * 1.2 + 1.1 * 3.75 + refreshes, rel=1e-3)
    assert high / 4000 == pytest.approx(1.8 * 2.25 + 1.1 * 30.75 + refreshes, rel=1e-3)
    assert (read - standby) / 51.2 == pytest.approx(8.54, rel=1e-3)


def band(kind: str, field: str) -> tuple[float, float]:
    """Least and largest value of a field of a kind of DRAM."""
    facts = {fact.path: fact for fact in load_chip("hermes", {"memory.dram": kind}).facts}
    fact = facts[f"memory.{field}"]
    assert fact.low is not None
    assert fact.high is not None
    return fact.low, fact.high


def test_a_stack_of_hbm2_at_rest() -> None:
    """Eight channels at 1.2 V: standby 40 mA and refreshes, (250 - 55) mA x 260 / 3900 = 13 mA.

    53 mA x 1.2 V x 8 = 508.8 mW; self-refresh 31 mA x 1.2 V x 8 = 297.6 mW.
    """
    idle = load_chip("hermes", {"memory.dram": "hbm2"}).memory.dram_idle_uw
    assert idle == pytest.approx((40 + 195 * 260 / 3900) * 1.2 * 8 * 1000, rel=1e-3)
    low, high = band("hbm2", "dram_idle_uw")
    assert (low, high) == pytest.approx((31 * 1.2 * 8 * 1000, 2e6), rel=2e-3)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("lpddr5", 4 * 0.7, 8.54), ("hbm2", 3.92, 6), ("hbm3", 3.92 * (1.1 / 1.2) ** 2, 6)],
)
def test_bands_of_the_energy_of_a_bit(kind: str, low: float, high: float) -> None:
    """Picojoules a bit at full rate: W / (GB/s x 8)."""
    rate = load_chip("hermes", {"memory.dram": kind}).memory.dram_mb_per_s * 8e6
    least, most = (uw * 1e6 / rate for uw in band(kind, "dram_active_uw"))
    assert (least, most) == pytest.approx((low, high), rel=2e-3)


def test_numbers_of_ones_own(tmp_path: Path) -> None:
    """Beside a kind they count; in a file above it too; another kind takes their place again."""
    words = {"memory.dram": "lpddr5", "memory.dram_gb_per_s": "60"}
    memory = load_chip("hermes", words).memory
    assert (memory.dram_mb_per_s, memory.dram_idle_uw) == (60_000, 153_300)
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
