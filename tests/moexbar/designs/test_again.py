"""Chips whose programs keep what was asked, where the model says too little."""

from dataclasses import replace

import pytest

from compiler.design.choices import Menu
from compiler.design.designer import Chosen, Designer
from compiler.design.problem import Asked
from compiler.options import Shape
from ir.compiled import Compiled
from ir.errors import InfeasibleError
from moexbar.designs import again
from moexbar.designs.again import TRIES, Limits, Tried, best_that_keeps
from moexbar.designs.programs import Programmed
from moexbar.progress import Quiet
from moexbar.report.designed import DesignFigures
from tests.compiler.design.make import floor_of, program_of, streaming

MENU = Menu((1, 2), (1, 2), (1, 4), (1, 2), (1, 2), (1, 3), (1,))
FLOOR = floor_of(streaming(), Shape(16))


def slower(monkeypatch: pytest.MonkeyPatch, percent: int, least_ps: int = 0) -> None:
    """Programs that take so much longer than the model says, and at least so long."""

    def tried(designer: Designer, chosen: Chosen, limits: Limits) -> Tried:
        told = chosen.figures
        time = max(told.time_ps * (100 + percent) / 100, least_ps)
        done: Compiled = program_of(designer.mix.floors[0], chosen.design)
        figures = DesignFigures(time / 1000, 1.0, told.total_um2, told.total_fj / 1e6)
        return Tried(chosen, (Programmed(done, figures, {}),), figures, limits)

    monkeypatch.setattr(again, "tried_of", tried)


def test_a_chip_that_keeps_what_was_asked_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slower(monkeypatch, 0)
    fast = Designer(FLOOR, MENU).best(Asked("time")).figures.time_ps
    asked = Asked("area", (("time", 2 * fast),))
    found = best_that_keeps(Designer(FLOOR, MENU), asked, Quiet())
    assert found.again == ()
    assert found.chosen.figures == Designer(FLOOR, MENU).best(asked).figures


def test_less_is_asked_of_the_model_by_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs take a tenth more: of T the model may take T / 1.1, which is asked next.

    T is what the least chip of some time takes, so its program takes more.
    """
    slower(monkeypatch, 10)
    fast = Designer(FLOOR, MENU).best(Asked("time")).figures.time_ps
    small = Designer(FLOOR, MENU).best(Asked("area", (("time", 2 * fast),)))
    most = small.figures.time_ps
    found = best_that_keeps(Designer(FLOOR, MENU), Asked("area", (("time", most),)), Quiet())
    assert found.figures.time_ns * 1000 <= most
    row = found.again[0]
    assert (row.quantity, row.of_model, row.most) == ("time", most, most)
    assert row.took > most
    best = Designer(FLOOR, MENU).best(Asked("area", (("time", int(most / 1.1)),)))
    assert found.chosen.figures.total_um2 == best.figures.total_um2


def test_limits_between_are_tried_where_less_was_asked_than_need_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only the first chip's program takes 3 times what it may: a third of the time is asked next.

    The chip for that is dearer than one for half way between, which keeps the limit as well.
    """
    designer = Designer(FLOOR, MENU)
    fast = designer.best(Asked("time")).figures.time_ps
    first = designer.best(Asked("area", (("time", 4 * fast),)))
    most = first.figures.time_ps

    def tried(designer: Designer, chosen: Chosen, limits: Limits) -> Tried:
        told = chosen.figures
        time = told.time_ps * (most / fast if told == first.figures else 1)
        done: Compiled = program_of(designer.mix.floors[0], chosen.design)
        figures = DesignFigures(time / 1000, 1.0, told.total_um2, told.total_fj / 1e6)
        return Tried(chosen, (Programmed(done, figures, {}),), figures, limits)

    monkeypatch.setattr(again, "tried_of", tried)
    found = best_that_keeps(designer, Asked("area", (("time", most),)), Quiet())
    dear = designer.best(Asked("area", (("time", fast),)))
    assert len(found.again) >= 1
    assert first.figures.total_um2 <= found.chosen.figures.total_um2
    assert found.chosen.figures.total_um2 < dear.figures.total_um2


def test_where_no_program_keeps_it_the_nearest_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs that take as long whatever is asked: after so many tries, or where less is none."""
    fast = Designer(FLOOR, MENU).best(Asked("time")).figures.time_ps
    slower(monkeypatch, 0, 3 * fast)
    found = best_that_keeps(Designer(FLOOR, MENU), Asked("area", (("time", 2 * fast),)), Quiet())
    assert found.figures.time_ns * 1000 == 3 * fast
    assert 1 <= len(found.again) <= TRIES
    assert found.over((("time", 2 * fast),)) == {"time": pytest.approx(0.5)}


def test_what_not_even_the_model_keeps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    slower(monkeypatch, 0)
    with pytest.raises(InfeasibleError, match="time of a design"):
        best_that_keeps(Designer(FLOOR, MENU), Asked("area", (("time", 1),)), Quiet())


def test_energy_of_decode_steps_is_the_models() -> None:
    """Of a program it is with the prefill's, so it is not what a step takes."""
    chosen = Designer(FLOOR, MENU).best(Asked("time"))
    done = program_of(FLOOR, chosen.design)
    told = DesignFigures(1.0, 1.0, 1, None)
    tried = Tried(chosen, (Programmed(done, told, {}),), told)
    assert tried.took("energy") == chosen.figures.total_fj
    assert replace(tried, figures=replace(told, energy_nj=2.0)).took("energy") == 2e6
