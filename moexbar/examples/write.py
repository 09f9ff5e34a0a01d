"""Write one example: a trained model with its inputs, or a large one's shapes with routing."""

import shutil
from pathlib import Path

from ir.errors import InputError
from moexbar import __version__
from moexbar.examples.catalogue import EXAMPLES, Example
from moexbar.examples.names import IN_CHECKOUT, NAMES, TRAINED
from moexbar.examples.synthetic import synthetic_routing
from moexbar.examples.transformer import build
from moexbar.files.folder import publish
from moexbar.files.routing_file import save_routing
from moexbar.report.examples import ExampleReport, LargeExampleReport, SyntheticRouting
from moexbar.report.plain import as_json

PACKAGED = Path(__file__).resolve().parent / "tiny"  # comes with an installed package
MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"  # of a checkout only
FILES = dict(zip(IN_CHECKOUT, ("token_choice.onnx", "expert_choice.onnx"), strict=True))
SEQUENCES, TOPICS, LENGTH = 8, 4, 256  # of a synthetic trace: tokens of a topic


def write_example(name: str, folder: Path | str, seed: int = 0) -> ExampleReport:
    """Write the example `name` into the new folder `folder`; returns what it is, for the user.

    Raises InputError for an unknown name or a folder that holds anything already.
    """
    if name not in NAMES:
        raise InputError("example", f"{name!r}, expected one of {', '.join(NAMES)}")
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(str(folder), "is not empty", "choose a new folder with -o")
    with publish(folder, "example") as draft:
        if name in TRAINED:
            report = _copy(name, draft.folder)
        else:
            report = write_synthetic(name, EXAMPLES[name], draft.folder, seed, SEQUENCES)
        draft.facts |= {key: told for key, told in as_json(report).items() if key != "schema"}
    return report


def write_synthetic(
    name: str, example: Example, folder: Path, seed: int, sequences: int
) -> LargeExampleReport:
    """NAME.onnx with its data file, and routing.npz; returns sizes and what is simplified."""
    sizes = example.sizes
    model = build(name, sizes)
    model.save(folder / f"{name}.onnx")
    routing = synthetic_routing(
        sizes.moe_layers,
        sizes.experts,
        sizes.top_k,
        example.traits,
        sequences=sequences,
        topics=TOPICS,
        length=LENGTH,
        seed=seed,
    )
    save_routing(folder / "routing.npz", routing)
    return LargeExampleReport(
        moexbar=__version__,
        example=name,
        files=(f"{name}.onnx", f"{name}.onnx.data", "routing.npz"),
        source=example.source,
        simplified=example.simplified,
        sizes=sizes,
        nodes=len(model.graph.node),
        weights=model.weights,
        data_bytes=model.data_bytes,
        routing=SyntheticRouting(routing.tokens, sequences, seed, example.traits),
    )


def _copy(name: str, folder: Path) -> ExampleReport:
    """A trained model, with the tokens it was tested on."""
    if name in IN_CHECKOUT and not (MODELS / FILES[name]).is_file():
        raise InputError(
            name,
            "comes with the repository, not with the installed package",
            "run from a checkout of the repository, or take `tiny`, which is trained too",
        )
    sources = _sources(name)
    for target, source in sources.items():
        shutil.copyfile(source, folder / target)
    return ExampleReport(__version__, name, tuple(sources), "examples/models/README.md", ())


def _sources(name: str) -> dict[str, Path]:
    """{file of the example: where it is copied from}, the model first."""
    if name in IN_CHECKOUT:
        model, inputs = MODELS / FILES[name], MODELS / "heldout.npz"
        return {f"{name}.onnx": model, "inputs.npz": inputs}
    return {file: PACKAGED / file for file in ("model.onnx", "inputs.npz", "README.md")}
