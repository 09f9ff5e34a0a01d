"""Draws a recipe, one named choice after the other; whoever chooses may count, replay or shrink.

Options stand simplest first, and those that cost time stand once among others that are repeated.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from compiler.grouping import REPLICATING, SOLVERS
from compiler.options import OBJECTIVES, POLICIES, SolverOptions
from compiler.slots import LIMITED
from ir.chip.dies import Pairs
from tests.chain.forms import APART, EXPERT_CHOICE, FORMS, ROUTERS, SHARED, TOKEN_CHOICE
from tests.chain.recipe import Layer, Model, OnDies, Recipe, Span
from tests.compiler.frontend.models import ACTS
from tests.compiler.frontend.routers import WIDE
from tests.compiler.frontend.stored import STORED

Choose = Callable[[str, Sequence[Any]], Any]
OPSETS = range(11, 26)
PLAIN = ("float32", "weights in 16 bits")  # other elements many operators take from 18 or 21 on
SOLVED = ("cp-sat", "highs", "scip")  # groupings by a solver; the others are rules
NOT_ALONE = ("a table", "a table alone", "top-p", *WIDE)  # nothing to select among one expert
OURS = 3  # of the methods the one that has stacks
QUICK = SolverOptions(time_s=0.02)


def draw_recipe(choose: Choose) -> Recipe:
    """A valid case: what is drawn fits together, so that nothing may be refused."""
    choice = choose("expert choice", [False, False, True])
    model = _model(choose, choice)
    pairs = any(
        layer.router == "the best pairs" or "few places" in layer.form for layer in model.layers
    )
    span = _span(choose, choice, pairs)
    chip = _chip(choose, span)
    options = _options(choose, model, chip)
    method = choose("method", [3] * 7 + [0, 1, 2])
    chip["digital"]["mha_bits_per_ns"] = choose("keys a ns", [None, 8, 16, 64])
    by_time = choose("slots by time", [""] * 8 + ["auto", "arriving"])
    options["scheduling"] = by_time or options["scheduling"]
    options["dense_copies"] = choose("dense copies", [1, 1, 1, 1, 2, 3])
    chip["accumulate"]["order"] = choose("order of sums", ["chain", "tree"])
    chip["accumulate"]["add_ps"] = choose("adder", [None, None, 500])
    if span.decode and span.kv and choose("keys in", ["dram", "dram", "buffers"]) == "buffers":
        chip["memory"] = {"kv": "buffers"}
    if choose("three tiles and more", [False, False, False, True]):  # a tree unlike a chain
        chip["crossbar"]["rows"] = 3
        chip["accumulate"] |= {"where": "pg", "order": "tree"}
    beside = choose("router beside shared expert", [False, False, False, True])
    if beside and not choice:  # one broadcast to both
        model, chip["digital"]["router_on"] = _with_shared(model), "crossbar"
    stacks = choose("stacks", [False, False, True])
    if not stacks or method != OURS:
        dies = _dies(choose) if choose("dies", [False, False, True]) else None
        return Recipe(model, span, chip, options, method, dies=dies)
    chip["pg"]["stack_limit"] = choose("stack limit", [4, 2, 3, 6, 9])
    return Recipe(model, span, chip, options, method, choose("stacks' seed", range(100)))


def _with_shared(model: Model) -> Model:
    """The same sizes in layers with a shared expert like the others."""
    layers = [layer if layer.form == "dense" else _shared(layer) for layer in model.layers]
    return replace(model, layers=tuple(layers))


def _shared(layer: Layer) -> Layer:
    names = ("experts", "top", "hidden", "gated")
    size = {name: getattr(layer, name) for name in names}
    return Layer("dense masked", shared="gated" if layer.gated else "plain", **size)


def _model(choose: Choose, choice: bool) -> Model:
    heads = choose("heads", [2, 1, 4])
    head = choose("head size", [4, 2, 6])
    layers = [_layer(choose, choice)]
    for _ in range(choose("more layers", [0, 0, 0, 1, 1, 2])):
        kind = choose("another layer", ["dense", "moe", "the first again"])
        if kind == "the first again":
            layers.append(layers[0])
        else:
            layers.append(_dense(choose) if kind == "dense" else _layer(choose, choice))
    if len(layers) > 1 and choose("first layer", ["moe", "another"]) == "another":
        layers.reverse()
    widths = [8, 5, 12, 16, 21]
    if any("4 bits" in layer.form for layer in layers):
        widths = [8, 12, 16]  # two weights in a byte
    if any("blocks" in layer.form for layer in layers):
        widths = [16, 32]
    element = choose("element", _elements(layers))
    return Model(
        tuple(layers),
        choose("d", widths),
        heads,
        choose("key heads", [n for n in (heads, 1, 2) if heads % n == 0]),
        head,
        choose("biases", [False, True]),
        element,
        choose("seed", range(1000)),
        choose("opset", [18, 18, *OPSETS]) if element in PLAIN else 18,
        choose("tied", ["", "experts", "all"]) if len(set(layers)) < len(layers) else "",
    )


def _elements(layers: list[Layer]) -> list[str]:
    stored = ("operator", "in a Scan")  # the former reads them, the latter has their number
    operator = any(layer.form.startswith(stored) for layer in layers)
    others = [] if operator else ["weights in 16 bits", *STORED]
    return ["float32"] * 6 + ["float16", "bfloat16", *others]


def _dense(choose: Choose) -> Layer:
    return Layer(
        "dense",
        hidden=choose("dense width", [8, 11, 24]),
        gated=choose("dense gate", [True, False]),
    )


def _layer(choose: Choose, choice: bool) -> Layer:
    often = ("dense masked",) * 3 + ("gather batched",)  # which have the most kinds
    name = choose("form", EXPERT_CHOICE if choice else often + TOKEN_CHOICE)
    form = FORMS[name]
    router = "softmax, then the best"
    if form.free or form.wide:
        router = choose("router", list(ROUTERS if form.free else WIDE))
    experts = choose("experts", [4, 2, 3, 5, 6, 7, 8, 1])
    most = experts
    if router == "two matrices":
        experts = max(experts, 2)  # a router of one by one is not looked for
    if router == "best of groups":
        experts, most = max(4, experts - experts % 2), 2
    if router == "two levels":
        experts = max(4, experts - experts % 2)
        most = experts // 2
    if router in NOT_ALONE:
        experts = max(experts, 2)
        most = min(most, experts)
    experts = max(experts, form.least)
    top = form.top or (2 if router == "two picks" else choose("top", [*range(1, most + 1)]))
    experts = max(experts, top)
    alike = {"relu": ["equal"], "threshold": ["equal", "ties"]}.get(router, [])  # no weight there
    top = experts if router == "top-p" else top
    return Layer(
        name,
        router,
        experts,
        top,
        choose("expert width", form.widths),
        choose("activation", ["", *ACTS]) if form.acts else "",
        choose("expert gate", [True, False]) if form.plain else True,
        choose("routing", [routing for routing in form.routings if routing not in alike]),
        choose("shared expert", ["", *SHARED]) if form.shared else "",
        choose("factor", [False, False, True]),
        choose("router reads", ["", "", "", *APART]) if form.free else "",
    )


def _span(choose: Choose, choice: bool, pairs: bool) -> Span:
    """pairs: whether tokens depend on later ones, as in the best of all tokens' pairs."""
    prefill, batch = choose("prefill", range(1, 13)), choose("sequences", [1, 1, 2, 3])
    decode = 0 if pairs else choose("decode steps", [0, 0, 1, 2, 4])
    cut = 0
    if (
        not choice
        and not pairs
        and not decode
        and choose("window", ["whole", "whole", "cut"]) == "cut"
    ):
        cut, batch = choose("cut at", range(1, prefill + 1)), 1
    source = 0
    if not choice and not decode and not cut:
        source = choose("tokens of an encoder", [0] * 4 + [1, 3, 5, 12])
    return Span(
        prefill,
        decode,
        batch,
        not choice and not pairs and batch > 1 and choose("together", [False, True]),
        cut,
        choose("kv cache", [True, False]) if decode else True,
        choose("go cache", [True, False]) if decode else True,
        source,
    )


