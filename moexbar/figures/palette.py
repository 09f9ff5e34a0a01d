"""Colours that mean the same in every picture, and are told apart by colour-blind readers.

From M. Okabe, K. Ito, "Color Universal Design" (2008), https://jfly.uni-koeln.de/color/, with some
of P. Tol, "Colour schemes" (SRON/EPS/TN/09-002, 2021), scheme muted, for what is left. Ramps are of
the perceptually uniform ones of Vega by name.
"""

from collections.abc import Iterable, Mapping

from moexbar.figures.grammar import safe

BLUE, SKY, ORANGE, YELLOW = "#0072B2", "#56B4E9", "#E69F00", "#F0E442"
GREEN, VERMILLION, PURPLE, GREY = "#009E73", "#D55E00", "#CC79A7", "#999999"
WINE, OLIVE, TEAL, SAND = "#882255", "#999933", "#44AA99", "#DDCC77"
ROSE, MAUVE = "#CC6677", "#AA4499"
REST = "#B8A58C"  # what has no colour of its own; greys mean static
LIGHT, DARK = "#C4C4C4", "#6E6E6E"

AMOUNT = "viridis"  # ramp of a share or a count: the more, the brighter
NOTHING = "#440154"  # its darkest end
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, OLIVE, WINE, YELLOW, GREY)

UNITS: Mapping[str, tuple[str, str]] = {  # kind of unit: in words, colour
    "group": ("peripheral groups", BLUE),
    "acc": ("accumulators", SKY),
    "bus": ("buses", ORANGE),
    "return": ("return links", YELLOW),
    "link": ("links between stages", VERMILLION),
    "mesh": ("mesh between regions", PURPLE),
    "d2d": ("links between dies", WINE),
    "dpu": ("digital units", GREEN),
    "mha": ("attention units", OLIVE),
    "dram": ("DRAM", LIGHT),
}
CHAINS = ("chains of dependences", DARK)

OPCODES: Mapping[str, str] = {  # of the units that carry them out, where these have one
    "MVM": BLUE,
    "ACC": SKY,
    "LOAD": ORANGE,
    "STORE": YELLOW,
    "XFER": PURPLE,
    "CROSS": WINE,
    "ATTN": OLIVE,
    "GATE": GREEN,
    "DIGITAL": VERMILLION,
    "KV_RD": TEAL,
    "KV_WR": SAND,
    "GO_RD": ROSE,
    "GO_WR": MAUVE,
    "buffers": VERMILLION,
}
STATIC: Mapping[str, str] = {  # causes of static energy
    "passive": "#4D4D4D",
    "cores": "#6E6E6E",
    "DRAM idle": "#8C8C8C",
    "peripheral groups idle": "#ABABAB",
    "peripheral groups waking": "#CDCDCD",
}
AREAS: Mapping[str, str] = {  # parts of a chip
    "peripheral groups": BLUE,
    "arrays": SKY,
    "mux switches": WINE,
    "buses": ORANGE,
    "buffers": VERMILLION,
    "input buffers": PURPLE,
    "digital units": GREEN,
    "attention units": OLIVE,
    "links between dies": YELLOW,
}


def coloured(names: Iterable[str], known: Mapping[str, str]) -> dict[str, list[str]]:
    """The scale of a colour: the names in their order, each with what it is known for, or grey."""
    named = list(dict.fromkeys(names))
    return {"domain": [*map(safe, named)], "range": [known.get(name, GREY) for name in named]}


def cycled(names: Iterable[str]) -> dict[str, list[str]]:
    """The scale of names that mean nothing to us: colours by turns."""
    named = list(dict.fromkeys(names))
    return {
        "domain": [*map(safe, named)],
        "range": [CYCLE[i % len(CYCLE)] for i in range(len(named))],
    }
