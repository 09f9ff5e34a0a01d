"""Routing traces and load counts on disk, in the forms of docs/formats.md."""

from collections.abc import Callable
from pathlib import Path

from ir.errors import InputError
from ir.infile import Infile
from ir.load import Load
from ir.routing import Routing
from moexbar.files.traces.axes import Axes
from moexbar.files.traces.own import save_routing
from moexbar.files.traces.read import read_trace
from moexbar.files.traces.reading import Reading, RoutingLimits, silent

__all__ = ["RoutingLimits", "load_counts", "load_routing", "only_routing", "save_routing"]


def load_routing(
    path: Path | str | Infile,
    limits: RoutingLimits | None = None,
    *,
    axes: str | None = None,
    num_experts: int | None = None,
    say: Callable[[str], None] = silent,
) -> Routing:
    """Read a routing trace; raise InputError naming file and array for anything unusable.

    Any form of docs/formats.md: .npz, .npy, .csv, .tsv, .parquet and .jsonl. axes: of an array,
    such as "tokens,layers,k", where its shape and values leave it open; num_experts: of every
    layer, where the file does not say it; say: is told how the file was read where that was not
    plain.
    """
    return only_routing(read_trace(path, _reading(limits, axes, num_experts, say)))


def load_counts(
    path: Path | str,
    limits: RoutingLimits | None = None,
    *,
    axes: str | None = None,
    num_experts: int | None = None,
    say: Callable[[str], None] = silent,
) -> Load:
    """Read load counts, as `load_routing` reads traces; raises InputError for a trace."""
    found = read_trace(path, _reading(limits, axes, num_experts, say))
    if isinstance(found, Load):
        return found
    raise InputError(
        found.source, "a routing trace, expected load counts", "read it with load_routing"
    )


def only_routing(found: Routing | Load) -> Routing:
    """The trace; InputError where it is load counts, which say nothing of tokens."""
    if isinstance(found, Load):
        raise InputError(
            found.source,
            f"load counts of {found.layers} layers and {found.experts} experts, expected a routing "
            "trace: counts do not say which experts a token uses, so nothing can be scheduled",
            "give the experts of every token (docs/formats.md); `moexbar group` balances counts",
        )
    return found


def _reading(
    limits: RoutingLimits | None,
    axes: str | None,
    num_experts: int | None,
    say: Callable[[str], None],
) -> Reading:
    return Reading(Axes.of(axes), num_experts, limits=limits or RoutingLimits(), say=say)
