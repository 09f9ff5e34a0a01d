"""What is told of a chosen chip: its decisions and figures, its programs, what more would buy."""

from collections.abc import Sequence

from compiler.design.designer import Chosen, Designer
from moexbar.designs.again import Tried
from moexbar.designs.files import command_of
from moexbar.designs.means import mean
from moexbar.designs.perplexity import Kept
from moexbar.designs.prices import prices
from moexbar.designs.programs import model_figures
from moexbar.designs.served import Served
from moexbar.report.designed import DesignRow, GroupSizeRow, PartRow, ServedRow


def row_of(
    designer: Designer,
    chosen: Chosen,
    served: Sequence[Served],
    kept: Kept | None,
    tried: Tried | None,
) -> DesignRow:
    """All that is told of a chosen chip; tried: with its programs."""
    chip, bits, best = chosen.design, chosen.design.whole.bits, chosen.best
    macs = [] if tried is None else [one.macs for one in tried.each]
    models = _models(designer, chosen, served, tried)
    alone = models[0] if len(models) == 1 else None
    return DesignRow(
        group_sizes=alone.group_sizes if alone else (),
        stack=chip.stack,
        mux=chip.whole.mux,
        columns_per_adc=chip.whole.columns,
        adc_bits=bits,
        dense_copies=chip.copies,
        transfers_per_slot=chip.transfers,
        return_lanes=chip.lanes,
        input_buffers=chip.buffers,
        dpus_per_region=chip.dpus,
        mha_units_per_region=chip.mha,
        replicas=chip.replicas,
        minimised=best.asked.minimise,
        bound=best.bound,
        gap=best.gap,
        status=best.status,
        seconds=round(best.seconds, 3),
        model=model_figures(chosen.figures, mean(macs, designer.mix.weights) if macs else 0),
        program=None if tried is None else tried.figures,
        parts=alone.parts if alone else (),
        prices=tuple(prices(designer, chosen, [one.name for one in served])),
        command="\n".join(row.command for row in models),
        models=None if alone else models,
        perplexity=None if kept is None else kept.by_bits[bits].perplexity,
        program_perplexity=_on_program(kept, tried, bits),
        again=() if tried is None else tried.again,
    )


def _on_program(kept: Kept | None, tried: Tried | None, bits: int | None) -> float | None:
    """The perplexity as the program places its model, where one was asked for."""
    if kept is None or tried is None:
        return None
    return kept.on_program(tried.each[0].compiled, bits)


def _models(
    designer: Designer, chosen: Chosen, served: Sequence[Served], tried: Tried | None
) -> tuple[ServedRow, ...]:
    """What is told of each model."""
    mix, found = designer.mix, list[ServedRow]()
    for number, one in enumerate(served):
        design, told, floor = chosen.designs[number], chosen.each[number], mix.floors[number]
        ran = None if tried is None else tried.each[number]
        row = ServedRow(
            name=one.name,
            share=one.weight / sum(mix.weights),
            group_sizes=tuple(GroupSizeRow(*size) for size in design.sizes),
            model=model_figures(told, 0 if ran is None else ran.macs),
            program=None if ran is None else ran.figures,
            parts=tuple(PartRow(unit, ps / 1000) for unit, ps in told.made_of.items()),
            command=command_of(one.model.path, mix.chip, design, floor.options, one.given),
        )
        found.append(row)
    return tuple(found)
