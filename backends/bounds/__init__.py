"""Lower bounds on a program's makespan, from the program alone.

Three times that no schedule of the program can beat:

- the critical path: the longest chain of instructions that read each other's values;
- the busiest unit: the total busy time of one unit, or of a pool divided by its units;
- the segments: an attention, a tile of one that streams, or a selection over a sequence waits for
  much (`joins`). It starts when every unit has done all that it waits for, not before; from there
  on the same holds for the next one, and so on to the end (`earliest`).

What the largest of them is made of is told (`parts`).
"""

from backends.bounds.lower import Bounds, lower_bounds
from backends.bounds.parts import Part
from backends.bounds.pools import Pools, pools

__all__ = ["Bounds", "Part", "Pools", "lower_bounds", "pools"]
