"""moexbar: compile ONNX Mixture-of-Experts models for crossbar chips with shared peripherals.

The project's top-level packages are `ir`, `compiler` and `backends` beside this driver. The names
are short, so an unrelated package of the same name could shadow one: this is checked on import.
"""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

try:
    __version__ = version("moexbar")
except PackageNotFoundError:  # running from a checkout that is not installed
    __version__ = "0+unknown"

_OURS = Path(__file__).resolve().parent.parent

for _name in ("ir", "compiler", "backends"):
    _spec = find_spec(_name)
    _found = Path(_spec.origin).resolve().parent.parent if _spec and _spec.origin else None
    if _found != _OURS:
        raise ImportError(
            f"package {_name!r} is {'missing' if _found is None else f'taken from {_found}'}, "
            f"expected it beside moexbar in {_OURS}; run from another folder, remove the other "
            "one or use a fresh virtual environment"
        )
