"""Workload R: the one decoder layer that the reference simulator's published runs are of.

Shapes only (no weight is ever read): d 4096, in-projection 4096 x 12288 and out-projection 4096 x
4096, 16 experts of width 688 with two matrices and ReLU, top-4, LM head of 32000, source: code of
arXiv 2602.10254. The embedding is 16 crossbars that every token fires, as the reference counts it:
a matrix of 256 x 4096. What the reference leaves out is left out here: no norm before attention.
"""

import numpy as np

from ir.activation import usual
from ir.arrays import Bools
from ir.selection import ByIds
from ir.workload import Attention, Dense, Digital, Expert, MoELayer, Router, Weight, Workload

D_MODEL, D_EXPERT, EXPERTS, TOP_K, VOCABULARY = 4096, 688, 16, 4, 32_000
HEADS = 32
EMBEDDED = 256  # rows of one crossbar: what a token fires of the embedding, in every column tile


def workload_r() -> Workload:
    """The operators of one pass, in order."""
    d = D_MODEL
    return Workload(
        name="workload R",
        sha256="0" * 64,
        inputs=("ids",),
        outputs=("head",),
        operators=(
            _dense("embedding", "ids", EMBEDDED, d, layer=-1),
            _digital("add", "positions", "embedding", layer=-1),
            _dense("in_projection", "positions", d, 3 * d),
            Attention(
                "attention",
                0,
                ("in_projection",),
                ("attention",),
                (),
                d,
                heads=HEADS,
                kv_heads=HEADS,
                head_dim=d // HEADS,
                causal=True,
            ),
            _dense("out_projection", "attention", d, d),
            _digital("add", "residual", "positions", "out_projection"),
            _digital("norm", "normed", "residual"),
            _moe("normed"),
            _digital("add", "output", "residual", "moe"),
            _digital("norm", "final", "output", newest=True),
            _dense("head", "final", d, VOCABULARY, newest=True),
        ),
    )


def random_experts(tokens: int, seed: int) -> Bools:
    """The reference's router: each token goes to 4 of 16 experts, all equally likely.

    bool [tokens, experts], drawn without replacement; another seed changes times a little and
    counts and energies of products not at all.
    """
    order = np.random.default_rng(seed).random((tokens, EXPERTS)).argsort(axis=1)
    chosen = np.zeros((tokens, EXPERTS), dtype=np.bool_)
    np.put_along_axis(chosen, order[:, :TOP_K], values=True, axis=1)
    return chosen


def _weight(name: str, rows: int, columns: int) -> Weight:
    return Weight(name, rows, columns, bits=8)


def _dense(
    name: str, x: str, rows: int, columns: int, *, layer: int = 0, newest: bool = False
) -> Dense:
    weight = _weight(name, rows, columns)
    return Dense(name, layer, (x,), (name,), (), columns, weight=weight, newest=newest)


def _digital(kind: str, name: str, *x: str, layer: int = 0, newest: bool = False) -> Digital:
    return Digital(
        name,
        layer,
        x,
        (name,),
        (),
        D_MODEL,
        kind="norm" if kind == "norm" else "add",
        scope="token",
        elements=D_MODEL,
        newest=newest,
    )


def _moe(x: str) -> MoELayer:
    experts = tuple(
        Expert(
            up=_weight(f"expert{e}.up", D_MODEL, D_EXPERT),
            down=_weight(f"expert{e}.down", D_EXPERT, D_MODEL),
        )
        for e in range(EXPERTS)
    )
    projection = _weight("router", D_MODEL, EXPERTS)
    router = Router("softmax-topk", EXPERTS, ByIds("chosen", "gates"), TOP_K, projection)
    return MoELayer(
        "moe",
        0,
        (x,),
        ("moe",),
        (),
        D_MODEL,
        router=router,
        experts=experts,
        activation=usual("relu"),
        form="shapes",
    )
