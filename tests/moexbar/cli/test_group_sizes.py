"""`compile --group-size` as it is typed."""

import pytest
import typer

from moexbar.cli.group_sizes import Sizes, group_sizes


def test_one_size_for_all_or_one_for_each_layer() -> None:
    assert group_sizes("2") == Sizes(2)
    assert group_sizes("1=2,3=4") == Sizes(None, ((1, 2), (3, 4)))
    assert group_sizes("2,3=4") == Sizes(2, ((3, 4),))


@pytest.mark.parametrize("typed", ["two", "1=", "=2", "1=2,", "0", "1=0"])
def test_what_is_no_size_is_named(typed: str) -> None:
    with pytest.raises(typer.BadParameter, match="expected"):
        group_sizes(typed)
