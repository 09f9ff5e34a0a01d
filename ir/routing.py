"""Which experts each token goes to: recorded from a run of the model, or from elsewhere.

File format: docs/formats.md. Token choice stores `choices`; expert choice stores `scores` and
`capacity`, from which the selection follows.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ir.arrays import Bools, Ints, Span
from ir.errors import ArgumentError, InputError
from ir.html import table

if TYPE_CHECKING:  # a table is made when one is asked for
    import pyarrow as pa

WIDEN = "widen the range, or record more sequences"
FIT, SCORE = (0.0, 0.5), (0.5, 1.0)  # of the sequences, where nothing else is asked for


@dataclass(frozen=True, eq=False, repr=False)
class Routing:
    """A routing trace of L MoE layers and N tokens.

    layer: [L] ids of the MoE layers (decoder layers); num_experts: [L]; sequence: [N] sorted ids.
    choices: int16 [L, N, k], -1 = no expert; weights: float32 like choices.
    scores: float32 [L, N, E]; capacity: [L] tokens per expert and sequence, or [L, 1 + decode].
    Exactly one of choices and scores is set. decode: with expert choice, how many tokens at the end
    of each sequence came one at a time: each is routed when it arrives, against the scores so far
    and with the capacity of its step, and nothing before it is routed again. domain: [N]
    what kind of text the token is from, where known. passed: [L, N] tokens that outputs without an
    expert pass on, where known. `source` names the file for messages.
    """

    layer: Ints
    num_experts: Ints
    sequence: Ints
    choices: npt.NDArray[np.int16] | None = None
    weights: npt.NDArray[np.float32] | None = None
    scores: npt.NDArray[np.float32] | None = None
    capacity: Ints | None = None
    decode: int = 0
    domain: Ints | None = None
    passed: Bools | None = None
    source: str = field(default="routing", compare=False)

    def __repr__(self) -> str:
        kind = "expert choice" if self.expert_choice else "token choice"
        return f"<Routing: {len(self.layer)} MoE layers, {self.tokens} tokens, {kind}>"

    def _repr_html_(self) -> str:
        """For a notebook: how the tokens spread over the experts of each layer."""
        rows: list[tuple[object, ...]] = []
        for row, layer in enumerate(self.layer.tolist()):
            loads = self.matrix(row).sum(axis=0)
            mean, hottest = max(loads.mean(), 1e-9), int(loads.argmax())
            share = f"{loads.max() / mean:.2f} x the mean"
            rows.append((layer, len(loads), f"{loads.sum():,}", f"{hottest}, {share}"))
        columns = ("layer", "experts", "pairs of token and expert", "hottest expert")
        return table(repr(self)[1:-1], columns, rows)

    def to_arrow(self) -> "pa.Table":
        """A table of one row per layer, token and its expert (see `ir.tables`)."""
        from ir.tables import routing_table

        return routing_table(self)

    def to_pandas(self) -> Any:
        """The same as a pandas DataFrame."""
        from ir.tables import to_pandas

        return to_pandas(self.to_arrow())

    def __post_init__(self) -> None:
        if (self.choices is None) == (self.scores is None):
            raise InputError(self.source, "expected exactly one of 'choices' and 'scores'")
        if self.choices is not None:
            self._check_choices(self.choices)
        if self.scores is not None:
            self._check_scores(self.scores)
        if self.domain is not None and self.domain.shape != self.sequence.shape:
            raise InputError(
                self.source,
                f"domain: shape {self.domain.shape}, expected {self.sequence.shape}, as sequence",
            )
        expected = (len(self.layer), len(self.sequence))
        if self.passed is not None and self.passed.shape != expected:
            raise InputError(self.source, f"passed: shape {self.passed.shape}, expected {expected}")
        if np.any(np.diff(self.sequence) < 0):
            token = int(np.argmax(np.diff(self.sequence) < 0)) + 1
            raise InputError(
                self.source,
                f"sequence: decreases at token {token}, expected tokens of a sequence together "
                "and sequence ids sorted",
            )

    def _check_choices(self, choices: npt.NDArray[np.int16]) -> None:
        expected = (len(self.layer), len(self.sequence))
        if choices.ndim != 3 or choices.shape[:2] != expected:
            raise InputError(
                self.source, f"choices: shape {choices.shape}, expected {expected} + (k,)"
            )
        for row, (of_layer, experts) in enumerate(zip(choices, self.num_experts, strict=True)):
            wrong = (of_layer < -1) | (of_layer >= experts)
            if np.any(wrong):
                token, k = _first(wrong)
                raise InputError(
                    self.source,
                    f"choices: layer {row}, token {token}, position {k}: expert "
                    f"{of_layer[token, k]}, expected -1 or 0 to {experts - 1}",
                )
            ordered = np.sort(of_layer, axis=1)
            repeated = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
            if np.any(repeated):
                token, k = _first(repeated)
                raise InputError(
                    self.source,
                    f"choices: layer {row}, token {token}: expert {ordered[token, k]} twice, "
                    "expected distinct experts per token",
                )
        if self.weights is not None and self.weights.shape != choices.shape:
            raise InputError(
                self.source, f"weights: shape {self.weights.shape}, expected {choices.shape}"
            )

    def _check_scores(self, scores: npt.NDArray[np.float32]) -> None:
        expected = (len(self.layer), len(self.sequence), int(self.num_experts.max(initial=0)))
        if scores.shape != expected:
            raise InputError(self.source, f"scores: shape {scores.shape}, expected {expected}")
        if not np.all(np.isfinite(scores)):
            layer, token, expert = _first(~np.isfinite(scores))
            raise InputError(
                self.source,
                f"scores: layer {layer}, token {token}, expert {expert}: "
                f"{scores[layer, token, expert]}, expected a finite number",
            )
        layers = len(self.layer)
        shape = (layers, 1 + self.decode) if self.decode else (layers,)
        if self.capacity is None or self.capacity.shape != shape:
            found = "missing" if self.capacity is None else f"shape {self.capacity.shape}"
            raise InputError(
                self.source,
                f"capacity: {found}, expected {shape}: one integer per layer"
                + " and step" * (self.decode > 0),
            )
        shortest = min(np.unique(self.sequence, return_counts=True)[1].tolist(), default=0)
        if self.decode and not 0 < self.decode < shortest:
            raise InputError(
                self.source,
                f"decode: {self.decode} of sequences of {shortest} tokens, expected fewer",
            )

    @property
    def layers(self) -> int:
        """Number of MoE layers recorded."""
        return len(self.layer)

    @property
    def tokens(self) -> int:
        """Number of tokens recorded."""
        return len(self.sequence)

    @property
    def expert_choice(self) -> bool:
        """Whether experts choose tokens."""
        return self.scores is not None

    def row(self, layer_id: int) -> int:
        """Index along the layer axis of MoE layer `layer_id`; InputError if it is not there."""
        found = np.flatnonzero(self.layer == layer_id)
        if not len(found):
            known = ", ".join(str(i) for i in self.layer[:12])
            raise InputError(self.source, f"no layer {layer_id}, the trace has layers {known}")
        return int(found[0])

    def matrix(self, row: int) -> Bools:
        """G: bool [tokens, experts], True where the token goes to the expert (layer at `row`)."""
        experts = int(self.num_experts[row])
        if self.scores is not None and self.capacity is not None:
            scores = self.scores[row][:, :experts]
            return top_tokens(scores, self.sequence, np.atleast_1d(self.capacity[row]))
        picked = np.zeros((self.tokens, experts + 1), dtype=np.bool_)
        if self.choices is not None:
            rows = np.arange(self.tokens)[:, None]
            picked[rows, self.choices[row]] = True  # -1 marks the spare last column
        return picked[:, :experts]


def _first(mask: Bools) -> tuple[int, ...]:
    """Index of the first True; argwhere would list them all, 24 bytes for each."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(mask)), mask.shape))


