"""What a random case is: a model, a window of its tokens, a chip and what to decide how.

A recipe is plain data: its repr can be pasted into `corpus.py` and runs again from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from compiler.options import DieRule
from ir.chip.dies import Pairs, TopologyKind


@dataclass(frozen=True)
class Layer:
    """A feed-forward of a decoder layer: `form` names how its MoE layer is exported, see `forms`.

    act, routing, hidden, experts, top: see tests.compiler.frontend.models.Graph; shared: the kind
    of shared expert; scaled: the sum times 2.5; apart: how the router's input is another than the
    experts'. Form `dense`: one feed-forward, no experts.
    """

    form: str = "dense masked"
    router: str = "softmax, then the best"
    experts: int = 4
    top: int = 2
    hidden: int = 8
    act: str = ""
    gated: bool = True
    routing: str = "random"
    shared: str = ""
    scaled: bool = False
    apart: str = ""


@dataclass(frozen=True)
class Model:
    """A decoder.

    element: of weights and values, or how matrices are stored; seed: of the weights and inputs;
    tied: what layers of equal form have in common: `experts` (routers of their own) or `all`.
    """

    layers: tuple[Layer, ...] = (Layer(),)
    d: int = 8
    heads: int = 2
    kv_heads: int = 2
    head: int = 4
    biased: bool = False
    element: str = "float32"
    seed: int = 0
    opset: int = 18
    tied: str = ""


@dataclass(frozen=True)
class Span:
    """`batch` sequences of prefill + decode tokens, run `together` or one by one.

    cut: the window takes its tokens from sequences of so many, the last of them in part; 0 = whole
    sequences. kv, go: what decode steps keep. source: tokens of an encoder, with a layer like the
    decoder's first; 0 = none.
    """

    prefill: int = 4
    decode: int = 0
    batch: int = 1
    together: bool = False
    cut: int = 0
    kv: bool = True
    go: bool = True
    source: int = 0

    @property
    def tokens(self) -> int | tuple[int, int]:
        """Tokens of a sequence run together, of both sides where there are two."""
        return (self.source, self.prefill) if self.source else self.prefill


@dataclass(frozen=True)
class OnDies:
    """The dies that a chip is, and how it is said what is on which: `solver`, or at random.

    count: at random so many dies; by a solver dies of about so many parts of the model each, and as
    many as it takes. joined: the pairs of topology `table`. area_um2: of a die, which says how
    wide parts of a matrix may be; 0 = large. seed: of what is random.
    """

    count: int = 2
    topology: TopologyKind = "mesh"
    columns: int = 0
    joined: Pairs = ()
    solver: DieRule | Literal["random"] = "random"
    area_um2: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Recipe:
    """One case. chip: fields changed on tests.make.SMALL_CHIP, by table; options: of the compiler.

    method: which of compiler.baselines.main_methods, by place; 3 = ours. stacks: seed of random
    stacks, for ours; None = none. dies: None = one die, however large.
    """

    model: Model = field(default_factory=Model)
    span: Span = field(default_factory=Span)
    chip: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    method: int = 3
    stacks: int | None = None
    dies: OnDies | None = None

    @property
    def expert_choice(self) -> bool:
        """Whether experts choose tokens."""
        return any(layer.form.startswith("expert choice") for layer in self.model.layers)
