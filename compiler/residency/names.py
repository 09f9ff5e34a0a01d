"""What can be asked of residents, by name; nothing here imports a solver."""

from typing import Literal, get_args

Objective = Literal["misses", "stalls"]
Policy = Literal["lru", "lfu", "belady"]
Share = Literal["layer", "chip"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
POLICIES: tuple[Policy, ...] = get_args(Policy)
SHARES: tuple[Share, ...] = get_args(Share)
