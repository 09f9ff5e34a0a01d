"""When the tokens of a window come: a text of whole numbers, one for each token."""

from pathlib import Path

import numpy as np

from ir.arrays import Ints
from ir.errors import InputError
from ir.infile import check_file

MAX_BYTES = 64 << 20
MOST = 1 << 31  # slots


def read_arrivals(path: Path) -> Ints:
    """The slot in which each token of a window comes: [tokens].

    Numbers from 0 up, parted by white space or commas, in the order of the tokens; what follows a #
    is a note. Raises InputError naming file and line for anything else.
    """
    check_file(path, "the slot in which each token of a window comes", MAX_BYTES)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(str(path), error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        problem = f"byte {error.start}: not UTF-8, expected whole numbers"
        raise InputError(str(path), problem) from error
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for word in line.split("#")[0].replace(",", " ").split():
            if not (word.isascii() and word.isdigit() and len(word) < 11 and int(word) < MOST):
                raise InputError(
                    str(path), f"line {number}: {word!r}, expected a slot: a number from 0 up"
                )
            found.append(int(word))
    return np.array(found, dtype=np.int64)
