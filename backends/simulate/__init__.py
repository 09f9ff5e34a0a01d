"""The simulator: a program on its units, straight from its columns and the chip.

`replay` checks the given times; `run` keeps the order and computes times anew; `Waits` says what
held every instruction up, `group_waits` many of them together, `unit_uses` how busy each unit was.
It shares no code with the compiler, and of `ir.timing` only the time of one MVM (`form`) and, to
run on other speeds, that of everything (`links`, `digital`, `retime`).
A wrong duration of another opcode is not seen here, since the program does not say how large a job
is: that is the check of costs in `ir/verify`, which knows the model.
"""

from backends.simulate.grouped import GroupWaits, group_waits
from backends.simulate.replay import Simulation, replay, run
from backends.simulate.retime import retime, scale
from backends.simulate.usage import KindUse, Use, kind_uses, unit_uses
from backends.simulate.waits import CAUSES, Pair, Total, Waits

__all__ = [
    "CAUSES",
    "GroupWaits",
    "KindUse",
    "Pair",
    "Simulation",
    "Total",
    "Use",
    "Waits",
    "group_waits",
    "kind_uses",
    "replay",
    "retime",
    "run",
    "scale",
    "unit_uses",
]
