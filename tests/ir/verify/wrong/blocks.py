"""Blocks of matrices and groups of experts that are not those of the model."""

from dataclasses import replace

from ir.certificate import Certificate
from ir.compiled import Compiled
from ir.mapping import LayerGrouping, RoutedOwner
from tests.ir.verify import test_verify_replicas as replicas
from tests.ir.verify.wrong.edits import Tables, mapped, with_block, with_groups
from tests.ir.verify.wrong.programs import base


def block_with_a_row_tile_too_many(c: Compiled) -> Compiled:
    first, *others = c.mapping.blocks
    return replace(c, mapping=replace(c.mapping, blocks=(replace(first, rows=4), *others)))


def block_twice(c: Compiled) -> Compiled:
    blocks = (c.mapping.blocks[1], *c.mapping.blocks[1:])
    return replace(c, mapping=replace(c.mapping, blocks=blocks))


def expert_in_no_group(c: Compiled) -> Compiled:
    certificate = Certificate("slots", 0, 0, "heuristic")
    short = LayerGrouping(0, ((0, 1), (2,)), "by hand", certificate)
    grouping = replace(c.mapping.grouping, layers=(short, c.mapping.grouping.layers[1]))
    return replace(c, mapping=replace(c.mapping, grouping=grouping))


def no_copy_of_dense_blocks(c: Compiled) -> Compiled:
    return mapped(c, dense_copies=0)


def block_of_an_operator_without_a_matrix(c: Compiled) -> Compiled:
    norm = [op.name for op in c.workload.operators].index("norm_a0")
    return with_block(c, operator=norm)


def block_in_another_layer(c: Compiled) -> Compiled:
    return with_block(c, layer=1)


def block_of_another_stage(c: Compiled) -> Compiled:
    return with_block(c, stage=1)


def block_with_a_column_tile_too_many(c: Compiled) -> Compiled:
    return with_block(c, columns=c.mapping.blocks[0].columns + 1)


def block_left_out(c: Compiled) -> Compiled:
    return mapped(c, blocks=c.mapping.blocks[1:])


def layer_without_groups(c: Compiled) -> Compiled:
    return mapped(c, grouping=replace(c.mapping.grouping, layers=c.mapping.grouping.layers[:1]))


def expert_twice_in_a_group(c: Compiled) -> Compiled:
    return with_groups(c, groups=((0, 1, 1), (2, 3)))


def expert_twice_in_a_group_with_its_blocks(c: Compiled) -> Compiled:
    """Each of the two has what it takes, as replicas in two groups have."""
    again = RoutedOwner(1, 1)
    mine = [b for b in c.mapping.blocks if (b.layer, b.owner) == (0, RoutedOwner(1))]
    more = (*c.mapping.blocks, *(replace(b, owner=again) for b in mine))
    return mapped(expert_twice_in_a_group(c), blocks=more)


def expert_that_does_not_exist(c: Compiled) -> Compiled:
    return with_groups(c, groups=((0, 1), (2, 3, 4)))


def expert_in_a_group_and_digital(c: Compiled) -> Compiled:
    return with_groups(c, digital=(3,))


def copies_of_an_expert_in_no_group(c: Compiled) -> Compiled:
    """Expert 0 has both of its blocks, and is in none of the groups that shared them."""
    return with_groups(c, groups=((1,), (3,), (2, 3)))


TABLES: Tables = [
    (
        base,
        [
            ("blocks", block_with_a_row_tile_too_many),
            ("blocks", block_twice),
            ("blocks", no_copy_of_dense_blocks),
            ("blocks", block_of_an_operator_without_a_matrix),
            ("blocks", block_in_another_layer),
            ("blocks", block_of_another_stage),
            ("blocks", block_with_a_column_tile_too_many),
            ("blocks", block_left_out),
            ("groups", expert_in_no_group),
            ("groups", layer_without_groups),
            ("groups", expert_twice_in_a_group_with_its_blocks),
            ("groups", expert_that_does_not_exist),
            ("groups", expert_in_a_group_and_digital),
        ],
    ),
    (replicas.base, [("blocks", copies_of_an_expert_in_no_group)]),
]
