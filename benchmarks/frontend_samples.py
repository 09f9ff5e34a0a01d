"""Check the front end on a folder of ONNX files, each with its inputs in an .npz beside it.

For every file: the MoE layers found, against the table in the folder's README.md where there is
one; the recorded routing, against one computed anew in numpy (`frontend_router`); the compilation
on a chip, whose program the verifier checks and which is executed against ONNX Runtime, with the
last tokens as decode steps where the model can. One line each; exit code 1 if anything is wrong.

    python -m benchmarks.frontend_samples --models DIR
"""

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.frontend_router import Agreement, compare_expert_choice, compare_token_choice
from compiler.frontend import read_model
from compiler.frontend.facts.graph import Graph
from compiler.frontend.read import survey_model
from compiler.profiling.feeds import Feeds, load_inputs
from compiler.profiling.profile import profile
from ir.arrays import Array
from ir.errors import InputError
from ir.onnxdoor.extract import with_outputs
from ir.onnxdoor.load import Source, open_model
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.weights import load_bias, load_weight
from ir.routing import Routing
from ir.workload import MoELayer, Weight, Workload
from moexbar.__main__ import main as moexbar

NEAR = {32: 1e-5, 16: 2e-2}  # relative distance of scores that may be ordered either way, by bits
STEPS = 4  # decode steps executed
PRODUCTS = ("MatMul", "Gemm", "FusedMatMul", "MatMulNBits")


@dataclass(frozen=True)
class Expected:
    """A row of the catalogue: layers, experts, top-k or capacity, router anchor, expert form."""

    layers: int
    experts: str
    takes: str
    router: str
    form: str


@dataclass
class Line:
    """What was seen of one file; `faults` says what is wrong with it."""

    name: str
    found: str = "-"
    routing: str = "-"
    compiled: str = "-"
    faults: list[str] = field(default_factory=list)


def catalogue(folder: Path) -> dict[str, Expected]:
    """The rows of the README's table whose first cell is a file's stem."""
    readme, out = folder / "README.md", {}
    for line in readme.read_text(encoding="utf-8").splitlines() if readme.exists() else ():
        cells = [cell.strip() for cell in line.strip().removeprefix("|").split("|")]
        if len(cells) > 6 and (folder / f"{cells[0]}.onnx").exists():
            out[cells[0]] = Expected(int(cells[1]), *cells[2:6])
    return out


def differences(workload: Workload, expected: Expected) -> list[str]:
    """What the layers found have other than the catalogue says."""
    faults = []
    if len(workload.moe_layers) != expected.layers:
        faults.append(f"{len(workload.moe_layers)} MoE layers, expected {expected.layers}")
    for layer in workload.moe_layers:
        router, first = layer.router, layer.experts[0]
        taken = str(router.top_k)
        if router.capacity is not None and router.capacity.constant is not None:
            taken = f"capacity {router.capacity.constant}"
        stacked = "stacked3d" if first.up.index is not None else "per-expert"
        layout = "interleaved" if first.up.step == 2 else ""
        anchor = expected.router.partition(" ")[0]
        said = {
            "experts": (expected.experts, str(router.experts) == expected.experts),
            "top-k": (expected.takes, taken == expected.takes),
            "router": (anchor, _fits_anchor(layer, anchor)),
        }
        if anchor not in ("MoE", "QMoE"):  # the operator says nothing about how it is made up
            plain = "plain" in expected.form
            said["experts stacked or single"] = (expected.form, stacked in expected.form)
            said["columns"] = (expected.form, layout in expected.form)
            said["gate"] = (expected.form, plain != layer.gated)
        seen = [(what, fine or not cell) for what, (cell, fine) in said.items()]
        faults += [f"{layer.name}: other {what}" for what, fine in seen if not fine]
    return faults


def _fits_anchor(layer: MoELayer, anchor: str) -> bool:
    if anchor in ("MoE", "QMoE"):
        return layer.form == anchor
    if anchor in ("ArgMax", "expert"):
        return layer.router.kind.startswith(anchor.lower())
    return layer.router.kind.endswith(("topk", "softmax"))


