"""The loss that a model is trained to, predicted from its parameters, its experts and its tokens.

Ludziejewski et al., Joint MoE Scaling Laws: Mixture of Experts Can Be Memory Efficient, ICML 2025,
arXiv 2502.05172: equations 4 and 6, coefficients of its table 3, runs of its appendix E. It was
fitted to decoder-only transformers with the feed-forward of every layer made E experts of its own
size, of which a token takes one, trained on FineWeb-Edu with the tokenizer of GPT-2. A loss is in
nats per token of that text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log

SOURCE = "Ludziejewski et al., ICML 2025, arXiv 2502.05172"
BEYOND = "--beyond (in Python beyond=True) leaves the range, and marks what it finds"


@dataclass(frozen=True)
class OneNumberOfExperts:
    """The law for one number of experts: m N^mu + n D^nu + c, as table 4 of the article has it."""

    m: float
    mu: float
    n: float
    nu: float
    c: float

    def loss(self, active: int, tokens: float) -> float:
        """N active parameters, trained on D tokens."""
        return float(self.m * active**self.mu + self.n * tokens**self.nu + self.c)


@dataclass(frozen=True)
class JointLaw:
    """L = a e^delta N^(alpha + gamma ln e) + b e^omega D^(beta + zeta ln e) + c.

    e: of the E experts so many count, from `start` for one to `most` for any number of them.
    rmse: of its predictions for the 30 runs with the lowest loss, which it was not fitted to.
    """

    a: float
    alpha: float
    delta: float
    gamma: float
    b: float
    beta: float
    omega: float
    zeta: float
    start: float
    most: float
    c: float
    rmse: float

    def counted(self, experts: int) -> float:
        """1 / e = 1 / (E - 1 + 1 / (1 / start - 1 / most)) + 1 / most."""
        shift = 1 / (1 / self.start - 1 / self.most)
        return 1 / (1 / (experts - 1 + shift) + 1 / self.most)

    def at(self, experts: int) -> OneNumberOfExperts:
        """The law for so many experts, at least 1, which is the dense model."""
        e = self.counted(experts)
        return OneNumberOfExperts(
            m=self.a * e**self.delta,
            mu=self.alpha + self.gamma * log(e),
            n=self.b * e**self.omega,
            nu=self.beta + self.zeta * log(e),
            c=self.c,
        )


LAW = JointLaw(
    a=35.91,
    alpha=-0.1889,
    delta=-0.2285,
    gamma=0.0098,
    b=35.98,
    beta=-0.1775,
    omega=0.5529,
    zeta=-0.0259,
    start=2.0732,
    most=290.4521,
    c=1.3637,
    rmse=0.0039,
)


@dataclass(frozen=True)
class Limit:
    """The values of a quantity that the law was fitted to, ends included."""

    what: str
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value is one of them."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{short(self.low)} to {short(self.high)} {self.what}"


# The least and the largest of the runs in appendix E: of 8 layers of 512 and 36 of 2,304 without
# experts; in all of 16 layers of 1,024 with 32 experts; 0.98B tokens of the largest, 31.0B of 426M.
EXPERTS = Limit("experts", 1, 32)
ACTIVE = Limit("active parameters", 78_726_144, 2_715_922_944)
TOTAL = Limit("parameters", 78_726_144, 5_001_873_408)
TOKENS = Limit("tokens", 0.5e9, 80e9)
TOKENS_EACH = Limit("tokens for each active parameter", 0.36, 73)


def outside(experts: int, active: int, total: int, tokens: float) -> Iterator[str]:
    """Every limit of the law's range that a model and its training leave."""
    values = (
        (EXPERTS, experts),
        (ACTIVE, active),
        (TOTAL, total),
        (TOKENS, tokens),
        (TOKENS_EACH, tokens / active),
    )
    for limit, value in values:
        if not limit.holds(value):
            yield str(limit)


def short(value: float) -> str:
    """A number in three digits, with M, B or T where it is large."""
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if value >= unit:
            return f"{value / unit:.3g}{name}"
    return f"{value:.3g}"
