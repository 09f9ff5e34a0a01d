"""Compile a function with numba, and keep the machine code where that is possible."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """`function` as machine code, compiled on its first call.

    The code is kept beside the source or in the user's cache folder for later processes; where
    neither can be written, each process compiles anew.
    """
    try:
        made = numba.njit(cache=True)(function)
    except RuntimeError:  # numba: "no locator available", nowhere to keep the code
        made = numba.njit(function)
    return cast("F", made)


def frozen(column: npt.NDArray[Any], kind: type[np.generic]) -> npt.NDArray[Any]:
    """The column as a read-only array of `kind`, copied only if it must be.

    Columns from files are read-only and fresh ones are not; numba would compile for each.
    """
    view = np.ascontiguousarray(column, dtype=kind).view()
    view.flags.writeable = False
    return view