class Recomputed:
    """The routers of one model on its inputs, computed anew."""

    def __init__(
        self,
        path: Path,
        workload: Workload,
        layers: Sequence[MoELayer],
        inputs: dict[str, Array],
    ) -> None:
        self._source: Source = open_model(path)
        self._nodes = {node.name: node for node in self._source.graph}
        feeds = Feeds(Graph.of(self._source), workload, inputs, None)
        products = [self._product(layer) for layer in layers]
        self.weights = [
            layer.router.projection or _last_matrix(layer, product)
            for layer, product in zip(layers, products, strict=True)
        ]
        wanted = list(dict.fromkeys(product.inputs[0].name for product in products))
        with Runtime() as runtime:
            model = runtime.load(with_outputs(self._source, wanted), str(path))
            runs = [model.run(feeds.of(g), wanted) for g in feeds.groups(feeds.sequences)]
        self._read = [
            [run[product.inputs[0].name] for run in runs] for product in products
        ]  # per layer, per run

    def _product(self, layer: MoELayer) -> Any:
        """The last product of the router's own nodes: the one with its matrix."""
        found = [self._nodes[name] for name in layer.router.nodes if name in self._nodes]
        products = [node for node in found if node.op_type in PRODUCTS]
        if not products:
            raise InputError(layer.name, "its router has no matrix product of its own")
        return products[-1]

    def logits(self, row: int, weight: Weight) -> list[Array]:
        """[tokens, experts] for each sequence."""
        matrix, bias = load_weight(self._source, weight), load_bias(self._source, weight)
        flat = [x.reshape(-1, weight.rows).astype(np.float64) for x in self._read[row]]
        added = 0 if bias is None else bias.astype(np.float64)
        return [x @ matrix.astype(np.float64) + added for x in flat]

    def biases(self, layer: MoELayer) -> list[Array]:
        """Stored vectors of one number per expert that the router's nodes read."""
        found: dict[str, Array] = {}
        own = layer.router.projection.bias if layer.router.projection is not None else None
        todo = [self._nodes[n] for n in layer.router.nodes if n in self._nodes]
        for node in todo:
            for value in node.inputs:
                if value is None or value.name == own:
                    continue
                stored, maker = value.const_value, value.producer()
                if stored is None and maker is not None and maker not in todo:
                    todo.append(maker)  # a constant under casts
                if value.name is None or stored is None or stored.size != layer.router.experts:
                    continue
                if stored.dtype.is_floating_point():
                    found[value.name] = stored.numpy().astype(np.float64).ravel()
        return list(found.values())

    def grouped(self, layer: MoELayer) -> bool:
        """Whether the router has further selections: of groups."""
        picks = [n for n in layer.router.nodes if self._nodes[n].op_type == "TopK"]
        return len(picks) > 1


def _last_matrix(layer: MoELayer, product: Any) -> Weight:
    """The stored matrix of the last product of a router that has several."""
    stored = product.inputs[1]
    if stored.const_value is None or stored.shape is None:
        raise InputError(layer.name, "its router's matrix is not a plain stored one")
    turned = product.op_type == "Gemm" and product.attributes.get_int("transB", 0) == 1
    rows, columns = stored.shape.numpy()[::-1] if turned else stored.shape.numpy()
    bias = product.inputs[2].name if len(product.inputs) > 2 else None
    return Weight(stored.name, rows, columns, transposed=turned, bias=bias)


def _is_recomputed(path: Path, layer: MoELayer) -> bool:
    """Whether the rules apply: a matrix of the router's own, whose outputs are all experts."""
    own = set(layer.router.nodes)
    products = any(n.op_type in PRODUCTS for n in open_model(path).graph if n.name in own)
    return products and not layer.router.idle_outputs


def check_routing(path: Path, workload: Workload, inputs: dict[str, Array]) -> list[Agreement]:
    """Each layer's recorded routing against the recomputed one."""
    routing = profile(path, workload, inputs)
    layers = [layer for layer in workload.moe_layers if _is_recomputed(path, layer)]
    if not layers:
        return []
    fresh = Recomputed(path, workload, layers, inputs)
    out = []
    for row, layer in enumerate(layers):
        weight = fresh.weights[row]
        tie = NEAR[16 if min(weight.bits, layer.experts[0].up.bits) <= 16 else 32]
        parts, matrix = fresh.logits(row, weight), routing.matrix(routing.row(layer.layer))
        if layer.router.capacity is not None:
            out += _each_sequence(routing, layer, parts, matrix, tie)
            continue
        k = layer.router.top_k or 1
        args = (
            fresh.biases(layer),
            fresh.grouped(layer),
            k,
            matrix,
            _weights(routing, row, matrix),
        )
        out.append(compare_token_choice(np.concatenate(parts), *args, tie))
    return out


def _each_sequence(
    routing: Routing, layer: MoELayer, parts: list[Array], matrix: Array, tie: float
) -> list[Agreement]:
    found = [matrix[routing.sequence == s] for s in np.unique(routing.sequence)]
    capacity = layer.router.capacity
    assert capacity is not None
    return [
        compare_expert_choice(logits, capacity.of(len(logits)), mine, tie)
        for logits, mine in zip(parts, found, strict=True)
    ]


