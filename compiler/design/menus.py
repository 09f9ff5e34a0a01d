"""The values that decisions have where nobody says otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from itertools import product

from compiler.design.choices import Key, Menu
from compiler.design.floor import Floor
from compiler.grouping import check_replicas
from compiler.grouping.objective import check_room
from ir.errors import InfeasibleError, InputError
from ir.units import attention_units, operators_of, units_by_work

TOGETHER = (1, 2, 3, 4)  # layers of a region: more meet in a prefill whatever their order
STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def usual_menu(floor: Floor) -> Menu:
    """Groups of up to 8 experts, and units up to what keeps up with the crossbars, and one more.

    Attention units are powers of two, over which heads go evenly; so are, in decode steps, layers
    of a region, up to all, and else up to 4. Of those that part layers alike it is the fewest.
    Replicas are those that the grouping is asked for.
    """
    work, regions = floor.workload, floor.workload.regions
    digital = replace(floor.chip.digital, mha_units_per_region=0, mha_units=0)
    chip = replace(floor.chip, digital=digital)
    tokens, decodes = floor.options.shape.prefill, floor.options.shape.decode > 0
    dpus = max(units_by_work(operators_of(work, region), chip) for region in regions)
    mha = max(attention_units(work, region, tokens, chip) for region in regions)
    most = max((op.router.experts for op in work.moe_layers), default=1)
    sizes = tuple(size for size in Menu().sizes if size <= most)
    powers = tuple(step for step in STEPS if step & (step - 1) == 0)
    together = [step for step in powers if step < 2 * len(regions)] if decodes else TOGETHER
    return Menu(
        sizes,
        dpus=_up_to(STEPS, dpus),
        mha=_up_to(powers, mha),
        stack=_unlike(len(regions), together),
        replicas=(floor.options.grouping.replicas,),
    )


def enough(floor: Floor) -> dict[Key, int]:
    """Values with which bus, links and units keep up with the crossbars, nearly."""
    menu = usual_menu(floor)
    units: dict[Key, int] = {"dpus": menu.dpus[-2:][0], "mha": menu.mha[-2:][0]}
    return units | {"transfers": 16, "lanes": 4, "buffers": 4}


def menu_of(floor: Floor, among: Mapping[str, tuple[int, ...]]) -> Menu:
    """The usual one, but for the decisions that `among` names; InputError where it names none."""
    known = [field.name for field in fields(Menu)]
    for name in among:
        if name not in known:
            raise InputError("design", f"{name!r}, expected one of {', '.join(known)}")
    return replace(usual_menu(floor), **among)


def check_menu(floor: Floor, menu: Menu) -> None:
    """InputError where replicas are offered that groups cannot have, of some layer and size."""
    check_replicas(replace(floor.options.grouping, replicas=menu.replicas[-1]))
    held = {op.layer: op.router.experts for op in floor.workload.moe_layers}
    for layer, size, number in product(floor.expert_layers, menu.sizes, menu.replicas):
        experts = held[layer]
        try:
            check_room(experts, size, None, number)
        except InfeasibleError as short:
            raise InputError(
                "design: replicas",
                f"{number} with groups of {size}, but layer {layer} has {experts} experts, which "
                "leave no other group for a copy",
                f"leave out replicas, or groups of more than {experts}",
            ) from short


def _unlike(layers: int, together: Sequence[int]) -> tuple[int, ...]:
    """Numbers of layers in a region, the fewest of those that part all layers into as many."""
    found: dict[int, int] = {}
    for number in together:
        found.setdefault(-(-layers // number), number)
    return tuple(found.values())


def _up_to(steps: tuple[int, ...], enough: int) -> tuple[int, ...]:
    """The steps below `enough`, the first that reaches it, and the next."""
    below = sum(step < enough for step in steps)
    return steps[: below + 2]
