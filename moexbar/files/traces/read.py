"""A trace or load counts in any of their forms, told apart by the file's ending and its arrays."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from ir.errors import InputError
from ir.infile import Infile, check_file
from ir.load import Load
from ir.npz import read_names
from ir.routing import Routing
from moexbar.files.traces.arrays import read_archive, read_one_array
from moexbar.files.traces.own import read_own
from moexbar.files.traces.reading import Reading
from moexbar.files.traces.tables import read_table

Reader = Callable[[Path, Reading], Routing | Load]
FORMS: Mapping[str, Reader] = MappingProxyType(
    {
        ".npy": read_one_array,
        ".csv": read_table,
        ".tsv": read_table,
        ".parquet": read_table,
        ".pq": read_table,
        ".jsonl": read_table,
        ".ndjson": read_table,
    }
)
DEFAULT = Reading()
_ZIP = b"PK"


def read_trace(path: Path | str | Infile, reading: Reading = DEFAULT) -> Routing | Load:
    """Read a file as docs/formats.md says; one of an output folder of ours in our own form.

    Raises InputError naming file, array or column for anything unusable.
    """
    if isinstance(path, Infile):
        return read_own(path, reading)
    path = Path(path)
    if reader := FORMS.get(path.suffix.lower()):
        return reader(path, reading)
    _refuse_other(path)
    names = read_names(path, reading.limits.archive)
    if "scores" in names or ("choices" in names and reading.axes is None):
        return read_own(path, reading)
    return read_archive(path, reading)


def _refuse_other(path: Path) -> None:
    """Say which endings are read, of a file that has another one and is no archive either."""
    suffix = path.suffix.lower()
    if suffix in ("", ".npz"):
        return
    check_file(path, "a routing trace")
    try:
        with path.open("rb") as file:
            archive = file.read(len(_ZIP)) == _ZIP
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror or error}") from error
    if archive and suffix not in (".pt", ".pth", ".pkl"):
        return
    hint = ""
    if suffix in (".pt", ".pth", ".pkl", ".pickle"):
        hint = (
            "load it and save its array: numpy.savez_compressed(file, routed_experts=ids.numpy())"
        )
    raise InputError(str(path), f"ends in {suffix}, expected one of .npz, {', '.join(FORMS)}", hint)
