"""When a wave of tokens passes the products of a model."""

from collections.abc import Mapping
from dataclasses import dataclass

from ir.arrays import Ints


@dataclass(frozen=True, eq=False)
class Passed:
    """When tokens come to a station, and when it begins with them: [tokens] each."""

    come: Ints
    begun: Ints


Wave = Mapping[int, Passed]  # by station
