"""What decode steps and their caches take: times by step, bytes kept, and where memory peaks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ir import timing
from ir.compiled import Compiled


def steps_row(done: Compiled) -> dict[str, Any]:
    """End of the prefill and time of each decode step, in ns."""
    program = done.program
    numbers = [step.number for step in done.schedule.steps]
    ends = [int(program.end_ps[program.step == n].max(initial=0)) for n in numbers]
    return {"prefill_ns": ends[0] / 1000, "decode_ns": (np.diff(ends) / 1000).tolist()}


def memory_row(done: Compiled) -> dict[str, Any]:
    """Bytes that the caches hold in DRAM, and the peak of every region's buffer.

    paper_go_bytes: arXiv 2602.10254's formula for the same layers, sequences and tokens.
    """
    program, schedule = done.program, done.schedule
    lengths = np.unique(schedule.sequence, return_counts=True)[1].tolist()
    paper = sum(
        timing.reference_go_bytes(n, op.router.experts, op.d_model)
        for op in done.workload.moe_layers
        for n in lengths
    )
    return {
        "kv_bytes": program.inventory.kv_bytes,
        "go_bytes": program.inventory.go_bytes,
        "paper_go_bytes": paper,
        "dram_bytes": done.chip.memory.dram_bytes or None,
        "buffers": [{"name": b.name, "peak_bytes": b.bytes} for b in program.buffers],
        "input_buffers": [
            {"name": u.name, "bytes": u.input_bytes} for u in program.units if u.input_bytes
        ],
    }


def steps_lines(report: dict[str, Any]) -> Iterator[str]:
    """The same in words, where there are decode steps."""
    steps, memory, window = report["steps"], report["memory"], report["window"]
    if not steps["decode_ns"]:
        return
    mean = sum(steps["decode_ns"]) / len(steps["decode_ns"]) / 1000
    yield (
        f"prefill {steps['prefill_ns'] / 1000:.2f} us, then {len(steps['decode_ns'])} steps of "
        f"{mean:.2f} us in the mean"
    )
    held = f"{_kib(memory['kv_bytes'])} of keys and values" if window["kv"] else "no KV cache"
    if not report["expert_choice"]:
        held += "; token choice needs no GO cache"
    elif window["go"]:
        held += f", {_kib(memory['go_bytes'])} of scores" + " and outputs" * (not window["kv"])
        held += f" (the paper's formula: {_kib(memory['paper_go_bytes'])})"
    else:
        held += ", no GO cache"
    yield f"in DRAM: {held}"


def _kib(number: int) -> str:
    return f"{number / 1024:.1f} KiB" if number < 2**20 else f"{number / 2**20:.1f} MiB"
