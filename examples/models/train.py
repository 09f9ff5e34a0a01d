"""Train the three models on the Python standard library, and export.

Makes, next to this file: token_choice.onnx, expert_choice.onnx, heldout.npz; in
moexbar/examples/tiny: model.onnx, inputs.npz; prints the measurements that README.md quotes.
Needs `pip install torch==2.13.0 onnx onnxscript onnxruntime numpy` (a CPU build is enough).
Training the first two took 27 minutes on two CPU cores, export and checks took two.

    python train.py --work DIR          train side by side, one thread each, then export
    python train.py --work DIR --only tiny     train and export this one (7 minutes)
    python train.py --work DIR --export-only   export again from the checkpoints in DIR
"""

from __future__ import annotations

import argparse
import hashlib
import math
import sysconfig
import time
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp
import torch.nn.functional as F
from model import KINDS, Kind, Model

SEED = 20240607
BATCH, TOKENS = 4, 512
STEPS, WARMUP, PEAK_RATE = 4000, 100, 2e-3
LOAD_WEIGHT = 2e-3  # of the auxiliary load loss of the token-choice model; small on purpose
HELD_SHARE = 0.05
HELD_FILES, CHUNKS = 16, 4  # held-out chunks: 4 consecutive ones of each of 16 files

# Tests are left out; so are generated files: character tables, help topics, build settings.
SKIPPED = {"site-packages", "dist-packages", "test", "tests", "idle_test", "encodings"}
SKIPPED |= {"pydoc_data", "__pycache__"}


def split_files() -> tuple[list[Path], list[Path]]:
    """The source files in the order of a hash of their relative path: training, held out."""
    root = Path(sysconfig.get_paths()["stdlib"])

    def digest(path: Path) -> str:
        return hashlib.sha256(path.relative_to(root).as_posix().encode()).hexdigest()

    files = [f for f in root.rglob("*.py") if not SKIPPED & set(f.relative_to(root).parts)]
    files = sorted((f for f in files if not f.name.startswith("_sysconfigdata")), key=digest)
    held = math.floor(len(files) * HELD_SHARE)
    return files[:-held], files[-held:]


def heldout_chunks(files: list[Path]) -> np.ndarray:
    """[64, 512] int64: 4 consecutive chunks from the middle of each of 16 held-out files.

    No chunk starts with two equal bytes.  Nothing but equal bytes before it makes two tokens
    equal in every layer, whatever their positions; then their router scores are equal too, and
    which of them an expert of the expert-choice model takes depends on rounding alone.
    """
    span = CHUNKS * TOKENS
    texts = [data for f in files if len(data := f.read_bytes()) >= 2 * span][:HELD_FILES]
    assert len(texts) == HELD_FILES
    pieces = []
    for data in texts:
        start = (len(data) - span) // 2
        while any(data[i] == data[i + 1] for i in range(start, start + span, TOKENS)):
            start += 1
        pieces.append(data[start : start + span])
    flat = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    return flat.reshape(HELD_FILES * CHUNKS, TOKENS).astype(np.int64)


@torch.no_grad()
def mean_loss(model: Model, ids: torch.Tensor) -> float:
    """Mean loss in nats per byte over bytes 2..512 of each chunk."""
    losses = []
    for chunk in ids.reshape(-1, 8, TOKENS):
        logits = model(chunk)[:, :-1]
        losses.append(F.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten()).item())
    return sum(losses) / len(losses)


def learning_rate(step: int, steps: int) -> float:
    if step < WARMUP:
        return PEAK_RATE * (step + 1) / WARMUP
    return PEAK_RATE * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (steps - WARMUP)))


def train(kind: Kind, work: Path, steps: int) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    fit(Model(kind), kind, work, steps, SEED)


def fit(model: Model, name: str, work: Path, steps: int, seed: int) -> None:
    """Train what of a model is not frozen, on pieces of text that `seed` draws; save it."""
    train_files, held_files = split_files()
    source = bytearray(b"".join(f.read_bytes() for f in train_files))
    text = torch.frombuffer(source, dtype=torch.uint8)
    held = torch.from_numpy(heldout_chunks(held_files))
    sizes = f"{len(train_files)} files, {len(text)} bytes; {len(held_files)} files held out"
    print(name, sizes, flush=True)

    trained = [p for p in model.parameters() if p.requires_grad]
    matrices = [p for p in trained if p.dim() > 1]
    vectors = [p for p in trained if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), fused=True)
    draw = torch.Generator().manual_seed(seed)
    start, running = time.time(), 0.0
    for step in range(steps):
        offsets = torch.randint(len(text) - TOKENS, (BATCH,), generator=draw).tolist()
        batch = torch.stack([text[o : o + TOKENS + 1] for o in offsets]).long()
        loss = F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        load_loss = sum((moe.load_loss for moe in model.moes), torch.zeros(()))
        optimizer.zero_grad()
        torch.autograd.backward(loss + LOAD_WEIGHT * load_loss)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        optimizer.step()
        running += loss.item()
        if (step + 1) % 50 == 0:
            skew = [round((m.load.max() / m.load.float().mean()).item(), 2) for m in model.moes]
            seconds = time.time() - start
            print(f"{name} {step + 1} loss {running / 50:.4f} {skew} {seconds:.0f} s", flush=True)
            running = 0.0
        if (step + 1) % 400 == 0 or step + 1 == steps:
            torch.save(model.state_dict(), work / f"{name}.pt")
            print(f"{name} {step + 1} held-out {mean_loss(model, held):.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--only", choices=KINDS, help="one model instead of all")
    parser.add_argument("--export-only", action="store_true")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    kinds = KINDS if options.only is None else (options.only,)
    if not options.export_only:
        jobs = [mp.Process(target=train, args=(k, options.work, options.steps)) for k in kinds]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join()
            assert job.exitcode == 0
    from export import export_all  # imports this module

    export_all(options.work, kinds)


if __name__ == "__main__":
    main()
