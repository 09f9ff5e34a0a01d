"""What a notebook shows: every word escaped, numbers that add up."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

import moexbar as mx
from ir.chip import Chip
from ir.html import folded, table
from moexbar.compilation import Compilation
from tests.make import SMALL_CHIP
from tests.paths import MODELS

HOSTILE = "<script>alert(1)</script>\"'&"


class Read(HTMLParser):
    """The tags and texts of some HTML, entities resolved."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def done() -> Compilation:
    return mx.compile(
        MODELS / "token_choice.onnx", inputs=MODELS / "heldout.npz", prefill=16, execute=False
    )


def test_words_are_text() -> None:
    read = Read(folded(HOSTILE, table(HOSTILE, [HOSTILE], [[HOSTILE], [3]], HOSTILE)))
    assert "script" not in read.tags
    assert read.texts.count(HOSTILE) == 5  # summary, title, column, cell, note
    assert "3" in read.texts


def test_a_chip_shows_every_number_with_its_source() -> None:
    chip: Chip = mx.load_chip("hermes-mux2")
    read = Read(chip._repr_html_())
    for fact in chip.facts:
        assert {fact.path, fact.text, fact.source} <= set(read.texts)
    assert read.texts.count("assumed") == len(chip.assumed) == 44
    named = replace(SMALL_CHIP, description=HOSTILE)
    assert any(HOSTILE in text for text in Read(named._repr_html_()).texts)


def test_a_program_by_opcode_adds_up(done: Compilation) -> None:
    program = done.program
    texts = Read(program._repr_html_()).texts
    rows = [texts[n : n + 4] for n, text in enumerate(texts) if text.isupper()]
    assert sum(int(many.replace(",", "")) for _, many, _, _ in rows) == len(program)
    energy = sum(float(uj.replace(",", "")) for _, _, _, uj in rows)
    assert energy == pytest.approx(program.energy_fj.sum() / 1e9, abs=0.0005 * len(rows))


def test_a_routing_by_layer(done: Compilation) -> None:
    texts = Read(done.routing._repr_html_()).texts
    for row, layer in enumerate(done.routing.layer.tolist()):
        at = texts.index(str(layer))
        pairs = int(done.routing.matrix(row).sum())
        assert texts[at + 1 : at + 3] == ["16", f"{pairs:,}"]


def test_a_comparison_has_a_row_for_each_answer(done: Compilation) -> None:
    found = mx.compare(done.routing, "hermes-mux2", ["sorted", "lpt"], window=128)
    texts = Read(found._repr_html_()).texts
    assert texts.count("sorted") == texts.count("lpt") == len(found.layers) == 2
    for layer in found.layers:
        for row in layer.solvers:
            assert {str(row.score), str(row.certificate.value)} <= set(texts)


def test_a_report_has_a_row_for_each_method_and_layer(done: Compilation) -> None:
    report = done.report
    texts = Read(done._repr_html_()).texts
    assert texts == Read(report._repr_html_()).texts
    for row in report.methods:
        assert row.method in texts
    assert texts.count("optimal (solver)") + texts.count("optimal (bound)") >= len(report.layers)
    assert f"{done.program.makespan_ps / 1e6:.2f}" in texts
