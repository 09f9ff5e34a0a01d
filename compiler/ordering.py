"""The slot order of a program, chosen by the time of the whole program.

The fewest slots and broadcasts are the right aim for tokens that are all there. Where tokens stream
through causal attention, an order that takes them nearly as they come keeps the next layers busy,
and may be faster with twice the slots. So a few orders are tried, those with the fewest broadcasts
first, and one is kept unless another saves more than `GAIN` of the time.
"""

from collections.abc import Callable
from typing import TypeVar

from compiler.options import Options, Scheduling
from ir.chip import Chip
from ir.compiled import OrderTry
from ir.workload import Workload

Ordered = TypeVar("Ordered")
GAIN = 0.01
BY_TRANSFERS: tuple[Scheduling, ...] = ("min-transfer", "arriving", "reschedule", "token-order")
# Within limits of bus and buffer, which the paper's order does not keep:
LIMITED: tuple[Scheduling, ...] = ("min-transfer", "arriving", "token-order")


def choose_order(
    policies: tuple[Scheduling, ...],
    ordered: Callable[[Scheduling], Ordered],
    time_ps: Callable[[Ordered], int],
) -> tuple[Ordered, tuple[OrderTry, ...]]:
    """The schedule that is kept, and what was tried: nothing where there is one policy alone.

    ordered: the schedule (or those of several programs) by a policy; time_ps: of the program.
    """
    if len(policies) == 1:
        return ordered(policies[0]), ()
    kept = ordered(policies[0])
    least = time_ps(kept)
    tried = [OrderTry(policies[0], least)]
    for policy in policies[1:]:
        schedule = ordered(policy)
        found = time_ps(schedule)
        tried.append(OrderTry(policy, found))
        if least - found > GAIN * least:
            kept, least = schedule, found
    return kept, tuple(tried)


def policies_for(workload: Workload, options: Options, chip: Chip) -> tuple[Scheduling, ...]:
    """The slot orders to try: one where it is asked for, or where no tokens stream.

    In decode steps the tokens of several sequences do, whatever their attention is.
    """
    shape = options.shape
    if options.slots.policy != "auto":
        return (options.slots.policy,)
    streamed = any(op.causal and op.proven for op in workload.attentions())
    streamed |= shape.decode > 0 and shape.batch > 1
    if not streamed or chip.digital.accounting == "reference" or shape.together == 1:
        return ("min-transfer",)
    limited = options.slots.bus is not None or options.slots.buffer is not None
    return LIMITED if limited else BY_TRANSFERS
