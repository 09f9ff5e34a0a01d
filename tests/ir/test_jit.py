"""Machine code is kept where that is possible, and made anew where it is not."""

from typing import Any

import numba
import numpy as np
import pytest

from ir.jit import compiled, frozen


def twice(x: int) -> int:
    return 2 * x


def test_without_a_place_to_keep_it_the_code_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = numba.njit

    def nowhere(*args: Any, **options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'twice': no locator available")
        return real(*args, **options)

    monkeypatch.setattr(numba, "njit", nowhere)
    assert compiled(twice)(21) == 42


def test_columns_from_files_and_fresh_ones_are_of_one_type() -> None:
    fresh = np.arange(3, dtype=np.int64)
    of_file = fresh.copy()
    of_file.flags.writeable = False
    one, other = frozen(fresh, np.int64), frozen(of_file, np.int64)
    typeof: Any = numba.typeof  # unlike the rest of numba annotated in part
    assert typeof(one) == typeof(other)
    assert np.shares_memory(one, fresh)  # no copy
    assert fresh.flags.writeable  # and the program's own column is as it was
