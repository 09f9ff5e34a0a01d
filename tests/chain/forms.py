"""The ways a MoE layer is written in ONNX, and which routers and sizes each of them takes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from tests.chain.recipe import Layer
from tests.compiler.frontend import experts as x
from tests.compiler.frontend import mixed_attention as a
from tests.compiler.frontend import models as m
from tests.compiler.frontend import places as p
from tests.compiler.frontend import routers as r
from tests.compiler.frontend.branches import BRANCHES, behind_ifs
from tests.compiler.frontend.integers import STATIC_EXPERTS

ROUTERS: dict[str, m.Router] = {
    "softmax, then the best": m.softmax_topk,
    "the best, then softmax": m.topk_softmax,
    "sigmoid": m.sigmoid_topk,
    "two matrices": m.two_step,
    "two picks": m.argmax_twice,
    "best of groups": m.group_limited,
    **r.ROUTERS,
}
APART: dict[str, Callable[[Callable[[m.Router], m.Ffn], m.Router], m.Ffn]] = {
    "before the norm": r.before_the_norm,
    "latent": lambda make, router: r.latent(make, 6, router),
}
SOME = ("random", "ties", "equal")  # not one output for all: a layer of zeros shows nothing
SHARED: dict[str, m.Ffn] = {"plain": m.plain, "gated": m.gated, "with a gate": m.gated_shared}


@dataclass(frozen=True)
class Form:
    """make: the block of a layer. free: whether it takes any router (else it has its own).

    wide: whether it takes any router that weights all experts. top: the only top-k there is, 0 =
    any; least: experts it needs; experts may be `plain` ones
    (`acts`: with any activation), with a `shared` one beside them. widths: of an expert; routings:
    see Layer. layers: MoE layers that it is read as.
    """

    make: Callable[[Layer], m.Ffn]
    free: bool = False
    wide: bool = False
    top: int = 0
    plain: bool = False
    acts: bool = False
    shared: bool = False
    least: int = 1
    layers: int = 1
    widths: tuple[int, ...] = (8, 6, 13, 20)
    routings: tuple[str, ...] = ("random", "random", "ties", "one", "equal")


def _masked(layer: Layer) -> m.Ffn:
    order = list(range(layer.experts))[::-1]

    def make(router: m.Router) -> m.Ffn:
        shared = SHARED[layer.shared] if layer.shared else None
        return m.dense_masked(router, m.gated if layer.gated else m.plain, shared, order)

    return _free(layer, make)


def _unlike(layer: Layer) -> m.Ffn:
    """Every other expert has a hidden width of 5."""
    expert = x.by_turns((layer.hidden, 5), m.gated if layer.gated else m.plain)
    return _free(layer, lambda router: m.dense_masked(router, expert))


def _in_subgraphs(name: str, _: Layer) -> m.Ffn:
    return BRANCHES[name]


def _of_few_places(block: Callable[..., str], _: Layer) -> m.Ffn:
    """Experts that take two tokens each, so that some of a short window are dropped."""
    return partial(block, most=2)


def _free(layer: Layer, make: Callable[[m.Router], m.Ffn]) -> m.Ffn:
    """A form with any router, which may read another value than the experts."""
    router = ROUTERS[layer.router]
    return APART[layer.apart](make, router) if layer.apart else make(router)


def _single(layer: Layer) -> m.Ffn:
    return x.single_masked(layer.act, router=ROUTERS[layer.router])


FORMS: dict[str, Form] = {
    "dense masked": Form(_masked, free=True, plain=True, acts=True, shared=True),
    "gather batched": Form(lambda layer: _free(layer, m.gather_batched), free=True),
    "gather batched, clipped, biases": Form(
        lambda layer: _free(layer, partial(m.gather_batched, oai=True)), free=True
    ),
    "weighted": Form(
        lambda layer: r.weighted(r.WIDE[layer.router], m.gated if layer.gated else m.plain),
        wide=True,
        plain=True,
        acts=True,
    ),
    "weighted, stacked": Form(lambda layer: r.weighted_stack(r.WIDE[layer.router]), wide=True),
    "sorted and split": Form(lambda _: m.grouped, least=2),
    "sorted and split, biases": Form(lambda _: partial(m.grouped, bias=True), least=2),
    "sorted and split, apart": Form(lambda _: partial(m.grouped, bias=True, apart=True), least=2),
    "per expert": Form(lambda _: m.per_expert_gather, acts=True),
    "equal masks": Form(lambda _: m.equal_masks, acts=True),
    "outputs stacked": Form(lambda _: m.stacked_outputs, acts=True),
    "weights on the input": Form(lambda _: m.llama4, top=1),
    "switch": Form(lambda _: m.switch, top=1, acts=True),
    "two picks with places": Form(lambda _: p.gshard, top=2),
    "two picks with places, experts apart": Form(
        lambda _: p.gshard_whole, top=2, acts=True, least=2
    ),
    "two picks with few places, kept": Form(
        lambda _: partial(p.gshard, slots=3, keeps=True), top=2, least=2
    ),
    **{
        f"switch, {name}": Form(partial(_of_few_places, block), top=1, acts=True, least=2)
        for name, (block, _) in p.PASSING_ON.items()
    },
    "zero experts": Form(lambda _: x.idle_masked(), least=2, routings=SOME),
    "identity experts": Form(lambda _: x.identity_masked(3), acts=True, least=2),
    "identity experts first": Form(lambda _: x.idle_gathered(0, before=2, passing=True), least=2),
    "zero experts, gathered": Form(lambda _: x.idle_gathered(), least=2, routings=SOME),
    "identity experts, gathered": Form(lambda _: x.idle_gathered(passing=True), least=2),
    "identity experts, stacked": Form(lambda _: x.idle_stacked, least=2),
    "gathered, Einsum": Form(
        lambda layer: _free(layer, lambda router: x.gathered_einsum(router=router)), free=True
    ),
    "gathered, Einsum, matrices first": Form(
        lambda layer: x.gathered_einsum("tkdf,td->tkf", "tkfd,tkf->tkd", bias=True)
    ),
    "by place": Form(lambda layer: x.by_place(ROUTERS[layer.router]), free=True),
    "single matrices": Form(_single, free=True, acts=True, least=2),
    "single matrices, wider": Form(
        lambda layer: x.single_masked(layer.act, 11), acts=True, least=2
    ),
    "single matrices, gathered": Form(
        lambda layer: x.single_gathered(layer.act, bias=True, router=ROUTERS[layer.router]),
        free=True,
        acts=True,
        least=2,
    ),
    "single matrices, stacked": Form(
        lambda layer: x.single_stacked(layer.act, ROUTERS[layer.router]),
        free=True,
        acts=True,
        least=2,
    ),
    "unlike widths": Form(_unlike, free=True, plain=True, acts=True, least=2),
    "unlike widths, gathered": Form(
        lambda layer: partial(m.per_expert_gather, expert=x.by_turns((5, layer.hidden, 17))),
        acts=True,
        least=2,
    ),
    "unlike widths, behind If": Form(
        lambda layer: behind_ifs(expert=x.by_turns((layer.hidden, 5))), least=2
    ),
    "single matrices, Einsum": Form(lambda layer: x.single_einsum(layer.act), acts=True, least=2),
    "single matrices, Einsum, gathered": Form(
        lambda layer: x.single_einsum(layer.act, gathered=True), acts=True, least=2
    ),
    "apart, sorted": Form(lambda _: a.around("sorted"), least=2, layers=2),
    "apart, gathered": Form(lambda _: a.around("gathered", m.softmax_topk), least=2, layers=2),
    "apart, Einsum": Form(lambda _: a.around("Einsum", m.sigmoid_topk), least=2, layers=2),
    "low rank": Form(lambda layer: x.low_rank(2, layer.act), acts=True, least=2),
    **{name: Form(partial(_in_subgraphs, name)) for name in BRANCHES},
    "static int8": Form(lambda _: STATIC_EXPERTS),
    "operator": Form(lambda _: m.contract()),
    "operator, not renormalised": Form(lambda _: m.contract(0, "relu")),
    "operator, swiglu": Form(lambda _: m.swiglu_contract),
    "operator, 4 bits": Form(lambda _: m.quantised_contract(4), widths=(8, 6, 20)),
    "operator, 8 bits": Form(lambda _: m.quantised_contract(8)),
    "operator, 8 bits, blocks": Form(lambda _: m.quantised_contract(8, 16), widths=(16, 32)),
    "expert choice": Form(lambda _: m.expert_choice(), acts=True),
    "expert choice, at least one": Form(lambda _: m.expert_choice(minimum=1), acts=True),
    "expert choice, stacked": Form(lambda _: m.expert_choice(stacked=True)),
    "expert choice, Einsum": Form(lambda _: m.einsum_choice),
}
TOKEN_CHOICE = tuple(name for name in FORMS if not name.startswith("expert choice"))
EXPERT_CHOICE = tuple(name for name in FORMS if name.startswith("expert choice"))


def block_of(layer: Layer) -> m.Ffn:
    """Writes the layer's nodes; sets the graph's sizes to the layer's."""

    def block(g: m.Graph, x: str) -> str:
        g.experts, g.top, g.hidden = layer.experts, layer.top, layer.hidden
        g.act, g.routing = layer.act, layer.routing
        if layer.form == "dense":
            return (m.gated if layer.gated else m.plain)(g, x)
        out = FORMS[layer.form].make(layer)(g, x)
        return g("Mul", out, g.constant(2.5, "float32")) if layer.scaled else out

    return block
