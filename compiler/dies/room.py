"""What is told where the items do not fit on the dies there are."""

from compiler.dies.packing import dies_needed
from compiler.dies.problem import Problem
from ir.errors import Amount, InfeasibleError


def too_few(problem: Problem, dies: int) -> InfeasibleError:
    """The report that no packing onto so many dies was found, and how many would do."""
    least, reached = dies_needed(problem)
    need = least if least > dies else reached
    words = f"at least {least}" if least > dies else f"{reached} as packed, at least {least}"
    return InfeasibleError(
        "dies", Amount(need, words), Amount(dies, str(dies)), "dies", f"take {reached} dies"
    )


def none_fit(solver: str, needed: int, dies: int) -> InfeasibleError:
    """The report that a baseline needs more dies."""
    return InfeasibleError(
        "dies",
        Amount(needed, f"{needed} or more with solver {solver!r}"),
        Amount(dies, str(dies)),
        "dies",
        f"take {needed} dies or more, or solver 'auto'",
    )