def _weights(routing: Routing, row: int, matrix: Array) -> Array:
    out = np.zeros(matrix.shape)
    if routing.weights is not None and routing.choices is not None:
        ids = routing.choices[row].astype(np.int64)
        for k in range(ids.shape[1]):
            tokens = np.flatnonzero(ids[:, k] >= 0)
            out[tokens, ids[tokens, k]] = routing.weights[row, tokens, k]
    return out


def compiled(path: Path, chip: str, lead: Array, decode: int) -> tuple[int, str]:
    """Exit code of `moexbar compile`, and what it says about the result or the refusal.

    decode: how many of the tokens come one by one.
    """
    said, errors = io.StringIO(), io.StringIO()
    batch, tokens = lead.shape[:2] if lead.ndim > 1 else (1, len(lead))
    shape = ["--prefill", str(tokens - decode), "--decode", str(decode)]
    shape += ["--batch", str(batch)] if batch > 1 else []
    inputs = ["--inputs", str(path.with_suffix(".npz")), *shape]
    words = ["--no-baselines", "--least-placed", "0"]  # what is read is compared with the table
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(errors),
    ):
        code = moexbar(
            ["compile", str(path), "--chip", chip, *inputs, *words, "-o", f"{folder}/out"]
        )
    text = " ".join((said.getvalue() if code == 0 else errors.getvalue()).split())
    checks = text[text.find("all ") :].partition(" fitted")[0]
    return code, checks if code == 0 else text


def examine(path: Path, chip: str, expected: Expected | None) -> Line:
    """Everything about one file."""
    line = Line(path.stem)
    try:
        workload = read_model(path)
        line.found = _found(workload)
        traced = [s for s in workload.suspects if s.traced]
        if expected is not None and not traced:
            line.faults += differences(workload, expected)
        if not path.with_suffix(".npz").exists():
            line.faults.append("no .npz")
            return line
        inputs = load_inputs(path.with_suffix(".npz"))
        lead = inputs[workload.inputs[0]]
        if workload.moe_layers:
            agreements = check_routing(path, workload, inputs)
            line.routing = str(agreements[0]) if agreements else "not recomputed"
            line.faults += [f"routing {a}" for a in agreements if not a.good]
        _compile(line, path, chip, lead, traced=bool(traced))
    except InputError as error:
        line.faults.append(str(error))
    return line


def _compile(line: Line, path: Path, chip: str, lead: Array, *, traced: bool) -> None:
    """The prefill; and with decode steps where the model says that it can."""
    can = survey_model(path)[1].kind != "no" and lead.shape[-1] > STEPS
    said = []
    for decode in (0, STEPS) if can else (0,):
        code, text = compiled(path, chip, lead, decode)
        if code == 2 and traced:
            said.append("diagnosed")
            continue
        if code != 0 or "executed: largest error" not in text:
            line.faults.append(f"exit {code}, {decode} decode steps: {text}")
        said.append(text if not decode else f"{decode} steps: {text}")
    line.compiled = "; ".join(said)


def _found(workload: Workload) -> str:
    kinds: dict[str, int] = {}
    for layer in workload.moe_layers:
        router, shared = layer.router, len(layer.shared)
        takes = f"top {router.top_k}" if router.capacity is None else "by capacity"
        also = f" +{shared} shared" if shared else ""
        text = f"{router.experts} {takes} {router.kind}, {layer.form}{also}, {layer.proof}"
        kinds[text] = kinds.get(text, 0) + 1
    return "; ".join(f"{count} x {text}" for text, count in kinds.items()) or "no MoE layer"


def main(argv: list[str] | None = None) -> int:
    """Print one line per file; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", type=Path, required=True, help="folder of .onnx and .npz files")
    parser.add_argument("--chip", default="hermes-mux2")
    parser.add_argument("--only", default="", help="files whose name contains this")
    options = parser.parse_args(argv)
    files = sorted(p for p in options.models.glob("*.onnx") if options.only in p.stem)
    if not files:
        print(f"{options.models}: no such folder, or no .onnx file in it: nothing was checked")
        return 0 if not options.models.exists() else 1
    known, begun, bad = catalogue(options.models), time.perf_counter(), 0
    for path in files:
        line = examine(path, options.chip, known.get(path.stem))
        verdict = "ok " if not line.faults else "BAD"
        print(
            f"{verdict} {line.name} | {line.found} | {line.routing} | {line.compiled}", flush=True
        )
        for fault in line.faults:
            print(f"      {fault}")
        bad += bool(line.faults)
    print(
        f"{len(files)} files, {len([p for p in files if p.stem in known])} of them in the "
        f"catalogue, {bad} with faults, {time.perf_counter() - begun:.0f} s"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
