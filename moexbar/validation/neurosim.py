"""NeuroSim 1.4 with its defaults: two matrices, each in arrays of 128 x 128 SRAM cells at 22 nm.

Version: DNN+NeuroSim V1.4, commit ac828e6, `main` alone on a network of one fully connected layer,
8-bit weights uniform in -1 .. 1, input bits 0 or 1 at equal odds, seed 0. Buffers are left out of
times and energies, the interconnect out of energies: they are the chip's, not the array's.
"""

from moexbar.validation.claim import Claim, Study

RUN = "DNN+NeuroSim V1.4, commit ac828e6, default parameters"

STUDIES = (
    Study(
        "NeuroSim 1.4, a matrix of 1024 x 128",
        "run",
        (
            Claim(
                "neurosim.time",
                "time of a product, no buffers",
                "ns",
                129.0,
                f"{RUN}: 928.48 less 799.478 of buffers",
            ),
            Claim(
                "neurosim.energy",
                "energy, no buffers and wires",
                "nJ",
                12.294,
                f"{RUN}: 12596.3 pJ less 35.0 of buffers and 266.9 of interconnect",
            ),
            Claim(
                "neurosim.arrays",
                "area of the arrays",
                "um2",
                142103,
                RUN,
            ),
            Claim(
                "neurosim.converters",
                "area of ADCs and accumulators",
                "um2",
                209296,
                f"{RUN}: 103949 and 105347",
            ),
        ),
    ),
    Study(
        "NeuroSim 1.4, a matrix of 4096 x 256",
        "run",
        (
            Claim(
                "neurosim.large_time",
                "time of a product, no buffers",
                "ns",
                168.0,
                f"{RUN}: 1982.57 less 1814.53 of buffers",
            ),
            Claim(
                "neurosim.large_energy",
                "energy, no buffers and wires",
                "nJ",
                98.360,
                f"{RUN}: 100973 pJ less 139.7 of buffers and 2473.7 of interconnect",
            ),
            Claim(
                "neurosim.large_arrays",
                "area of the arrays",
                "um2",
                1136820,
                RUN,
            ),
            Claim(
                "neurosim.large_converters",
                "area of ADCs and accumulators",
                "um2",
                1710675,
                f"{RUN}: 831589 and 879086",
            ),
        ),
    ),
)
