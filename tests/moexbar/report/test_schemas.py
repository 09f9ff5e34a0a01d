"""The JSON Schemas are written, are right, and every command's real output is as they say."""

import copy
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from jsonschema import Draft202012Validator

from moexbar.__main__ import main
from moexbar.chips import preset_names
from moexbar.report.certificates import CertificateRow
from moexbar.report.documents import DOCUMENTS, FILES
from moexbar.report.mapped import MappingFile
from moexbar.report.plain import as_json
from moexbar.report.reading import typed
from moexbar.report.schema import FOLDER, NAMES, document_schema, documented, schema_text
from tests.paths import MODELS, ROOT, TINY


def classes(kind: Any) -> Iterator[type]:
    """The dataclasses in a type, each with those of its fields."""
    if is_dataclass(kind) and isinstance(kind, type):
        yield kind
        for hint in get_type_hints(kind).values():
            yield from classes(hint)
    for inner in get_args(kind):
        yield from classes(inner)


EVERY = sorted(
    {
        one
        for kinds in (*DOCUMENTS.values(), FILES.values())
        for kind in kinds
        for one in classes(kind)
    },
    key=lambda kind: kind.__name__,
)


def problems(name: str, document: object) -> list[str]:
    """Where a document is not as the schema of its command says."""
    errors = Draft202012Validator(document_schema(name)).iter_errors(document)
    return [f"{error.json_path}: {error.message[:200]}" for error in errors]


@pytest.fixture
def printed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command and return the document that it prints."""

    def run(*words: object) -> Any:
        capsys.readouterr()
        assert main([str(word) for word in (*words, "--json")]) == 0
        return json.loads(capsys.readouterr().out)

    return run


@pytest.mark.parametrize("name", NAMES)
def test_written_as_the_dataclasses_say(name: str) -> None:
    path = ROOT / FOLDER / f"{name}.json"
    assert path.read_text(encoding="utf-8") == schema_text(name), "run `make schemas`"
    Draft202012Validator.check_schema(json.loads(schema_text(name)))


def test_no_other_is_written_and_all_are_linked() -> None:
    assert {path.stem for path in (ROOT / FOLDER).iterdir()} == set(NAMES)
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert f"(schemas/{name}.json)" in page


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_field_is_documented(kind: type) -> None:
    whole, told = documented(kind)
    assert whole
    assert list(told) == [field.name for field in fields(kind)]


def test_names_of_parts_are_unique() -> None:
    """A part of a schema goes by its class's name alone."""
    names = [kind.__name__ for kind in EVERY]
    assert len(names) == len(set(names))


def test_a_field_says_its_unit() -> None:
    parts = document_schema("compile")["$defs"]
    method = parts["MethodRow"]["properties"]
    units = {name: said["unit"] for name, said in method.items() if "unit" in said}
    times = dict.fromkeys(
        ("moe_time_ns", "time_ns", "time_bound_ns", "critical_path_ns", "segments_ns"), "ns"
    )
    assert units == times | {
        "energy_nj": "nJ",
        "area_mm2": "mm2",
        "moe_area_mm2": "mm2",
        "moe_gops_per_mm2": "GOPS/mm2",
        "gops_per_w_mm2": "GOPS/W/mm2",
        "compile_seconds": "s",
    }
    assert parts["Memory"]["properties"]["kv_bytes"]["unit"] == "bytes"


def test_what_a_schema_refuses(folder: Path) -> None:
    report = json.loads((folder / "report.json").read_text())
    assert problems("compile", report) == []

    def changed(change: Any) -> list[str]:
        other = copy.deepcopy(report)
        change(other)
        return problems("compile", other)

    assert changed(lambda r: r.update(schema=1)) == ["$.schema: 2 was expected"]
    (wrong,) = changed(lambda r: r["methods"][0].pop("time_ns"))
    assert wrong == "$.methods[0]: 'time_ns' is a required property"
    (wrong,) = changed(lambda r: r["window"].update(fit_tokens=[0]))
    assert wrong.startswith("$.window.fit_tokens: [0] is too short")
    (wrong,) = changed(lambda r: r["layers"][0]["grouping"].update(status="perfect"))
    assert wrong.startswith("$.layers[0].grouping.status: 'perfect' is not one of")
    (wrong,) = changed(lambda r: r.update(executed={"why": "not"}))
    assert wrong.startswith("$.executed: ")


def test_compile(folder: Path) -> None:
    assert problems("compile", json.loads((folder / "report.json").read_text())) == []


def test_mapping_json(folder: Path) -> None:
    mapping = json.loads((folder / "mapping.json").read_text())
    assert problems("mapping", mapping) == []

    def changed(change: Any) -> list[str]:
        other = copy.deepcopy(mapping)
        change(other)
        return problems("mapping", other)

    (wrong,) = changed(lambda m: m["blocks"][0].pop("pg_start"))
    assert wrong == "$.blocks[0]: 'pg_start' is a required property"
    (wrong,) = changed(lambda m: m["blocks"][0].update(role="side"))
    assert wrong.startswith("$.blocks[0].role: 'side' is not one of")
    (wrong,) = changed(lambda m: m["blocks"][0]["spots"].update(corner=[0, 0]))
    assert wrong.startswith("$.blocks[0].spots.corner: [0, 0] is too short")
    (wrong,) = changed(lambda m: m["pg_core"].append([0, 1, 2]))
    assert "$.pg_core[" in wrong
    # what a value reads back to is what was written: no key is missing in the dataclasses
    assert as_json(typed(MappingFile, mapping, "mapping.json")) == mapping


