"""Which file is meant where a folder is given for a model."""

from pathlib import Path

from ir.errors import InputError

SHOWN = 12  # names in a message
PLACES = (".", "onnx")  # a hub folder keeps its exports in the latter


def model_file(path: Path) -> Path:
    """The path itself, or the one model in the folder that it is.

    That is the folder's only .onnx file, there or in its folder `onnx`; where there is none, its
    config.json. Raises InputError naming the files to choose from.
    """
    try:
        if not path.is_dir():
            return path
        found = [file for place in PLACES for file in sorted((path / place).glob("*.onnx"))]
    except OSError as error:
        raise InputError(str(path), f"cannot be read: {error.strerror}") from error
    if len(found) == 1:
        return found[0]
    if found:
        names = [str(file.relative_to(path)) for file in found]
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        listed = ", ".join(names[:SHOWN])
        raise InputError(
            str(path), f"a folder of {len(names)} models: {listed}{more}", "give one of them"
        )
    if (path / "config.json").is_file():
        return path / "config.json"
    raise InputError(
        str(path),
        "a folder without a model, expected one .onnx file in it, or a config.json",
        "give the model's file",
    )
