"""Under which terms experts are resident: what `mx.reside` is asked, but for trace and chip."""

import math
from dataclasses import dataclass

from compiler.options import one_of
from compiler.residency.names import OBJECTIVES, SHARES, Objective, Share
from ir.errors import InputError
from moexbar.arguments import whole


@dataclass(frozen=True)
class Terms:
    """See `moexbar.residency.task.reside`. Raises InputError for what cannot be asked."""

    capacity: float = 0.5
    share: Share = "layer"
    objective: Objective = "misses"
    prefill: int = 1
    bypass: bool = True
    rate: float | None = None
    writers: int | None = None

    def __post_init__(self) -> None:
        one_of("objective", self.objective, OBJECTIVES)
        one_of("share", self.share, SHARES)
        whole("prefill", self.prefill, 1)
        if self.rate is not None and not 0 < self.rate < math.inf:
            raise InputError("rate", f"{self.rate:g}, expected more than 0 tokens a second")
        if self.writers is not None:
            whole("writers", self.writers, 1)
