"""More runs of NeuroSim 1.4: three other sizes with its defaults, and three of its settings moved.

As in `neurosim`: one matrix, buffers left out of times and energies, the interconnect out of
energies. The settings are those whose rules the model has of its own: bits of an input, bits of a
converter, columns of a converter. When ours were first computed the split of the preset's energy
and area was that of the first run alone: 6 bits were 20 % too much energy and 24 % too much area,
16 columns 28 and 20 % too little. Three of those rows served to set the split. No run is left out.
"""

from collections.abc import Mapping
from functools import partial

from moexbar.chips import load_chip
from moexbar.validation.claim import Claim, Ours, Study
from moexbar.validation.matrix import Ran, product
from moexbar.validation.neurosim import RUN, WIRES, converters_um2, nj, ns

NOTHING: Mapping[str, str] = {}
SPLIT = "split of neurosim"
BUFFERS = "as the first run, without buffers"
NO_WIRES = "as the first run, without buffers and interconnect"


def _study(
    title: str,
    key: str,
    run: str,
    values: tuple[float, float, float],
    *,
    wires_ns: float,
    layout: str = "",
    fits: Mapping[str, str] = NOTHING,
    causes: Mapping[str, str] = NOTHING,
) -> Study:
    """The three rows of a run.

    values: ns, nJ, um2; wires_ns: interconnect in the time; layout: how NeuroSim lays the matrix
    out; fits, causes: as of a claim, by "time", "energy" and "converters".
    """
    of = f"{run}{layout}"
    rows = (
        (
            "time",
            "time of a product, no buffers",
            "ns",
            f"{of}; {BUFFERS}; {wires_ns} ns of it are interconnect",
        ),
        ("energy", "energy, no buffers and wires", "nJ", f"{of}; {NO_WIRES}"),
        ("converters", "area of ADCs and accumulators", "um2", of),
    )
    claims = tuple(
        Claim(
            f"{key}_{name}",
            quantity,
            unit,
            value,
            source,
            fits=fits.get(name, ""),
            cause=causes.get(name, ""),
        )
        for (name, quantity, unit, source), value in zip(rows, values, strict=True)
    )
    return Study(f"NeuroSim 1.4, {title}", "run", run, claims)


STUDIES = (
    _study(
        "128 x 512",
        "neurosim.row",
        f"{RUN}, 128 x 512",
        (41.163, 6.1518, 410405),
        wires_ns=5.092,
        layout=", held four times: copies take turns",
        causes={
            "time": "14 ns of its 41 are interconnect, sums and circuits that copies do not share; "
            "ours is the reads, a quarter of 108.6 ns, as nothing is to be summed"
        },
    ),
    _study(
        "768 x 768",
        "neurosim.square",
        f"{RUN}, 768 x 768",
        (137.489, 55.687, 1255776),
        wires_ns=18.672,
        layout=", on 384 arrays of which it fills 288",
        causes={
            "time": WIRES,
            "converters": "NeuroSim's tiles hold 384 arrays, ours the 288 that are filled",
        },
    ),
    _study(
        "3072 x 768",
        "neurosim.down",
        f"{RUN}, 3072 x 768",
        (190.11, 221.10, 3776590),
        wires_ns=61.107,
        causes={"time": WIRES},
    ),
    _study(
        "inputs of 4 bits",
        "neurosim.bits4",
        f"{RUN} but numBitInput = 4, 1024 x 128",
        (66.199, 6.1379, 198096),
        wires_ns=6.79,
        causes={"time": WIRES},
    ),
    _study(
        "ADCs of 6 bits",
        "neurosim.adc6",
        f"{RUN} but levelOutput = 64, 1024 x 128",
        (153.556, 18.618, 255431),
        wires_ns=16.38,
        fits={"converters": SPLIT},
        causes={
            "time": "with a bit more its clock is 21 % longer, 22 ns in 64 reads, and ours is not; "
            "16 ns of it are interconnect, which ours has in LOAD and STORE",
            "converters": "its accumulators are 7202 um2 larger, for a bit more; ours are not",
        },
    ),
    _study(
        "16 columns of an ADC",
        "neurosim.mux16",
        f"{RUN} but numColMuxed = 16, 1024 x 128",
        (244.82, 17.346, 130929),
        wires_ns=13.696,
        causes={"time": WIRES},
        fits={"energy": SPLIT, "converters": SPLIT},
    ),
)


COPIES = 4  # of the smallest matrix
SIZES = {"row": (128, 512), "square": (768, 768), "down": (3072, 768)}
SETTINGS = {
    "bits4": {"mvm.input_bits": 4},
    "adc6": {"mvm.adc_bits": 6},
    "mux16": {"mvm.columns_per_adc": 16},
}


def _run(key: str) -> Ran:
    """The matrix of a run on the preset with its setting."""
    rows, columns = SIZES.get(key, (1024, 128))
    return product(load_chip("neurosim", SETTINGS.get(key)), rows, columns)


def _copies(key: str) -> int:
    return COPIES if key == "row" else 1


def _time(key: str) -> float:
    """A product takes one copy; copies take turns."""
    return ns(_run(key)) / _copies(key)


def _energy(key: str) -> float:
    return nj(_run(key))


def _converters(key: str) -> float:
    return _copies(key) * converters_um2(_run(key))


OURS: Ours = {
    f"neurosim.{key}_{name}": partial(measure, key)
    for key in (*SIZES, *SETTINGS)
    for name, measure in (("time", _time), ("energy", _energy), ("converters", _converters))
}
