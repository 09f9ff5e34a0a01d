"""What is proven about an answer: one form of it in every document."""

from dataclasses import dataclass
from typing import Literal

from ir.certificate import Certificate, Status
from ir.schedule import SlotOrder

RowStatus = Literal[Status, "optimal (other solver)"]


@dataclass(frozen=True)
class CertificateRow:
    """What is known about an answer's quality.

    objective: what is minimised, in words.
    value: the answer's.
    bound: proven: no answer has less.
    gap: (value - best bound known) / value; 0 where the answer is proven optimal.
    status: optimal, by a bound from the problem's structure, by the solver's own search or by
        another solver's bound; feasible: a solver's best so far; heuristic: of a rule.
    seconds: what the search took; null in report.json, whose times are in times.json.
    seed: of the solver.
    deterministic: whether another run gives the same; not if real time cut the search short.
    """

    objective: str
    value: int
    bound: int
    gap: float
    status: RowStatus
    seconds: float | None
    seed: int
    deterministic: bool

    @classmethod
    def of(cls, known: Certificate) -> "CertificateRow":
        """The certificate, its time in milliseconds."""
        return cls(
            known.objective,
            known.value,
            known.bound,
            known.gap,
            known.status,
            round(known.seconds, 3),
            known.seed,
            known.deterministic,
        )

    @property
    def took(self) -> str:
        """The seconds as tables show them."""
        return "-" if self.seconds is None else f"{self.seconds:.2f}"


@dataclass(frozen=True)
class OrderRow:
    """A window's slot order and what is proven about it.

    policy: which decided.
    slots: that the window takes.
    slots_bound: proven: no order has fewer slots.
    transfers: broadcasts, a token counted once in each slot that uses it.
    transfers_bound: proven: no order has fewer.
    transfers_retained: broadcasts on a chip that keeps its input from slot to slot.
    status: of the transfers; see a certificate's.
    deterministic: whether another run gives the same.
    """

    policy: str
    slots: int
    slots_bound: int
    transfers: int
    transfers_bound: int
    transfers_retained: int
    status: Status
    deterministic: bool

    @classmethod
    def of(cls, order: SlotOrder) -> "OrderRow":
        """The order without its table."""
        return cls(
            order.policy,
            order.slots,
            order.slots_bound,
            order.transfers,
            order.transfers_bound,
            order.transfers_retained,
            order.status,
            order.deterministic,
        )
