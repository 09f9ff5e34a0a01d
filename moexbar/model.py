"""A model, opened once: what the compiler sees in it, and the child process that runs it."""

import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from compiler.frontend import read_model, survey_model
from compiler.frontend.facts.graph import Graph
from compiler.frontend.facts.sides import lengths_given, side_inputs
from compiler.frontend.proof.decode import Decode
from compiler.profiling import profile as profiling
from compiler.profiling.feeds import load_inputs
from ir.arrays import Array
from ir.errors import InputError
from ir.lengths import Tokens
from ir.limits import Limits
from ir.onnxdoor.load import Source
from ir.onnxdoor.load import open_model as open_source
from ir.onnxdoor.processes.session import Runtime
from ir.onnxdoor.ternary import open_as
from ir.routing import Routing
from ir.ternary import with_ternary_experts
from ir.workload import Workload
from moexbar.arguments import arrays, check, check_path, lengths, whole
from moexbar.configurations.opened import named, open_configuration
from moexbar.configurations.read import is_configuration, read_configuration
from moexbar.files.model_files import model_file

Experts = Literal["stored", "ternary"]
Inputs = Path | str | Mapping[str, Array]


class Model:
    """An opened ONNX file; its child process starts when something has to be run.

    Closed with the object, by `close`, or at the end of a `with` block. `configuration`: what was
    opened instead, a shape without weights; None: a file.
    """

    def __init__(self, path: Path | str, limits: Limits | None = None) -> None:
        """Open and check a file, a folder's only one or a config.json.

        limits: of what it may ask for; None: those in force (docs/limits.md). InputError names what
        makes it unusable.
        """
        self.limits = limits or Limits.in_force()
        path = model_file(Path(path))
        found = read_configuration(path) if is_configuration(path) else None
        self.configuration = found
        self.source = (
            open_source(path, limits=self.limits) if found is None else open_configuration(found)
        )
        self._runtime: Runtime | None = None
        self._workloads: dict[tuple[Tokens | None, int | None, bool], Workload] = {}

    def __repr__(self) -> str:
        return f"<Model {self.path}>"

    def __enter__(self) -> Self:
        """Return the model itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the child process."""
        self.close()

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path if self.configuration is None else self.configuration.path

    @property
    def runtime(self) -> Runtime:
        """The one child process that runs the model, its layers and its programs."""
        if self._runtime is None:
            limits = self.limits
            self._runtime = Runtime(limits.child_bytes, float(limits.child_seconds))
            weakref.finalize(self, self._runtime.close)
        return self._runtime

    def close(self) -> None:
        """End the child process, if there is one."""
        if self._runtime is not None:
            self._runtime.close()
            self._runtime = None

    def workload(
        self,
        *,
        tokens: Tokens | None = None,
        batch: int | None = None,
        decodes: bool = False,
        experts: Experts = "stored",
    ) -> Workload:
        """What the compiler sees in the model, proven by running its MoE layers.

        tokens, batch: of a run, tokens of each side where those differ (see
        `compiler.frontend.read_model`); decodes: refuse a model that cannot go on token by token;
        experts: `ternary` rounds the finished model's to -1, 0 and 1 times a
        scale. Raises InputError naming file, dimension, node and layer.
        """
        longest = max(tokens) if isinstance(tokens, tuple) else tokens or 0
        self.limits.check("tokens", longest, str(self.path), "a sequence (--prefill, --tokens)")
        key = (tokens, batch, decodes)
        if key not in self._workloads:
            read = read_model(
                self.source,
                tokens=tokens,
                batch=batch,
                prove=self.configuration is None,  # which has no weights to run
                decodes=decodes,
                runtime=self.runtime,
            )
            self._workloads[key] = self._named(read)
        found = self._workloads[key]
        return with_ternary_experts(found) if experts == "ternary" else found

    def survey(self) -> tuple[Workload, Decode]:
        """The workload at the model's own length, and how it can decode."""
        workload, decode = survey_model(self.source, self.configuration is None, self.runtime)
        return self._named(workload), decode

    def _named(self, workload: Workload) -> Workload:
        return workload if self.configuration is None else named(self.configuration, workload)

    def refuse_running(self) -> None:
        """InputError for a configuration: it has no weights to run."""
        if self.configuration is not None:
            raise InputError(
                str(self.path),
                "a configuration has no weights: nothing to execute",
                "export the model as ONNX to run it; moexbar compile --routing needs no weights",
            )

    def source_of(self, workload: Workload) -> Source:
        """The opened model with weights as the workload has them."""
        return open_as(self.source, workload)

    def lengths(self, inputs: Inputs) -> tuple[int, ...] | None:
        """Tokens of a sequence of each side, where those of the inputs have different lengths."""
        graph = Graph.of(self.source)
        if len(side_inputs(graph)) < 2:
            return None
        return lengths_given(graph, {name: a.shape for name, a in arrays_of(inputs).items()})

    def profile(
        self,
        inputs: Inputs,
        *,
        tokens: Tokens | None = None,
        batch: int | None = None,
        decode: int = 0,
        workload: Workload | None = None,
        progress: Callable[[str], object] | None = None,
        say: Callable[[str], object] | None = None,
    ) -> Routing:
        """Which experts each token of the inputs goes to, in every MoE layer, by running the model.

        inputs: one array per model input, or the NPZ file that holds them; first axis = sequences.
        tokens: cut each sequence to so many, of an encoder and a decoder to those of each side (by
        default all that there are), of which the last `decode` come one at a time; batch:
        sequences run together. `progress` is told each sequence as it is done, `say` what was made
        up. Raises InputError for inputs that do not fit.
        """
        self.refuse_running()
        tokens = self.lengths(inputs) if tokens is None else lengths("tokens", tokens)
        batch = None if batch is None else whole("batch", batch, 1)
        decode = whole("decode", decode)
        workload = workload or self.workload(tokens=tokens, batch=batch)
        longest = max(tokens) if isinstance(tokens, tuple) else tokens
        return profiling.profile(
            self.source_of(workload),
            workload,
            arrays_of(inputs),
            progress=progress,
            tokens=longest,
            batch=batch,
            decode=decode,
            say=say,
            runtime=self.runtime,
        )


def open_model(path: Path | str, limits: Limits | None = None) -> Model:
    """Open the ONNX file at `path`, or a hub folder, or its config.json.

    A configuration is a shape without weights (docs/configurations.md). limits: of what the file
    may ask for; None: those in force (docs/limits.md). InputError names what makes it unusable.
    """
    check_path("path", path, "the path of an ONNX file, a folder or a config.json")
    check("limits", limits, (Limits, type(None)), "Limits")
    return Model(path, limits)


def arrays_of(inputs: Inputs) -> Mapping[str, Array]:
    """Arrays by name, read from the file if it is one; InputError for anything else."""
    if isinstance(inputs, Mapping):
        return arrays("inputs", inputs)
    check_path("inputs", inputs, "arrays by name, or the path of an NPZ file")
    return load_inputs(inputs)


def profile(
    model: Model | Path | str,
    inputs: Inputs,
    *,
    tokens: Tokens | None = None,
    batch: int | None = None,
    decode: int = 0,
    progress: Callable[[str], object] | None = None,
    say: Callable[[str], object] | None = None,
) -> Routing:
    """The routing of a model for the given inputs: see `Model.profile`."""
    opened = model if isinstance(model, Model) else open_model(model)
    return opened.profile(
        inputs, tokens=tokens, batch=batch, decode=decode, progress=progress, say=say
    )
