"""The program of a chosen chip, and what it takes."""

from dataclasses import replace

from backends.cost import CostReport, cores_uw, cost
from backends.pace import pace
from backends.simulate import replay
from compiler.design.designer import Chosen
from compiler.design.figures import WAITS
from compiler.design.floor import Floor
from compiler.design.power import paced_ps
from compiler.pipeline import compile_model
from ir.compiled import Compiled
from ir.program import Program
from moexbar.chips import change_chip
from moexbar.designs.files import settings_of
from moexbar.report.designed import DesignFigures


def program_of(floor: Floor, chosen: Chosen) -> Compiled:
    """A chosen chip's program, checked."""
    asked, chip = floor.options, change_chip(floor.chip, settings_of(chosen.design))
    options = replace(
        asked,
        grouping=chosen.design.grouping(asked.grouping),
        placement=chosen.design.placement(asked.placement),
    )
    return compile_model(floor.workload, floor.routing, chip, options)


def program_figures(floor: Floor, chosen: Chosen, done: Compiled) -> DesignFigures:
    """What a program takes, replayed; within a power it waits as long as it must.

    The energy of decode steps is with that of their prefill: steps wait as by the model.
    """
    program = replay(done.program, done.chip).program
    told, decodes = cost(program, done.chip), pace(program)
    area = told.area.total_um2
    if decodes is not None:
        waits = chosen.figures.time_ps if WAITS in chosen.figures.made_of else 0.0
        time = max(decodes.step_ps, waits)
        return DesignFigures(time / 1000, floor.options.shape.batch / time * 1e12, area, None)
    time, energy = float(told.time_ps), told.energy.total_fj
    if floor.power_mw is not None:
        time, energy = _paced(program, done, told, floor.power_mw)
    tokens = floor.options.shape.together / time * 1e12
    dense = None if told.area.missing else gops_per_w_mm2(told.macs, energy, area)
    return DesignFigures(time / 1000, tokens, area, energy / 1e6, energy / time / 1000, dense)


def _paced(program: Program, done: Compiled, told: CostReport, power_mw: int) -> tuple[float, int]:
    """Time, ps, and energy, fJ, where the program waits to keep a power."""
    always_uw = done.chip.memory.passive_uw + cores_uw(program, done.chip)
    work = told.energy.total_fj - always_uw * told.time_ps // 1000
    time = max(told.time_ps, paced_ps(work, power_mw - -(-always_uw // 1000)))
    return float(time), work + always_uw * time // 1000


def model_figures(chosen: Chosen, done: Compiled | None) -> DesignFigures:
    """What a chip takes by the model; operations are those of its program, where there is one."""
    told, macs = chosen.figures, 0
    if done is not None and pace(done.program) is None:
        macs = int(done.program.macs.sum())
    dense = gops_per_w_mm2(macs, told.total_fj, told.total_um2) if macs else None
    return DesignFigures(
        told.time_ps / 1000,
        told.tokens_per_s,
        told.total_um2,
        told.total_fj / 1e6,
        told.total_fj / told.time_ps / 1000,
        dense,
    )


def gops_per_w_mm2(macs: int, energy_fj: int, area_um2: int) -> float:
    """2 x MACs over energy over area: operations per joule (in 1e9) and square millimetre."""
    return 2e12 * macs / energy_fj / area_um2
