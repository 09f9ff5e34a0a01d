"""`import moexbar as mx`: what a user of the library does, and that nothing is done twice."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

import moexbar as mx
import moexbar.model
from ir.mapping import Grouping
from ir.onnxdoor import load
from ir.onnxdoor.processes.session import Runtime
from moexbar.__main__ import main
from moexbar.cli.compile_text import print_compiled
from moexbar.report.executed import Executed
from tests.paths import MODELS, ROOT

HEAVY = ("numpy", "numba", "onnx", "onnx_ir", "onnxruntime", "ortools", "pyarrow", "rich", "typer")


@pytest.fixture(scope="module")
def model() -> mx.Model:
    return mx.open_model(MODELS / "token_choice.onnx")


@pytest.fixture(scope="module")
def done(model: mx.Model) -> mx.Compilation:
    return mx.compile(
        model, "hermes-mux2", inputs=MODELS / "heldout.npz", prefill=16, baselines="none"
    )


def test_importing_moexbar_imports_nothing_heavy() -> None:
    program = f"import sys, moexbar; print(*[m for m in {HEAVY} if m in sys.modules])"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert told.stdout.strip() == ""


def test_every_public_name_is_there_and_documented() -> None:
    for name in mx.__all__:
        if name != "__version__":
            assert getattr(mx, name).__doc__, name
    assert set(mx.__all__) <= set(dir(mx))
    with pytest.raises(AttributeError, match="no attribute 'compil'"):
        mx.compil  # noqa: B018 - asked for on purpose


def test_no_public_name_is_a_module_which_would_hide_it_once_imported() -> None:
    modules = {module.name for module in iter_modules(mx.__path__)}
    assert modules & set(mx.__all__) == set()
    assert "compilation" in modules


def test_another_chip_is_compiled_from_the_same_routing(
    model: mx.Model, done: mx.Compilation
) -> None:
    wider = mx.load_chip("hermes-mux2", {"pg.mux": 4})
    other = mx.compile(model, wider, routing=done.routing, prefill=16, baselines="none")
    assert (done.chip.pg.mux, other.chip.pg.mux) == (2, 4)
    sizes = [max(len(g) for g in layer.groups) for layer in other.compiled.mapping.grouping.layers]
    assert sizes == [4, 4]


def test_what_was_set_of_a_chip_is_said_wherever_it_is_named(
    model: mx.Model,
    done: mx.Compilation,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    chip = mx.load_chip("hermes-mux2", {"pg.mux": 4, "mvm.read_ns": 260})
    title = "hermes-mux2 with pg.mux = 4, mvm.read_ns = 260"
    assert repr(chip) == f"<Chip {title}: crossbars of 256 x 256 cells, mux 4>"
    made = mx.compile(model, chip, routing=done.routing, prefill=16, baselines="none")
    assert repr(made.compiled).startswith(f"<Compiled token_choice on {title}: ")
    out = tmp_path / "out"
    print_compiled(made, out)
    told = capsys.readouterr().out.replace("\n", " ")
    assert f"token_choice on {title}: prefill of 16 tokens" in told
    counted = f"{len(chip.assumed)} chip numbers are assumed, 2 of them set here"
    assert f"{counted} (pg.mux = 4, mvm.read_ns = 260)" in told

    made.save(out)
    changes = [{"key": "pg.mux", "value": "4"}, {"key": "mvm.read_ns", "value": "260"}]
    assert json.loads((out / "report.json").read_text())["chip"]["changes"] == changes
    assert json.loads((out / "manifest.json").read_text())["inputs"]["chip"]["changes"] == changes
    assert mx.read_compiled(out, inputs=MODELS / "heldout.npz").executable.chip.title == title
    assert main(["simulate", str(out)]) == 0
    assert f"instructions on {title}: all times hold" in capsys.readouterr().out.replace("\n", " ")
    assert main(["simulate", str(out), "--set", "mvm.read_us=1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == [
        {"key": "pg.mux", "value": "4"},
        {"key": "mvm.read_us", "value": "1"},
    ]


def test_a_program_is_a_table_with_units_by_name(done: mx.Compilation) -> None:
    frame = done.program.to_pandas()
    assert len(frame) == len(done.program)
    busy = frame.groupby("unit", observed=True).busy_ps.sum()
    unit = done.program.units[int(done.program.unit[0])].name
    mine = done.program.unit == done.program.unit[0]
    assert busy[unit] == int(done.program.busy_ps[mine].sum())
    assert frame.end_ps.max() == done.program.makespan_ps
    assert frame.src.isna().sum() == int((done.program.src < 0).sum())
    loads = frame[frame.opcode == "LOAD"]
    assert {name for names in loads.dst for name in names} <= set(busy.index)


def test_a_routing_trace_is_a_table_of_pairs(done: mx.Compilation) -> None:
    # 64 sequences of 16 tokens, of which each goes to 4 experts in each of 2 layers
    table = done.routing.to_arrow()
    assert table.num_rows == 2 * done.routing.tokens * 4
    assert table["layer"].unique().to_pylist() == [1, 3]
    first = table.slice(0, 4).to_pydict()
    assert first["token"] == [0] * 4
    assert sum(first["weight"]) == pytest.approx(1, abs=1e-6)


def test_reprs_fit_a_line(model: mx.Model, done: mx.Compilation) -> None:
    made = done.compiled
    values = (model, done, made, made.workload, made.mapping, made.schedule, made.program)
    for value in (*values, done.chip, done.routing, made.schedule.prefill.layers[0].order):
        assert len(repr(value)) <= 140, repr(value)
    assert repr(done) == f"<Compilation{repr(made).removeprefix('<Compiled')}"


def test_a_compilation_opens_the_model_once_and_starts_one_child(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opened: list[Path] = []
    children: list[Runtime] = []

    def open_once(path: Path | str, *given: Any, **named: Any) -> load.Source:
        opened.append(Path(path))
        return real_open(path, *given, **named)

    class Counted(Runtime):
        def __init__(self, *given: Any, **named: Any) -> None:
            children.append(self)
            super().__init__(*given, **named)

    real_open = load.open_model
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in ("ir", "compiler", "backends", "moexbar"):
            for attribute, value in list(vars(module).items()):
                if value is real_open:
                    monkeypatch.setattr(module, attribute, open_once)
                if value is Runtime:
                    monkeypatch.setattr(module, attribute, Counted)
    path = MODELS / "token_choice.onnx"
    done = mx.compile(path, inputs=MODELS / "heldout.npz", prefill=16, baselines="none")
    done.save(tmp_path / "out")
    assert opened == [path]
    assert len(children) == 1
    assert isinstance(done.report.executed, Executed)
    assert done.report.executed.worst is not None
    assert done.report.executed.worst < 1e-4
    assert vars(moexbar.model)["Runtime"] is Counted


def test_a_folder_is_executed_again_from_python(done: mx.Compilation, tmp_path: Path) -> None:
    done.save(tmp_path / "out", write=("report", "program", "mapping", "routing"))
    assert not (tmp_path / "out" / "trace.json").exists()
    again = mx.read_compiled(tmp_path / "out")
    assert again.execute().worst < 1e-4


def test_only_what_is_asked_for_is_written(done: mx.Compilation, tmp_path: Path) -> None:
    done.save(tmp_path / "out", write=("listing",))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "listing.txt",
        "manifest.json",
    ]


def test_groups_decided_elsewhere_are_compiled(model: mx.Model, done: mx.Compilation) -> None:
    before = done.compiled.mapping.grouping
    layers = tuple(
        replace(layer, solver="mine", groups=layer.groups[::-1]) for layer in before.layers
    )
    again = mx.compile(
        model,
        "hermes-mux2",
        routing=done.routing,
        prefill=16,
        grouping=Grouping(layers),
        baselines="none",
    )
    assert again.compiled.mapping.grouping.layers == layers
    assert again.report.methods[-1].grouping == "mine"


def test_a_trace_alone_is_grouped_and_scheduled(done: mx.Compilation) -> None:
    # 64 sequences of 16 tokens, in windows of 64: 16 of them; 16 experts in pairs
    options = mx.GroupingOptions("sorted")
    grouping = mx.group(done.routing, "hermes-mux2", options=options, window=64)
    assert [len(layer.groups) for layer in grouping.layers] == [8, 8]
    orders = mx.schedule(done.routing, grouping, 3, window=64)
    assert len(orders) == 16
    assert all(order.slots >= order.slots_bound > 0 for order in orders)
    mine = mx.schedule(done.routing, grouping, 3, window=64, options=mx.SlotOptions("compact"))
    assert all(a.transfers <= b.transfers for a, b in zip(orders, mine, strict=True))


def test_a_program_is_simulated_and_verified_from_python(
    done: mx.Compilation, tmp_path: Path
) -> None:
    made = done.compiled
    assert mx.simulate(made).program.makespan_ps == made.program.makespan_ps
    slower = mx.simulate(made, scale={"MVM": 2.0})
    assert slower.program.makespan_ps > made.program.makespan_ps
    done.save(tmp_path / "out")
    assert mx.simulate(tmp_path / "out").program.makespan_ps == made.program.makespan_ps
    assert mx.verify(tmp_path / "out").worst < 1e-4


def test_what_group_prints_is_what_compile_takes(
    model: mx.Model,
    done: mx.Compilation,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    trace, groups = tmp_path / "r.npz", tmp_path / "groups.json"
    mx.save_routing(trace, done.routing)
    assert main(["group", str(trace), "--window", "64", "--grouping", "lpt", "--json"]) == 0
    groups.write_text(capsys.readouterr().out)
    words = ["compile", str(model.path), "--routing", str(trace), "--prefill", "16"]
    words += ["--no-baselines", "--write", "report", "-o", str(tmp_path / "out")]
    assert main([*words, "--grouping-file", str(groups)]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    printed = json.loads(groups.read_text())["layers"]
    assert [layer["groups"] for layer in report["layers"]] == [row["groups"] for row in printed]
    assert report["methods"][-1]["grouping"] == "file"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "report.json",
        "times.json",
    ]