def top_tokens(scores: npt.NDArray[np.float32], sequence: Ints, capacity: Ints) -> Bools:
    """Each expert's best tokens of every sequence; ties go to the earlier token.

    capacity: [1 + decode]. The last `decode` tokens of a sequence are taken one by one, where they
    are among the best of those so far.
    """
    chosen = np.zeros(scores.shape, dtype=np.bool_)
    starts = np.flatnonzero(np.diff(sequence, prepend=sequence[:1] - 1))
    for start, stop in zip(starts, [*starts[1:], len(sequence)], strict=True):
        together = stop - (len(capacity) - 1)
        best = np.argsort(-scores[start:together], axis=0, kind="stable")[: capacity[0]]
        chosen[start + best, np.arange(scores.shape[1])] = True
        for token, room in zip(range(together, stop), capacity[1:].tolist(), strict=True):
            chosen[token] = (scores[start:token] >= scores[token]).sum(axis=0) < room
    return chosen


def windows(tokens: int, size: int, stride: int | None = None) -> list[tuple[int, int]]:
    """Windows [start, stop) of `size` consecutive tokens; the last partial one is dropped."""
    if size < 1:
        raise InputError("window", f"{size} tokens, expected at least 1")
    return [(s, s + size) for s in range(0, tokens - size + 1, stride or size)]


