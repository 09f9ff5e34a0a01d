"""Exports that recorded the routing of one input: what is refused unless it is asked for."""

from pathlib import Path

import numpy as np

from compiler.frontend.moe.found import RECORDED
from ir.errors import InputError
from ir.routing import Routing
from ir.workload import MoELayer, Workload

TRUST = "--trust-traced takes it as it is"


def refuse_traced(path: str | Path, workload: Workload) -> None:
    """InputError for a model in which an export recorded the routing of one input."""
    for layer in workload.moe_layers:
        if layer.proof == "traced":
            raise InputError(f"{path}: {layer.name}", RECORDED, TRUST)
    refuse_missing(path, workload)


def refuse_missing(path: str | Path, workload: Workload) -> None:
    """InputError for a model in which experts are missing."""
    for suspect in workload.suspects:
        if suspect.traced:
            raise InputError(f"{path}: node {suspect.node!r}", suspect.reason, TRUST)


def traced_layers(workload: Workload) -> list[MoELayer]:
    """The MoE layers that are right only for inputs that give every expert a token."""
    return [layer for layer in workload.moe_layers if layer.proof == "traced"]


def refuse_unhit(path: str | Path, workload: Workload, routing: Routing) -> None:
    """InputError where a traced layer left an expert without a token in any sequence.

    Where every expert of it has one in every sequence, the file computed what the model means.
    """
    for layer in traced_layers(workload):
        matrix = routing.matrix(routing.row(layer.layer))
        for sequence in np.unique(routing.sequence).tolist():
            load = matrix[routing.sequence == sequence].sum(axis=0)
            if not load.all():
                raise InputError(
                    f"{path}: {layer.name}",
                    f"{RECORDED}; sequence {sequence} gives expert {int(np.argmin(load))} none",
                    TRUST,
                )