def test_compile_without_execution(folder: Path, tmp_path: Path, printed: Any) -> None:
    words = ["--routing", folder / "routing.npz", "--prefill", 8, "-o", tmp_path / "out"]
    found = printed("compile", TINY / "model.onnx", *words)
    assert found["executed"] == {"skipped": "no --inputs"}
    assert len(found["methods"]) == 9
    assert problems("compile", found) == []


def test_model_and_profile(tmp_path: Path, printed: Any) -> None:
    assert problems("model", printed("model", TINY / "model.onnx")) == []
    assert problems("model", printed("model", MODELS / "expert_choice.onnx")) == []
    words = ["--inputs", TINY / "inputs.npz", "--tokens", 4, "-o", tmp_path / "routing.npz"]
    assert problems("profile", printed("profile", TINY / "model.onnx", *words)) == []


def test_inspect(folder: Path, printed: Any) -> None:
    plain = printed("inspect", folder, "--limit", 9)
    assert problems("inspect", plain) == []
    assert {"waits_ps", "waited_for"}.isdisjoint(plain["instructions"][0])
    waits = printed("inspect", folder, "--waits", "--group-by", "unit")
    assert problems("inspect", waits) == []
    assert {"waits_ps", "waited_for"} <= set(waits["instructions"][0])
    assert waits["groups"]


def test_simulate(folder: Path, printed: Any) -> None:
    replayed, slower = printed("simulate", folder), printed("simulate", folder, "--scale", "MVM=2")
    assert problems("simulate", replayed) == problems("simulate", slower) == []
    assert "waits" not in replayed
    waits = printed("simulate", folder, "--waits")
    assert problems("simulate", waits) == []
    assert waits["waits"]
    assert waits["pairs"]


def test_verify_and_accuracy(folder: Path, printed: Any) -> None:
    found = printed("verify", folder)
    assert problems("verify", found) == []
    assert set(found) - {"schema"} == set(
        json.loads((folder / "report.json").read_text())["executed"]
    )
    words = ["--sequences", 1, "--tokens", 8, "--adc-bits", "ideal"]
    ideal = printed("accuracy", folder, *words)
    assert problems("accuracy", ideal) == []
    assert ideal["settings"]["adc_bits"] is None


CERTIFICATE = [field.name for field in fields(CertificateRow)]


def test_what_a_trace_tells_has_one_dialect(folder: Path, tmp_path: Path, printed: Any) -> None:
    """The keys of a certificate are the same in report.json, group and compare."""
    trace, window = folder / "routing.npz", ["--window", 8, "--shuffles", 0]
    grouped = printed("group", trace, "--grouping", "lpt", *window)
    assert problems("group", grouped) == []
    compared = printed("compare", trace, "--solvers", "lpt,sorted", *window, "-o", tmp_path / "c")
    assert problems("compare", compared) == []
    assert json.loads((tmp_path / "c" / "compare.json").read_text()) == compared
    report = json.loads((folder / "report.json").read_text())
    for certificate in (
        report["layers"][0]["grouping"],
        report["placement"]["traffic"],
        grouped["layers"][0],
        compared["layers"][0]["solvers"][0],
    ):
        assert [key for key in certificate if key in CERTIFICATE] == CERTIFICATE
    # the slot order of a window, with what only `schedule` tells of it
    (tmp_path / "groups.json").write_text(json.dumps(grouped))
    words = ["--grouping-file", tmp_path / "groups.json", "--window", 8, "--score", "0:0.1"]
    scheduled = printed("schedule", trace, *words)
    assert problems("schedule", scheduled) == []
    order = scheduled["windows"][0]
    assert set(order) == {*report["layers"][0]["schedule"], "first_token", "seconds"}
    tables = printed("schedule", trace, *words, "--table")
    assert problems("schedule", tables) == []
    assert len(tables["windows"][0]["table"]) == order["slots"]
    arriving = printed("schedule", trace, *words, "--arrivals", "one-per-slot")
    assert problems("schedule", arriving) == []
    assert set(arriving["windows"][0]) == {*order, "delay"}


def test_chips(printed: Any) -> None:
    assert problems("chips", printed("chips")) == []
    for name in preset_names():
        assert problems("chips", printed("chips", name)) == []


def test_example(tmp_path: Path, printed: Any) -> None:
    schema = document_schema("example")
    for name, form in zip(("tiny", "llama-moe-3.5b"), schema["anyOf"], strict=True):
        found = printed("example", name, "-o", tmp_path / name)
        assert problems("example", found) == []
        # the form of large ones has all keys of the other, so either must be looked at by itself
        own = Draft202012Validator(form | {"$defs": schema["$defs"]})
        assert not list(own.iter_errors(found))
    del found["data_bytes"]
    assert list(own.iter_errors(found))
