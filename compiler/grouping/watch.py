"""What happens on the way to an answer: better values with their time, Ctrl-C, and the deadline.

Searches end by counted work, so that they repeat. The deadline is a safety stop, for a machine that
takes many times as long: what it cuts short is kept, and says that it does not repeat.
"""

import math
import time
from dataclasses import dataclass, field

from compiler.options import SolverOptions

_OVER, _GRACE_S = 10.0, 15.0  # the deadline: so often the time asked for, and so many seconds


@dataclass
class Watch:
    """Notes of one search. `interrupted` says that Ctrl-C ended it; its best still counts.

    limit_s: seconds until the deadline; cut: whether something was left out because of it.
    """

    begun: float = field(default_factory=time.perf_counter)
    points: list[tuple[float, int]] = field(default_factory=list)
    interrupted: bool = False
    limit_s: float = math.inf
    cut: bool = False

    @classmethod
    def over(cls, options: SolverOptions) -> "Watch":
        """A watch with the deadline of one layer's solve, which begins now."""
        return cls(limit_s=min(options.wall_s, _OVER * options.time_s + _GRACE_S))

    @property
    def ended(self) -> bool:
        """Whether to stop: Ctrl-C came, or the deadline is over, of which note is taken."""
        self.cut = self.cut or self.left_s <= 0
        return self.interrupted or self.cut

    @property
    def left_s(self) -> float:
        """Seconds to the deadline."""
        return self.limit_s - self.seconds

    def better(self, value: int) -> None:
        """Note `value` if it is better than all before."""
        self.better_at(time.perf_counter() - self.begun, value)

    def better_at(self, seconds: float, value: int) -> None:
        """Note `value`, found `seconds` after the search began."""
        if not self.points or value < self.points[-1][1]:
            self.points.append((seconds, value))

    @property
    def seconds(self) -> float:
        """Time since the search began."""
        return time.perf_counter() - self.begun

    @property
    def progress(self) -> tuple[tuple[float, int], ...]:
        """(seconds, objective) of every better answer."""
        return tuple(self.points)
