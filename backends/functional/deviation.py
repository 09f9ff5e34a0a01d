"""How far quantised values are from the float model's, and what that does to a language model.

Errors of a value over all its elements: rms = root of (sum of squared differences / sum of squared
float values), largest = max |difference| / max |float value|.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backends.functional.compare import pair
from backends.functional.machine import Machine
from backends.functional.runs import Run
from ir.arrays import Array, Bools, Ints
from ir.workload import Workload


@dataclass
class Error:
    """One value's sums so far: see the module's norms."""

    name: str
    layer: int
    squares: float = 0.0
    float_squares: float = 0.0
    far: float = 0.0
    float_far: float = 0.0

    def add(self, ours: Array, theirs: Array) -> None:
        """Elements of a further part of the value."""
        a, b = ours.astype(np.float64), theirs.astype(np.float64)
        self.squares += float(((a - b) ** 2).sum())
        self.float_squares += float((b**2).sum())
        self.far = max(self.far, float(np.abs(a - b).max(initial=0)))
        self.float_far = max(self.float_far, float(np.abs(b).max(initial=0)))

    @property
    def rms(self) -> float:
        """Relative root mean square."""
        return float(np.sqrt(self.squares / self.float_squares)) if self.float_squares else 0.0

    @property
    def largest(self) -> float:
        """Largest difference, of the largest float value."""
        return self.far / self.float_far if self.float_far else 0.0


@dataclass
class Predictions:
    """What a language model says of the next token: nats summed over `scored` positions.

    agreed: positions of `tokens` where the largest logit is the same token's.
    """

    tokens: int = 0
    agreed: int = 0
    scored: int = 0
    float_nats: float = 0.0
    nats: float = 0.0

    def add(self, ours: Array, theirs: Array, ids: Array, known: Bools) -> None:
        """Logits [sequences, length, vocabulary] of ids [sequences, length].

        known: [sequences, length] positions that have logits.
        """
        self.tokens += int(known.sum())
        self.agreed += int((ours.argmax(-1) == theirs.argmax(-1))[known].sum())
        follows = known[:, :-1]
        self.scored += int(follows.sum())
        self.nats += _nats(ours[:, :-1][follows], ids[:, 1:][follows])
        self.float_nats += _nats(theirs[:, :-1][follows], ids[:, 1:][follows])

    @property
    def agreement(self) -> float:
        """Part of the tokens whose most likely next token is the float model's."""
        return self.agreed / max(self.tokens, 1)

    @property
    def perplexity(self) -> float:
        """exp(mean of -log p(next token)), quantised."""
        return float(np.exp(self.nats / max(self.scored, 1)))

    @property
    def float_perplexity(self) -> float:
        """The same of the float model on the same tokens."""
        return float(np.exp(self.float_nats / max(self.scored, 1)))


def _nats(logits: Array, ids: Array) -> float:
    """Sum of -log softmax(logits)[id]: logits [n, vocabulary], ids [n]."""
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    picked = np.take_along_axis(wide, ids.astype(np.int64)[:, None], axis=1)[:, 0]
    return float((np.log(np.exp(wide).sum(axis=1)) - picked).sum())


@dataclass
class Deviation:
    """Errors by value, in the model's order, and a language model's predictions.

    language: None where the model is none, for the reason `why_not`. ids, logits: names of its
    input of token ids and of its output [.., vocabulary]; length: of their sequences, where the
    model's sides differ. tokens: that have been looked at, of sides those of the longest.
    """

    errors: dict[str, Error]
    ids: str
    logits: str = ""
    language: Predictions | None = None
    why_not: str = ""
    tokens: int = 0
    length: int | None = None

    @classmethod
    def of(cls, workload: Workload, ids: str, run: Run) -> "Deviation":
        """Nothing yet; ids: the model's first input of tokens; run: any, for that input's type.

        Where the model has sides, ids are those of the side that gives the logits. Values: each
        layer's last operator's, each MoE layer's, and the model's outputs.
        """
        last = {op.layer: op for op in workload.operators if op.layer >= 0}
        chosen = {op.outputs[0] for op in (*last.values(), *workload.moe_layers)}
        chosen |= set(workload.outputs)
        errors = {
            name: Error(name, op.layer)
            for op in workload.operators
            for name in op.outputs
            if name in chosen
        }
        logits = next((n for n in workload.outputs if "logit" in n.lower() and n in errors), "")
        if not logits:
            return cls(errors, ids, why_not="no output is named logits")
        side = next(op.side for op in workload.operators if logits in op.outputs)
        length = None
        if side is not None and workload.sides:
            ids, length = workload.sides[side].inputs[0], workload.sides[side].tokens
        given, size = run.feeds[ids], (run.first(length) if length else run).tokens.size
        if given.dtype.kind not in "iu" or given.size != size:
            return cls(errors, ids, why_not=f"input {ids!r} is not one integer per token")
        return cls(errors, ids, logits, Predictions(), length=length)

    def _tokens(self, run: Run) -> Ints:
        """[sequences, length] of the tokens that have logits."""
        return (run.first(self.length) if self.length else run).tokens

    def add_run(self, run: Run, ours: Mapping[str, Array], theirs: Mapping[str, Array]) -> None:
        """Every operator's values of a whole run."""
        self.tokens += run.tokens.size
        for name, error in self.errors.items():
            error.add(ours[name], theirs[name])
        if self.language is not None:
            shape = self._tokens(run).shape
            a, b = (values[self.logits].reshape(*shape, -1) for values in (ours, theirs))
            self.language.add(a, b, run.feeds[self.ids].reshape(shape), np.ones(shape, np.bool_))

    def add_program(self, m: Machine) -> None:
        """What a program has computed, in all its steps."""
        self.tokens += len(m.cells)
        rows: dict[int, Array] = {}
        for (step, index), made in m.made.items():
            op = m.workload.operators[index]
            for name in self.errors.keys() & set(op.outputs):
                _, ours, theirs = pair(m, op, name, made, step)
                self.errors[name].add(ours, theirs)
                if name == self.logits:
                    rows |= dict(zip(np.flatnonzero(made >= 0).tolist(), ours, strict=True))
        if self.language is None:
            return
        for run, found in zip(m.runs, m.whole, strict=True):
            tokens = self._tokens(run)
            shape = tokens.shape
            theirs = found[self.logits].reshape(*shape, -1)
            ours, known = np.zeros_like(theirs), np.isin(tokens, list(rows))
            ours[known] = [rows[token] for token in tokens[known].tolist()]
            self.language.add(ours, theirs, run.feeds[self.ids].reshape(shape), known)
