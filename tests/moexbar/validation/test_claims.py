"""The published numbers, written out once more: none changes and none goes without being seen."""

from moexbar.validation.claim import EVIDENCE
from moexbar.validation.rows import STUDIES, UNMATCHED

# key: published value, unit, and whether a number of a preset was set from it. A row that served to
# mend the model becomes fitted: those of the first run of NeuroSim did, and the arrays of the
# others, which are the same.
PUBLISHED = {
    "hermes.rate": (1.008, "TOPS", "fitted"),
    "hermes.per_watt": (10.5, "TOPS/W", "fitted"),
    "hermes.per_area": (1.59, "TOPS/mm2", "fitted"),
    "cores64.rate": (63.1, "TOPS", "independent"),
    "cores64.per_watt": (9.76, "TOPS/W", "independent"),
    "cores64.per_area": (1.55, "TOPS/mm2", "independent"),
    "cores64.rate_4phase": (16.1, "TOPS", "fitted"),
    "cores64.per_watt_4phase": (2.48, "TOPS/W", "fitted"),
    "cores64.per_area_4phase": (0.400, "TOPS/mm2", "fitted"),
    "jia.rate": (0.874, "TOPS", "fitted"),
    "jia.rate2": (0.437, "TOPS", "independent"),
    "jia.rate4": (0.2185, "TOPS", "independent"),
    "jia.rate8": (0.09323, "TOPS", "independent"),
    "jia.per_watt": (400, "TOPS/W", "fitted"),
    "jia.per_area": (0.24, "TOPS/mm2", "independent"),
    "isaac.ima_power": (24.08, "mW", "fitted"),
    "isaac.ima_area": (10250, "um2", "fitted"),
    "isaac.tile_power": (330, "mW", "fitted"),
    "isaac.tile_area": (0.372, "mm2", "independent"),
    "isaac.per_area": (478.95, "GOPS/mm2", "independent"),
    "isaac.per_watt": (627.5, "GOPS/W", "independent"),
    "isaac.weights": (63.2, "MiB", "independent"),
    "isaac.latency": (2200, "ns", "independent"),
    "isaac.bits32": (4, "x", "independent"),
    "forge.mac": (2.83, "pJ", "independent"),
    "forge.rate": (19.2, "GOPS", "independent"),
    "forge.area": (68870, "um2", "independent"),
    "puma.time": (2304, "ns", "fitted"),
    "puma.energy": (43.97, "nJ", "fitted"),
    "puma.area": (0.012, "mm2", "fitted"),
    "puma.node_rate": (52.31, "TOPS", "independent"),
    "puma.node_power": (62.5, "W", "fitted"),
    "puma.node_area": (90.6, "mm2", "independent"),
    "puma.layer": (2736, "ns", "independent"),
    "neurosim.time": (129.0, "ns", "fitted"),
    "neurosim.energy": (12.294, "nJ", "fitted"),
    "neurosim.arrays": (142103, "um2", "fitted"),
    "neurosim.converters": (209296, "um2", "fitted"),
    "neurosim.small_time": (127.3, "ns", "independent"),
    "neurosim.small_energy": (3.033, "nJ", "independent"),
    "neurosim.small_arrays": (35525.8, "um2", "fitted"),
    "neurosim.small_converters": (51300.7, "um2", "independent"),
    "neurosim.large_time": (168.0, "ns", "fitted"),
    "neurosim.large_energy": (98.360, "nJ", "independent"),
    "neurosim.large_arrays": (1136820, "um2", "fitted"),
    "neurosim.large_converters": (1710675, "um2", "independent"),
    "neurosim.row_time": (41.163, "ns", "independent"),
    "neurosim.row_energy": (6.1518, "nJ", "independent"),
    "neurosim.row_converters": (410405, "um2", "independent"),
    "neurosim.square_time": (137.489, "ns", "independent"),
    "neurosim.square_energy": (55.687, "nJ", "independent"),
    "neurosim.square_converters": (1255776, "um2", "independent"),
    "neurosim.down_time": (190.11, "ns", "independent"),
    "neurosim.down_energy": (221.1, "nJ", "independent"),
    "neurosim.down_converters": (3776590, "um2", "independent"),
    "neurosim.bits4_time": (66.199, "ns", "independent"),
    "neurosim.bits4_energy": (6.1379, "nJ", "independent"),
    "neurosim.bits4_converters": (198096, "um2", "independent"),
    "neurosim.adc6_time": (153.556, "ns", "independent"),
    "neurosim.adc6_energy": (18.618, "nJ", "independent"),
    "neurosim.adc6_converters": (255431, "um2", "fitted"),
    "neurosim.mux16_time": (244.82, "ns", "independent"),
    "neurosim.mux16_energy": (17.346, "nJ", "fitted"),
    "neurosim.mux16_converters": (130929, "um2", "fitted"),
    "neurosim.256x256_time_alone": (60.258, "ns", "independent"),
    "neurosim.256x256_energy": (6.1717, "nJ", "independent"),
    "neurosim.256x256_arrays": (142103, "um2", "fitted"),
    "neurosim.256x256_converters": (205203, "um2", "independent"),
    "neurosim.2048x512_time_alone": (115.415, "ns", "independent"),
    "neurosim.2048x512_energy": (98.7555, "nJ", "independent"),
    "neurosim.2048x512_arrays": (1136820, "um2", "fitted"),
    "neurosim.2048x512_converters": (1691454, "um2", "independent"),
    "neurosim.1536x384_time_alone": (122.214, "ns", "independent"),
    "neurosim.1536x384_energy": (55.5386, "nJ", "independent"),
    "neurosim.1536x384_arrays": (639464, "um2", "fitted"),
    "neurosim.1536x384_converters": (927861, "um2", "independent"),
    "neurosim.8192x128_time_alone": (118.817, "ns", "independent"),
    "neurosim.8192x128_energy": (98.3196, "nJ", "independent"),
    "neurosim.8192x128_arrays": (1136820, "um2", "fitted"),
    "neurosim.8192x128_converters": (1740575, "um2", "independent"),
    "paper.prefill_time": (244282.5, "ns", "fitted"),
    "paper.prefill_energy": (609730.25, "nJ", "fitted"),
    "paper.cached_time": (493518.83, "ns", "fitted"),
    "paper.cached_energy": (473555.43, "nJ", "fitted"),
    "paper.uncached_time": (2297724.0, "ns", "fitted"),
    "paper.uncached_energy": (5393783.13, "nJ", "fitted"),
    "tiers.time": (2253, "ns", "fitted"),
    "tiers.energy": (986.34, "nJ", "fitted"),
}
NOT_COMPARED = [
    "an LSTM step",
    "an input of a ResNet-9 layer",
    "NeuRRAM",
    "3D analogue",
    "ISAAC-PE",
]


def test_no_row_is_dropped_and_no_published_value_changes() -> None:
    found = {
        claim.key: (
            claim.published,
            claim.unit,
            "independent" if claim.independent else "fitted",
        )
        for study in STUDIES
        for claim in study.claims
    }
    assert found == PUBLISHED


def test_what_cannot_be_compared_is_said() -> None:
    assert len(UNMATCHED) == len(NOT_COMPARED)
    for one, begins in zip(UNMATCHED, NOT_COMPARED, strict=True):
        assert one.quantity.startswith(begins)
        assert one.source
        assert one.why


def test_enough_rows_are_independent() -> None:
    independent = [key for key, (*_, how) in PUBLISHED.items() if how == "independent"]
    assert len(PUBLISHED) >= 20
    assert len(independent) >= 12


def test_every_row_has_a_source_and_a_key_of_its_own() -> None:
    claims = [claim for study in STUDIES for claim in study.claims]
    assert len({claim.key for claim in claims}) == len(claims)
    assert all(claim.source and claim.quantity and claim.published > 0 for claim in claims)
    assert {study.evidence for study in STUDIES} == set(EVIDENCE)