def _chip(choose: Choose, span: Span) -> dict[str, dict[str, Any]]:
    cell, differential = choose("cell bits", [4, 8, 2, 1]), choose("differential", [False, True])
    least = -(-8 // cell) * (2 if differential else 1)  # cells of a weight
    crossbar = {
        "rows": choose("rows", [8, 5, 16, 40]),
        "cell_bits": cell,
        "differential": differential,
        "columns": max(choose("columns", [8, 13, 32, 96]), least),
    }
    width = choose("bus", ["per slot", "fixed", "unlimited"])
    bus = {
        "transfers_per_slot": choose("transfers", [2, 1, 4]) if width == "per slot" else None,
        "bits_per_ns": choose("bits", [8, 1, 64]) if width == "fixed" else None,
        "latency_ps": choose("latency", [0, 3_000]),
        "return_lanes": choose("lanes", [0, 1, 3]),
    }
    digital = {
        "dpus": choose("dpus", [2, 1, 5]),
        "pgs_per_dpu": choose("pgs per dpu", [0, 0, 3, 16]),
        "mha_units": choose("mha units", [1, 2]),
        "experts_wait_for_router": choose("wait for router", [True, False]),
        "attention": choose("attention", ["macs", "macs", "polynomial"]),
        "router_on": choose("router on", ["digital", "digital", "crossbar"]),
    }
    chip = {
        "crossbar": crossbar,
        "bus": bus,
        "digital": digital,
        "pg": {
            "mux": choose("mux", [2, 1, 3, 4]),
            "input_buffers": choose("input buffers", [2, 1, 3]),
            "retain_input": choose("retain", [True, False]),
            "mux_settle_ps": choose("settle", [0, 0, 500]),
        },
        "accumulate": {"where": choose("accumulate", ["pg", "dpu"])},
        "mesh": {"pgs_per_core": choose("pgs per core", [4, 1, 7, 64])},
    }
    if not span.decode and choose("accounting", ["full"] * 7 + ["reference"]) == "reference":
        digital["accounting"] = "reference"
        chip["memory"] = {"accounting": "reference"}
    return chip


def _dies(choose: Choose) -> OnDies:
    """Dies by a solver or at random, which leaves nothing where it would be best."""
    count = choose("number of dies", [2, 3, 4, 5, 7, 9])
    topology = choose("topology", ["mesh", "mesh", "ring", "all-to-all", "table"])
    solver = choose("solver of dies", ["random", "random", "auto", "search"])
    joined: Pairs = ()
    if topology == "table":
        if solver == "random":  # a tree, each joined to one before
            joined = tuple((choose("joined to", range(n)), n) for n in range(1, count))
        else:
            topology = "mesh"  # how many there are is not known
    return OnDies(
        count,
        topology,
        choose("columns of dies", [0, 0, 1, 2]) if topology == "mesh" else 0,
        joined,
        solver,
        choose("area of a die", [0, 400, 1_500]) if solver == "random" else 0,
        choose("dies' seed", range(100)),
    )


def _options(choose: Choose, model: Model, chip: dict[str, dict[str, Any]]) -> dict[str, Any]:
    mux = chip["pg"]["mux"]
    size = choose("group size", [None, None, *range(1, mux + 1)])
    held, fewest = (
        size or mux,
        min(layer.experts for layer in model.layers if layer.form != "dense"),
    )
    most = max(layer.experts for layer in model.layers if layer.form != "dense")
    rules = [name for name in SOLVERS if name not in SOLVED and (name != "matching" or held == 2)]
    grouping = choose("grouping", rules * 3 + list(SOLVED))
    replicas, groups = 0, None
    if grouping in REPLICATING and fewest > held:
        replicas = choose("replicas", [0, 1, 2])
    least = -(-(most + replicas) // held)
    if least <= fewest + replicas:
        groups = choose("groups", [None, None, *range(least, fewest + replicas + 1)])
    policy = choose("slots", [p for p in POLICIES for _ in range(1 if p == "cp-sat" else 3)])
    limited = policy in LIMITED
    return {
        "grouping": grouping,
        "scheduling": policy,
        "group_size": size,
        "groups": groups,
        "replicas": replicas,
        "bus": choose("bus limit", [None, None, 1, 2]) if limited else None,
        "buffer": choose("buffer limit", [None, None, 1, 2, 5]) if limited else None,
        "pack": choose("pack", [False, True]),
        "placement": choose("placement", ["in-order"] * 11 + ["squares"] * 4 + ["cp-sat"]),
        "objective": choose("objective", ["slots", *OBJECTIVES]) if not replicas else "slots",
        "limits": QUICK,
    }
