"""What happens on the way to an answer: better values with their time, Ctrl-C, and the deadline.

Searches end by counted work, so that they repeat. The deadline is a safety stop, for a machine that
takes many times as long: what it cuts short is kept, and says that it does not repeat. It is one of
this process's own work, so that other work on the machine does not change an answer.
"""

import math
import time
from dataclasses import dataclass, field, replace

from compiler.options import SolverOptions

_LEAST_S = 0.01


@dataclass
class Watch:
    """Notes of one search. `interrupted` says that Ctrl-C ended it; its best still counts.

    limit_s: seconds of this process's work until the deadline; wall_s: real ones, if that is
    sooner; cut: whether something was left out because of it.
    """

    begun: float = field(default_factory=time.perf_counter)
    begun_cpu: float = field(default_factory=time.process_time)
    points: list[tuple[float, int]] = field(default_factory=list)
    interrupted: bool = False
    limit_s: float = math.inf
    wall_s: float = math.inf
    cut: bool = False

    @classmethod
    def over(cls, options: SolverOptions) -> "Watch":
        """A watch with the deadline of one layer's solve, which begins now."""
        return cls(limit_s=options.most_s, wall_s=options.wall_s)

    @property
    def ended(self) -> bool:
        """Whether to stop: Ctrl-C came, or the deadline is over, of which note is taken."""
        self.cut = self.cut or self.left_s <= 0 or self.seconds >= self.wall_s
        return self.interrupted or self.cut

    @property
    def left_s(self) -> float:
        """Seconds of work to the deadline."""
        return self.limit_s - self.worked_s

    @property
    def worked_s(self) -> float:
        """Seconds that this process has worked since the search began."""
        return time.process_time() - self.begun_cpu

    def rest(self, options: SolverOptions, spent_s: float) -> SolverOptions:
        """Limits of a solve by itself that begins now, but for so many seconds of work."""
        return replace(
            options,
            cpu_s=max(_LEAST_S, self.left_s - spent_s),
            wall_s=max(_LEAST_S, min(options.wall_s, self.wall_s - self.seconds)),
        )

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
