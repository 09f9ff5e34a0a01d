"""A model whose every name is an attack: wherever its names come out, they are words."""

import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import onnx
import pytest

import moexbar as mx
from ir.onnxdoor.annotate import LEFT_OUT
from moexbar.__main__ import main
from moexbar.report.reading import read_report
from tests.paths import TINY

ATTACK = "=cmd|'/c x'!A1</script><img src=x onerror=alert(1)>[red]x[/y]{{7*7}}$(id)../../up"
FILE = "=cmd|'x'!A1<img src=x onerror=alert(1)>[red]x[bold]{{7*7}}$(id)"  # the model's own name
FILES = "report,program,mapping,routing,listing,trace,annotated,page"
REMOTE = re.compile(r"(?:https?|file|data|javascript):")


@dataclass(frozen=True)
class Out:
    """What was written of the model."""

    model: Path
    folder: Path
    dump: Path


def renamed(path: Path) -> None:
    """The shipped small model, an attack and a number as the name of every node and inner value."""
    proto = onnx.load(TINY / "model.onnx")
    names = {"": "", "input_ids": "input_ids"}

    def new(old: str) -> str:
        return names.setdefault(old, f"{ATTACK}{len(names)}")

    for node in proto.graph.node:
        node.name = new(f"node {node.name}")
        node.input[:] = [new(name) for name in node.input]
        node.output[:] = [new(name) for name in node.output]
    for held in (*proto.graph.initializer, *proto.graph.output):
        held.name = new(held.name)
    del proto.graph.value_info[:]
    onnx.save(proto, path)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Out:
    folder = tmp_path_factory.mktemp("sinks")
    model = folder / f"{FILE}.onnx"
    renamed(model)
    words = ["compile", str(model), "--inputs", str(TINY / "inputs.npz"), "--prefill", "16"]
    words += ["--chip", "hermes-mux2", "--baselines", "paper", "--write", FILES]
    words += ["--dump-dir", str(folder / "dump"), "-o", str(folder / "out")]
    assert main(words) == 0
    return Out(model, folder / "out", folder / "dump")


@pytest.mark.parametrize(
    "words",
    [
        ["inspect", "OUT"],
        ["inspect", "OUT", "--waits", "--group-by", "unit"],
        ["simulate", "OUT"],
        ["verify", "OUT"],
        ["model", "MODEL"],
    ],
    ids=" ".join,
)
def test_a_terminal(words: list[str], out: Out, capsys: pytest.CaptureFixture[str]) -> None:
    places = {"OUT": str(out.folder), "MODEL": str(out.model)}
    assert main([places.get(word, word) for word in words]) == 0
    said = capsys.readouterr()
    assert all(line.isprintable() for line in (said.out + said.err).split("\n"))
    assert words[0] != "model" or FILE in said.out  # no mark-up was taken from it


@pytest.mark.parametrize(
    "words", [["verify", "out", "a\u202eb"], ["--\u202e"], ["compile\x1b[2J"], ["plot", "\x9b2J"]]
)
def test_what_is_said_of_typed_words(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """They may be names of files that a shell put in: `moexbar verify *`."""
    assert main(words) == 2
    assert all(line.isprintable() for line in capsys.readouterr().err.split("\n"))


def test_texts(out: Out) -> None:
    """Of the program and of every stage; the names of the operators are among them."""
    for path in (out.folder / "listing.txt", *out.dump.glob("*.txt")):
        assert all(line.isprintable() for line in path.read_text().split("\n"))
    assert ATTACK[:40] in (out.dump / "1-workload.txt").read_text()  # long ones are cut


@pytest.mark.parametrize("name", ["report.json", "mapping.json", "trace.json", "manifest.json"])
def test_documents(name: str, out: Out) -> None:
    json.loads((out.folder / name).read_text())


class Elements(HTMLParser):
    """The elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.names.append(tag)


def elements(page: str) -> list[str]:
    found = Elements()
    found.feed(page)
    return found.names


def test_the_page(out: Out) -> None:
    page = (out.folder / "report.html").read_text()
    assert "img" not in elements(page)
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_what_a_notebook_shows(out: Out) -> None:
    shown = read_report(out.folder / "report.json")._repr_html_()
    assert "img" not in elements(shown)
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


@pytest.mark.parametrize("kind", ["timeline-window", "weights", "energy", "floorplan"])
@pytest.mark.parametrize("form", ["svg", "json"])
def test_a_picture(kind: str, form: str, out: Out, tmp_path: Path) -> None:
    """No element of a picture runs or fetches anything."""
    mx.plot(out.folder, kind, tmp_path / f"picture.{form}")
    (path, *_) = sorted(tmp_path.iterdir())
    if form == "json":
        json.loads(path.read_text())
        return
    for element in ElementTree.parse(path).iter():  # noqa: S314 - it is ours
        assert element.tag.rpartition("}")[2] not in ("script", "image", "foreignObject", "a")
        for key, value in element.attrib.items():
            assert not key.startswith("on")
            assert key.rpartition("}")[2] != "href" or value.startswith("#")
            assert key == "d" or not REMOTE.match(value)


def test_the_annotated_model(out: Out) -> None:
    """It is a graph without weights: the only place that it names is that of none."""
    proto = onnx.load(out.folder / "annotated.onnx", load_external_data=False)
    assert any(ATTACK in node.name for node in proto.graph.node)
    places = [entry for tensor in proto.graph.initializer for entry in tensor.external_data]
    assert {(entry.key, entry.value) for entry in places} == {("location", LEFT_OUT)}


def test_names_of_files(out: Out) -> None:
    """None has a word of the model's names, and nothing lies beside what was asked for."""
    for path in (*out.folder.rglob("*"), *out.dump.rglob("*")):
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", path.name)
    asked = {out.model.name, out.folder.name, out.dump.name}
    assert {path.name for path in out.model.parent.iterdir()} == asked
