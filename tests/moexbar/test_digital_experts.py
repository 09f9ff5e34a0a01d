"""Which experts are computed digitally, and what one token then costs, by hand."""

from ir.mapping import Block, Grouping, Mapping, RoutedOwner
from ir.workload import Weight
from moexbar.digital_experts import digital_row, worst
from tests.make import small_chip


def test_the_worst_come_first() -> None:
    """Of equals the one of the lower layer, then the lower number."""
    found = {(0, 0): 0.1, (0, 1): 0.3, (1, 0): 0.3, (1, 1): 0.2}
    assert worst(found, 3) == ((0, 1), (1, 0), (1, 1))
    assert worst(found, 0) == ()


def test_what_a_token_costs() -> None:
    """Up 8 x 12 and down 12 x 8 of 8 bits: 192 multiply-accumulates, 192 bytes; two copies.

    10 GB/s: 192 bytes take 19.2 ns, at 1 mW 19.2 pJ; 192 / 64 = 3 ns, at 250 fJ
    each 48 pJ. Crossbars of 8 x 8 cells hold 8 x 4 weights: up 1 x 3 tiles, down 2 x 2, so two MVMs
    of 10 ns and 7 x 10 pJ; 14 crossbars in two copies.
    """
    up, down = Weight("up", 8, 12, 8), Weight("down", 12, 8, 8)
    blocks = [
        block
        for replica in (0, 1)
        for block in (
            Block(0, 3, "up", 0, RoutedOwner(5, replica), up, 1, 3),
            Block(0, 3, "down", 1, RoutedOwner(5, replica), down, 2, 2),
            Block(0, 3, "up", 0, RoutedOwner(6, replica), up, 1, 3),
        )
    ]
    mapping = Mapping(tuple(blocks), Grouping(()), None)  # type: ignore[arg-type]
    row = digital_row((3, 5), 0.25, mapping, small_chip())
    assert (row.layer, row.expert, row.rms) == (3, 5, 0.25)
    assert (row.macs, row.weight_bytes, row.crossbars) == (192, 192, 14)
    assert (row.digital_ns, row.crossbar_ns) == (22.2, 20.0)
    assert row.digital_nj == (19_200 + 192 * 250) / 1e6
    assert row.crossbar_nj == 7 * 10_000 / 1e6