def select_sequences(routing: Routing, fraction_range: tuple[float, float]) -> tuple[int, int]:
    """Tokens [start, stop) of the sequences from fraction `low` up to `high` of their number.

    Sequences stay whole: (0, 0.5) and (0.5, 1) are disjoint and cover the trace. A trace of one
    sequence is cut by tokens instead. Raises InputError if the range is not within 0 to 1 or holds
    nothing.
    """
    low, high = fraction_range
    if not 0 <= low < high <= 1:
        raise InputError(
            routing.source, f"range {low:g}:{high:g}, expected LOW:HIGH with 0 <= LOW < HIGH <= 1"
        )
    edges, what = _edges(routing)
    span = _between(edges, fraction_range)
    if span is None:
        raise InputError(
            routing.source,
            f"range {low:g}:{high:g} of {len(edges) - 1} {what} holds none, expected at least one",
            WIDEN,
        )
    return span


def _edges(routing: Routing) -> tuple[list[int], str]:
    """The tokens at which a trace may be cut, its ends among them, and what is between two."""
    starts = np.flatnonzero(np.diff(routing.sequence, prepend=routing.sequence[:1] - 1))
    if len(starts) == 1:
        return list(range(routing.tokens + 1)), "tokens"
    return [*(int(start) for start in starts), routing.tokens], "sequences"


def _between(edges: list[int], fractions: tuple[float, float]) -> Span | None:
    """The tokens between two fractions of the parts; None where no part is."""
    # a fraction such as 0.3 of 10 sequences must not fall below 3 by rounding
    first, last = (int(fraction * (len(edges) - 1) + 1e-9) for fraction in fractions)
    return None if first >= last else (edges[first], edges[last])


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two token ranges share a token: then a score is no test of the fit."""
    return max(one[0], other[0]) < min(one[1], other[1])


def token_spans(
    routing: Routing,
    fit: tuple[float, float] = FIT,
    score: tuple[float, float] = SCORE,
    window: int = 1,
) -> tuple[Span, Span]:
    """Token ranges to fit to and to score on, whole sequences each, from fractions of the trace.

    With the defaults and a trace too short to halve (its second half is shorter than the window,
    but the whole is not), both are the whole trace.
    """
    whole = routing.tokens
    if (fit, score) == (FIT, SCORE) and window <= whole < 2 * window:
        return (0, whole), (0, whole)
    return _span(routing, "fit", fit), _span(routing, "score", score)


def _span(routing: Routing, name: str, fractions: tuple[float, float]) -> Span:
    """The tokens of an argument's fractions; ArgumentError naming it where it cannot be used."""
    low, high = fractions
    edges, what = _edges(routing)
    if not 0 <= low < high <= 1:
        problem, hint = "expected 0 <= low < high <= 1", ""
    elif (span := _between(edges, fractions)) is not None:
        return span
    else:
        problem, hint = f"holds none of the {len(edges) - 1} {what}", WIDEN
    typed = InputError(f"--{name} {low:g}:{high:g}", problem, hint)
    raise ArgumentError(f"{name}=({low:g}, {high:g})", problem, hint, typed)
