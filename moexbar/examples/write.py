"""Write one example: a model without weights and a synthetic routing trace for it."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ir.errors import InputError
from moexbar import __version__
from moexbar.examples.catalogue import EXAMPLES, Example
from moexbar.examples.synthetic import synthetic_routing
from moexbar.examples.transformer import build
from moexbar.files.folder import MARK, publish
from moexbar.files.routing_file import save_routing

SHIPPED = {"tiny-token-choice": "token_choice.onnx", "tiny-expert-choice": "expert_choice.onnx"}
MODELS = Path(__file__).resolve().parents[2] / "examples" / "models"
SEQUENCES, TOPICS, LENGTH = 8, 4, 256  # of a synthetic trace: tokens of a topic


def write_example(name: str, folder: Path, seed: int = 0) -> dict[str, Any]:
    """Write the example `name` into the new folder `folder`; returns what its manifest says.

    Raises InputError for an unknown name or a folder that holds anything already.
    """
    if name not in SHIPPED and name not in EXAMPLES:
        known = ", ".join([*SHIPPED, *EXAMPLES])
        raise InputError("example", f"{name!r}, expected one of {known}")
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(str(folder), "is not empty", "choose a new folder with -o")
    with publish(folder) as scratch:
        if name in SHIPPED:
            facts = _copy(name, scratch)
        else:
            facts = write_synthetic(name, EXAMPLES[name], scratch, seed, SEQUENCES)
        manifest = {"moexbar": __version__, "example": name, **facts}
        (scratch / MARK).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def write_synthetic(
    name: str, example: Example, folder: Path, seed: int, sequences: int
) -> dict[str, Any]:
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
    return {
        "files": [f"{name}.onnx", f"{name}.onnx.data", "routing.npz"],
        "source": example.source,
        "simplified": list(example.simplified),
        "sizes": asdict(sizes),
        "nodes": len(model.graph.node),
        "weights": model.weights,
        "data_bytes": model.data_bytes,
        "routing": {
            "tokens": routing.tokens,
            "sequences": sequences,
            "seed": seed,
            "traits": asdict(example.traits),
        },
    }


def _copy(name: str, folder: Path) -> dict[str, Any]:
    """A trained model of the repository, with the tokens it was tested on."""
    if not MODELS.is_dir():
        raise InputError(
            name,
            "comes with the repository, not with the installed package",
            "run from a checkout of the repository, or take a model that needs no trained weights: "
            + ", ".join(EXAMPLES),
        )
    files = {SHIPPED[name]: f"{name}.onnx", "heldout.npz": "inputs.npz"}
    for source, target in files.items():
        shutil.copyfile(MODELS / source, folder / target)
    return {"files": list(files.values()), "source": "examples/models/README.md", "simplified": []}
