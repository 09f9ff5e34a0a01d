"""What is run on both sides: command lines over the shipped models and over drawn ones.

A case's commands run one after the other in a folder of its own, which is all that is compared:
what they print goes to `printed/NAME.json` or `printed/NAME.txt` there.
"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ARGUMENTS = "arguments.json"  # of `compile` for a drawn model; written last
TOKEN, EXPERT, HELDOUT = "token_choice.onnx", "expert_choice.onnx", "heldout.npz"
FEW = 16  # sequences of heldout.npz: recording all 256 would take most of the time
README = "README"
COMPILED = {
    README: (TOKEN, "--prefill 128"),
    "decode steps": (EXPERT, "--prefill 48 --decode 8 --no-baselines"),
    "no caches": (EXPERT, "--prefill 12 --decode 4 --kv off --go off --no-baselines"),
    "token choice, steps": (TOKEN, "--prefill 32 --decode 8 --no-baselines"),
    "placed by cp-sat": (TOKEN, "--prefill 64 --placement cp-sat --no-baselines"),
    "replicas, packed": (
        TOKEN,
        "--prefill 64 --replicas 2 --pack --set crossbar.rows=100 --seed 3 --no-baselines",
    ),
    "energy, stages dumped": (
        TOKEN,
        "--prefill 64 --chip hermes-mux4 --objective energy --dump-dir stages --no-baselines",
    ),
    "ternary experts": (TOKEN, "--prefill 32 --experts ternary --no-baselines"),
}
LOOKS = {  # at what was compiled
    README: {
        "simulate": "simulate out --waits",
        "slower": "simulate out --scale MVM=2 --json",
        "inspect": "inspect out --layer 1 --token 5",
        "waits": "inspect out --layer 3 --opcode MVM --group-by expert --waits",
        "accuracy": "accuracy out --sequences 1 --tokens 32 --adc-bits 6 --json",
    },
    "decode steps": {
        "simulate": "simulate out --waits --json",
        "inspect": "inspect out --layer 1 --token 50 --json",
    },
    "ternary experts": {"verify": "verify out --json"},
}
REPEATING = "lpt,karmarkar-karp,matching,co-activation,local-search,cp-sat"
TRACED = {  # of a recorded trace alone
    "group": "group routing.npz --chip hermes-mux4 --window 512 --shuffles 0 --time 0.2 --json",
    "replicas": "group routing.npz --replicas 2 --robust --window 256 --time 0.1 --json",
    "schedule": "schedule routing.npz --groups printed/group.json --layer 3 --json",
    "limited": "schedule routing.npz --groups printed/replicas.json --layer 1 --window 128 --bus 2"
    " --buffer 32 --table --json",
    "columns": "schedule routing.npz --groups printed/group.json --layer 1 --window 64 --time 0.2"
    " --policy column-generation --score 0.5:1",
    "compare": f"compare routing.npz --window 256 --shuffles 0 --solvers {REPEATING} --time 0.1"
    " --json",
}


@dataclass(frozen=True)
class Case:
    """commands: {name of what it prints: words after `moexbar`}; files: which they read."""

    name: str
    commands: dict[str, tuple[str, ...]]
    files: tuple[Path, ...] = ()

    @property
    def folder(self) -> str:
        """Its name as that of a folder."""
        return "-".join("".join(c if c.isalnum() else " " for c in self.name).split())


def shipped_cases(old: Path, folder: Path) -> Iterator[Case]:
    """Cases of the models in `old`, copied once into `folder` so that both sides read the same."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (TOKEN, EXPERT, HELDOUT):
        if not (folder / name).exists():
            shutil.copy(old / "examples" / "models" / name, folder / name)
    few = folder / "few.npz"
    if not few.exists():
        with np.load(folder / "heldout.npz") as arrays:
            np.savez(few, **{name: arrays[name][:FEW] for name in arrays.files})
    token, expert = folder / TOKEN, folder / EXPERT
    for name, (model, words) in COMPILED.items():
        files = folder / model, folder / HELDOUT if name == README else few
        commands = {"compile": _compile(*files, f"--time 0.2 {words}")}
        commands |= {look: tuple(text.split()) for look, text in LOOKS.get(name, {}).items()}
        yield Case(name, commands, files)
    yield Case("a trace alone", _trace_commands(token, few), (token, few))
    yield Case("models and chips", _other_commands(token, expert), (token, expert))


def drawn_cases(seed: int, count: int, folder: Path) -> Iterator[Case]:
    """Random models, written once into `folder`; of some of them more than the compilation."""
    for number in range(count):
        place = folder / f"{seed}-{number}"
        if not (place / ARGUMENTS).exists():
            from benchmarks.same_results.draw import draw_model  # the one import from the tree

            draw_model(seed, number, place)
        model, inputs = place / "model.onnx", place / "inputs.npz"
        words: list[str] = json.loads((place / ARGUMENTS).read_text())
        commands = {"compile": _compile(model, inputs, " ".join(words))}
        if number % 4 == 1:
            commands["model"] = ("model", str(model), "--json")
        if number % 6 == 2:
            commands["simulate"] = ("simulate", "out", "--waits", "--json")
        name = f"random {number}: {words[words.index('--chip') + 1]}"
        yield Case(name, commands, (model, inputs))


def _compile(model: Path, inputs: Path, words: str) -> tuple[str, ...]:
    return ("compile", str(model), "--inputs", str(inputs), *words.split(), "-o", "out")


def _trace_commands(model: Path, inputs: Path) -> dict[str, tuple[str, ...]]:
    """Record a trace, then what can be done with it alone."""
    profile = ("profile", str(model), "--inputs", str(inputs), "-o", "routing.npz", "--json")
    return {"profile": profile, **{name: tuple(text.split()) for name, text in TRACED.items()}}


def _other_commands(token: Path, expert: Path) -> dict[str, tuple[str, ...]]:
    """What needs neither a trace nor a compilation."""
    return {
        "token_choice": ("model", str(token), "--json"),
        "expert_choice": ("model", str(expert)),
        "chips": ("chips", "--json"),
        "chips_text": ("chips",),
        "isaac": ("chips", "isaac", "--json"),
        "tiny": ("chips", "tiny", "--set", "pg.mux=4"),
    }
