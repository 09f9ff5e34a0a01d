"""The program of a chosen chip for a model, and what it takes."""

from dataclasses import dataclass, replace

from backends.cost import CostReport, cores_uw, cost
from backends.pace import pace
from backends.simulate import replay
from compiler.design.choices import Design
from compiler.design.figures import WAITS, Figures
from compiler.design.floor import Floor
from compiler.design.power import paced_ps
from compiler.pipeline import compile_model
from ir.compiled import Compiled
from ir.program import Program
from moexbar.chips import change_chip
from moexbar.designs.files import settings_of
from moexbar.report.designed import DesignFigures


@dataclass(frozen=True, eq=False)
class Programmed:
    """A model's program, and what it takes, replayed.

    area_um2: by kind; macs: operations of its prefill, 0 with decode steps.
    """

    compiled: Compiled
    figures: DesignFigures
    area_um2: dict[str, int]
    macs: int = 0


def program_of(floor: Floor, design: Design) -> Compiled:
    """A chosen chip's program, checked."""
    asked, chip = floor.options, change_chip(floor.chip, settings_of(design))
    options = replace(
        asked,
        grouping=design.grouping(asked.grouping),
        placement=design.placement(asked.placement),
    )
    return compile_model(floor.workload, floor.routing, chip, options)


def programmed(floor: Floor, design: Design, model: Figures) -> Programmed:
    """A design's program and what it takes; within a power it waits as long as it must.

    The energy of decode steps is with that of their prefill: steps wait as by the model.
    """
    done = program_of(floor, design)
    program = replay(done.program, done.chip).program
    told, decodes = cost(program, done.chip), pace(program)
    area, parts = told.area.total_um2, told.area.parts_um2
    if decodes is not None:
        waits = model.time_ps if WAITS in model.made_of else 0.0
        time = max(decodes.step_ps, waits)
        rate = floor.options.shape.batch / time * 1e12
        return Programmed(done, DesignFigures(time / 1000, rate, area, None), parts)
    time, energy = float(told.time_ps), told.energy.total_fj
    if floor.power_mw is not None:
        time, energy = _paced(program, done, told, floor.power_mw)
    tokens = floor.options.shape.together / time * 1e12
    dense = None if told.area.missing else gops_per_w_mm2(told.macs, energy, area)
    took = DesignFigures(time / 1000, tokens, area, energy / 1e6, energy / time / 1000, dense)
    return Programmed(done, took, parts, told.macs)


def _paced(program: Program, done: Compiled, told: CostReport, power_mw: int) -> tuple[float, int]:
    """Time, ps, and energy, fJ, where the program waits to keep a power."""
    always_uw = done.chip.memory.passive_uw + cores_uw(program, done.chip)
    work = told.energy.total_fj - always_uw * told.time_ps // 1000
    time = max(told.time_ps, paced_ps(work, power_mw - -(-always_uw // 1000)))
    return float(time), work + always_uw * time // 1000


def model_figures(told: Figures, macs: float) -> DesignFigures:
    """What a chip takes by the model; macs: of its program, 0 where there is none."""
    dense = gops_per_w_mm2(macs, told.total_fj, told.total_um2) if macs else None
    return DesignFigures(
        told.time_ps / 1000,
        told.tokens_per_s,
        told.total_um2,
        told.total_fj / 1e6,
        told.total_fj / told.time_ps / 1000,
        dense,
    )


def gops_per_w_mm2(macs: float, energy_fj: float, area_um2: int) -> float:
    """2 x MACs over energy over area: operations per joule (in 1e9) and square millimetre."""
    return 2e12 * macs / energy_fj / area_um2
