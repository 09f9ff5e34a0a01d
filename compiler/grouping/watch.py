"""What happens on the way to an answer: better values with their time, and Ctrl-C."""

import time
from dataclasses import dataclass, field


@dataclass
class Watch:
    """Notes of one search. `interrupted` says that Ctrl-C ended it; its best still counts."""

    begun: float = field(default_factory=time.perf_counter)
    points: list[tuple[float, int]] = field(default_factory=list)
    interrupted: bool = False

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
