"""Which links a model's external data may go through: those of a hub cache's own layout.

Such a cache keeps a model's files as `models--ORG--NAME/blobs/HASH`, and in
`models--ORG--NAME/snapshots/REVISION/` links to them by their names.
"""

from collections.abc import Iterable
from pathlib import Path

import onnx

from ir.errors import InputError

COPY = "copy the folder with its links followed (cp -rL) and give the copy"


def check_link(link: Path, folder: Path, where: str, location: str) -> None:
    """Refuse a link in a model's folder unless it leads to a blob of the same model in the cache.

    where, location: the tensor, and its data's name, for the message. Raises InputError.
    """
    told = f"external data at {location!r} goes through a symbolic link"
    try:
        target, blobs = link.resolve(strict=True), hub_blobs(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise InputError(where, f"{told}, which leads nowhere", COPY) from error
    if blobs is None:
        raise InputError(where, f"{told}, in a folder that is no snapshot of a hub cache", COPY)
    if target.parent != blobs:
        raise InputError(where, f"{told}, out of the cache's folder {str(blobs)!r}", COPY)


def follow_links(tensors: Iterable[onnx.TensorProto], path: Path) -> Path:
    """The folder of a model's external data, links followed: that of the model, or of its blobs.

    Tensors whose data are links, which `check_link` has seen, name the blobs from now on. path: of
    the model. Raises InputError where some data are links and others are not.
    """
    links, plain = list[onnx.StringStringEntryProto](), ""
    for tensor in tensors:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        entry = [e for e in tensor.external_data if e.key == "location"][-1]
        if (path.parent / entry.value).is_symlink():
            links.append(entry)
        else:
            plain = entry.value
    blobs = hub_blobs(path.parent)
    if not links or blobs is None:
        return path.parent
    if plain:
        told = f"external data at {links[0].value!r} is a symbolic link, that at {plain!r} is none"
        raise InputError(str(path), told, COPY)
    for entry in links:
        entry.value = (path.parent / entry.value).resolve().name
    return blobs


def hub_blobs(folder: Path) -> Path | None:
    """The real folder of blobs of the model that a snapshot's `folder` belongs to, if it is one."""
    real = folder.resolve()
    for above in real.parents:
        inside = real.relative_to(above).parts
        if above.name.startswith("models--") and inside[0] == "snapshots" and len(inside) > 1:
            return above / "blobs"
    return None
