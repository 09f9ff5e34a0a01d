"""Cases that once failed, shrunk: what was wrong is their name. Each is a test."""

from tests.chain.recipe import Layer, Model, OnDies, Recipe, Span

WIDE = {"crossbar": {"rows": 40}}  # one row tile: nothing to add up but a bias

CORPUS: dict[str, Recipe] = {
    "a gated shared expert beside experts without a gate": Recipe(
        Model((Layer(gated=False, shared="gated"),))
    ),
    "a shared expert with biases beside experts without": Recipe(
        Model((Layer("weights on the input", top=1),), biased=True), chip=WIDE
    ),
    "one expert a token: a sum over an axis of length 1 mixed tokens": Recipe(
        Model((Layer("gather batched", top=1),)), Span(decode=2)
    ),
    "biases stored in 16 bits and cast": Recipe(
        Model((Layer(),), biased=True, element="weights in 16 bits")
    ),
    "a sequence of one token beside longer ones": Recipe(span=Span(prefill=10, cut=9)),
    "a gate of nearly 1 on the input, weights of 16 bits": Recipe(
        Model((Layer("weights on the input", top=1, routing="one"),), element="weights in 16 bits")
    ),
    "a router on crossbars whose layer passes its input on": Recipe(
        Model((Layer(shared="plain"),)), chip={"digital": {"router_on": "crossbar"}}
    ),
    "a value that nobody reads, written at the same time as another": Recipe(
        Model((Layer(experts=2, top=1),)),
        Span(prefill=8, cut=7),
        {"digital": {"accounting": "reference"}, "memory": {"accounting": "reference"}},
    ),
    "a gate of nearly 1 on the input": Recipe(
        Model((Layer("weights on the input", experts=8, top=1, routing="one", scaled=True),))
    ),
    "packed weights beside a layer that joins the sequences' tokens": Recipe(
        Model((Layer(shared="plain"), Layer("operator, 4 bits"))),
        Span(batch=2, together=True),
    ),
    "two picks as good as equal in 16 bits, weighted unlike each other": Recipe(
        Model(
            (Layer("dense", hidden=24), Layer("gather batched", "two picks", 7, scaled=True)),
            21,
            2,
            2,
            6,
            biased=True,
            element="float16",
            seed=252,
        ),
        Span(7, 4),
    ),
    "a layer that gives zeros for a single token": Recipe(
        Model(
            (
                Layer("per expert", "softmax, then the best", 2, 1, 6, "relu"),
                Layer(top=1),
                Layer("dense"),
            ),
            5,
            kv_heads=1,
            seed=398,
        ),
        Span(prefill=1),
    ),
    "float16 with ties: the routing depended on which values were asked for": Recipe(
        Model(
            (
                Layer("outputs stacked", experts=2, top=1, act="tanh", routing="equal"),
                Layer(router="best of groups", hidden=6, act="relu2", gated=False, routing="ties"),
            ),
            12,
            2,
            2,
            biased=True,
            element="float16",
            seed=955,
        ),
        Span(11, 2),
    ),
    "a sequence in its decode step beside another in the prefill, in one group": Recipe(
        Model(
            (
                Layer("dense"),
                Layer("expert choice, stacked", experts=7, top=3, scaled=True),
            ),
            12,
            1,
            1,
            seed=143,
        ),
        Span(11, 4, 2),
        {
            "crossbar": {"rows": 16, "cell_bits": 2, "differential": True},
            "bus": {"transfers_per_slot": None},
            "digital": {"dpus": 1, "mha_units": 2},
            "pg": {"mux": 3, "input_buffers": 3},
            "mesh": {"pgs_per_core": 64},
        },
        {"grouping": "sorted", "scheduling": "token-serial", "groups": 7, "pack": True},
        0,
    ),
    "a group of unlike widths on as many tiles: the input buffer of the longer vector": Recipe(
        Model((Layer("unlike widths, gathered"),)), options={"grouping": "contiguous"}
    ),
    "unlike widths, copied, packed, in several groups": Recipe(
        Model((Layer("unlike widths, gathered", experts=5, hidden=20),), biased=True),
        Span(decode=2, batch=2),
        {"pg": {"mux": 3}},
        {"grouping": "local-search", "scheduling": "compact", "replicas": 2, "pack": True},
    ),
    "an activation with numbers of 8 bits": Recipe(
        Model((Layer(act="quick-gelu"),), element="bfloat16")
    ),
    "equal scores inside an operator: the highest expert": Recipe(
        Model((Layer("operator", routing="equal"),))
    ),
    "gathered biases that are stored turned": Recipe(
        Model((Layer("gather batched, clipped, biases", experts=3),), element="int8 rows, turned")
    ),
    "an encoder of more tokens than its decoder": Recipe(
        Model((Layer(), Layer("gather batched"))), Span(prefill=3, source=7, batch=2)
    ),
    "an encoder of fewer tokens, sequences together": Recipe(
        Model((Layer(shared="gated"),), kv_heads=1),
        Span(prefill=7, source=4, batch=3, together=True),
        {"digital": {"router_on": "crossbar"}},
    ),
    "experts in the decoder alone, one source token": Recipe(
        Model((Layer("dense"), Layer("operator"))), Span(prefill=4, source=1)
    ),
    "experts in the encoder and the decoder, one target token": Recipe(
        Model((Layer("identity experts"),)), Span(prefill=1, source=6, batch=2)
    ),
    "sides of different lengths, caches as the reference counts them": Recipe(
        Model((Layer(), Layer("dense"))),
        Span(prefill=5, source=2),
        {
            "digital": {"accounting": "reference", "attention": "polynomial"},
            "memory": {"accounting": "reference"},
        },
    ),
    "tokens that pass on, on both sides": Recipe(
        Model((Layer("two picks with few places, kept"),)), Span(prefill=3, source=7, batch=2)
    ),
    "a decoder whose router looks up its own ids": Recipe(
        Model((Layer("dense"), Layer("by place", "a table alone", experts=8, top=7))),
        Span(prefill=6, source=12, batch=3),
    ),
    "packed weights, sides of different lengths": Recipe(
        Model((Layer("operator, 4 bits"),)), Span(prefill=3, source=6)
    ),
    "a stack of matrices with one column too many, left of its vectors": Recipe(
        Model(
            (Layer("gather batched", experts=5, top=2),),
            21,
            element="4 bits by bitwise nodes",
        )
    ),
    "all experts of a table, whose hidden vectors are as wide as their weights": Recipe(
        Model((Layer("dense masked", "a table alone", 8, 8, gated=False, shared="gated"),))
    ),
    "packed weights before experts that are full, sequences together": Recipe(
        Model((Layer("operator, 4 bits"), Layer("switch, chosen", experts=4, top=1))),
        Span(prefill=10, batch=2, together=True),
    ),
    "one expert of two levels, weighted by what its id does not lead to": Recipe(
        Model((Layer("single matrices, gathered", "two levels", top=1),)),
        Span(prefill=3, decode=1),
    ),
    "layers with the same experts, of which one stands between, decoded in two sequences": Recipe(
        Model((Layer(shared="gated"), Layer("dense"), Layer(shared="gated")), tied="all"),
        Span(decode=2, batch=2),
        {"digital": {"router_on": "crossbar"}, "pg": {"input_buffers": 1, "retain_input": True}},
    ),
    "unlike widths, copied, of three layers with routers of their own": Recipe(
        Model((Layer("unlike widths, gathered", experts=5, hidden=20),) * 3, tied="experts"),
        Span(batch=3),
        {"pg": {"mux": 3}, "accumulate": {"where": "dpu"}},
        {"grouping": "local-search", "scheduling": "compact", "replicas": 2, "pack": True},
    ),
    "the same experts in the encoder and the decoder, one token at a time": Recipe(
        Model((Layer("gather batched"),) * 2, tied="all"),
        Span(prefill=3, source=7, batch=2),
        method=0,
    ),
    "experts that choose tokens of either layer, kept scores": Recipe(
        Model((Layer("expert choice, stacked"),) * 2, tied="experts"),
        Span(decode=2, kv=False),
    ),
    "a scale for each block, behind a quantised vector: a fused product takes one": Recipe(
        Model(
            (Layer("static int8", "softmax, then the best", experts=7, top=5, hidden=20, act=""),),
            d=12,
            heads=1,
            kv_heads=1,
            head=2,
            biased=False,
            element="int8 blocks",
            seed=643,
            opset=18,
        ),
        Span(prefill=2, cut=1),
    ),
    "a part of a matrix whose one number is small beside the others": Recipe(
        Model(
            (Layer("single matrices, wider", experts=2, top=1),),
            16,
            1,
            1,
            biased=True,
            element="fp8 columns",
            seed=301,
        ),
        Span(1),
        {"crossbar": {"rows": 40, "cell_bits": 1, "columns": 13}},
        dies=OnDies(area_um2=400),
    ),
    "a result of crossbars, moved to another layer's region over a link": Recipe(
        Model((Layer(top=1, apart="latent"),) * 2, tied="all"),
        Span(2),
        {"digital": {"router_on": "crossbar"}},
        dies=OnDies(4, "ring"),
    ),
    "tokens whose outputs are kept, and whose inputs no other die has to have": Recipe(
        Model(
            (Layer("expert choice, at least one", experts=2, top=1),) * 2,
            tied="experts",
        ),
        Span(prefill=3, decode=2, kv=False, go=True),
        dies=OnDies(3, solver="in-order"),
    ),
}
