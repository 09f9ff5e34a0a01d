"""How much a file that is read may ask for: the one table of limits, counted before any work.

A file of a kilobyte can ask for terabytes, or for years. What is over a limit is refused with the
limit's name; who trusts the file raises it with MOEXBAR_LIMITS=NAME=NUMBER,... (docs/limits.md).
"""

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from pathlib import Path

from ir.errors import InputError

SETTING = "MOEXBAR_LIMITS"
MIB, GIB = 2**20, 2**30
_LARGEST = 2**62
_CGROUP = Path("/sys/fs/cgroup/memory.max")


def _machine_bytes() -> int:
    """The memory of this machine, or of the container that we are in."""
    have = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        told = _CGROUP.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return have
    return min(have, int(told)) if told.isdecimal() else have


def _limit(number: int, unit: str, of: str, why: str) -> int:
    made: int = field(default=number, metadata={"unit": unit, "of": of, "why": why})
    return made


@dataclass(frozen=True)
class Limits:
    """At most so much of each; see `told` for what each is of, its unit and why it is so high."""

    file_bytes: int = _limit(
        2**31 - 1,
        "bytes",
        "an ONNX file",
        "what protobuf reads: larger weights lie beside it",
    )
    messages: int = _limit(
        5_000_000, "messages", "an ONNX file, strings too", "some 10 a node, 140 bytes each parsed"
    )
    nodes: int = _limit(
        500_000,
        "nodes",
        "a model, functions inlined and loops unrolled",
        "15 to 40 s for each 100,000",
    )
    calls: int = _limit(
        4096, "calls", "functions, those in functions too", "inlining takes their square: 4 s"
    )
    depth: int = _limit(32, "levels", "subgraphs, or functions, in one another", "exports have 3")
    rounds: int = _limit(
        2**20, "rounds", "a loop of a stored number, times those around it", "a second or so to run"
    )
    led_to: int = _limit(
        2_000_000,
        "values",
        "what selections that may be routers lead to, each looked through by itself",
        "5 s; 48 layers of 64 experts in 49,000 nodes lead to 47,000",
    )
    value_bytes: int = _limit(
        GIB,
        "bytes",
        "one value that the model computes, or 64 times its largest stored tensor",
        "several are held at once when it runs; exports gather for each token copies of experts",
    )
    axes: int = _limit(32, "axes", "one value", "numpy has at most 64, ONNX Runtime fewer")
    tensor_elements: int = _limit(
        2**40, "elements", "one stored tensor", "the largest models have 2^40 weights in all"
    )
    name_length: int = _limit(4096, "characters", "one name", "exporters write a few hundred")
    input_bytes: int = _limit(
        4 * GIB, "bytes", "all arrays of an inputs file, inflated", "they are held in memory"
    )
    input_ratio: int = _limit(
        200,
        "times",
        "the bytes of such a file that its arrays inflate to, where that is over 64 MiB",
        "ids deflate tenfold, masks more, bombs a thousandfold",
    )
    input_arrays: int = _limit(4096, "arrays", "an inputs file", "caches are two for each layer")
    tokens: int = _limit(
        2**17, "tokens", "a sequence that is run", "the longest windows of published models"
    )
    child_bytes: int = _limit(
        min(16 * GIB, _machine_bytes() // 2),
        "bytes",
        "the memory of a process that runs native code",
        "half of this machine's, at most 16 GiB",
    )
    child_seconds: int = _limit(
        600, "seconds", "one run of a model in that process", "a minute for one layer's proof"
    )
    document_bytes: int = _limit(
        GIB // 4, "bytes", "a JSON file: reports, mappings, groups, manifests", "some MB are usual"
    )
    document_values: int = _limit(
        3 * 2**20, "values", "such a file, or a sweep's point", "100 bytes each in memory: 300 MB"
    )
    document_depth: int = _limit(64, "levels", "lists and objects in one another", "ours have 12")
    table_bytes: int = _limit(
        8 * GIB, "bytes", "a Parquet file of ours, and its columns read", "they are held in memory"
    )
    table_ratio: int = _limit(
        200,
        "times",
        "the bytes of such a file that its columns inflate to, where that is over 64 MiB",
        "programs inflate tenfold, bombs a thousandfold",
    )
    rows: int = _limit(50_000_000, "rows", "a program or a table of results", "100 bytes each")
    journal_bytes: int = _limit(GIB, "bytes", "the journal of a sweep", "1 KB for each point")

    @classmethod
    def of(cls, text: str) -> "Limits":
        """The defaults but for NAME=NUMBER,...; InputError naming the word that is none."""
        limits, names = cls(), [one.name for one in fields(cls)]
        for word in filter(None, (part.strip() for part in text.split(","))):
            name, _, number = word.partition("=")
            right = number.isascii() and number.isdecimal() and len(number) < 20
            if name not in names or not right or not 1 <= int(number) <= _LARGEST:
                expected = f"expected NAME=NUMBER, NAME one of {', '.join(names)}"
                raise InputError(SETTING, f"{word[:60]!r}, {expected}", "see moexbar limits")
            limits = replace(limits, **{name: int(number)})
        return limits

    @classmethod
    def in_force(cls) -> "Limits":
        """Those of the environment: limits are of a machine and of how far files are trusted."""
        return cls.of(os.environ.get(SETTING, ""))

    def check(
        self, name: str, found: int, where: str, what: str, enough: int | None = None
    ) -> None:
        """Refuse what is more than the limit called `name`: where and what it is.

        enough: to raise it to, where what was found is not all there is.
        """
        limit: int = getattr(self, name)
        if found <= limit:
            return
        problem = f"{what}: {shown(found)} {told(name)['unit']}, limit {name} = {shown(limit)}"
        hint = f"if you trust the file, raise it: {SETTING}={name}={enough or found}"
        raise InputError(where, problem, hint if found <= _LARGEST else "no machine holds it")


def shown(number: int) -> str:
    """A number with commas, or about what it is where it has more than 24 digits."""
    return f"{number:,}" if number < 10**24 else f"over 10^{len(str(number)) - 1}"


_FIELDS: dict[str, Field[int]] = {one.name: one for one in fields(Limits)}


def told(name: str) -> Mapping[str, str]:
    """`unit`, what it is `of`, and `why` it is so high, of the limit called `name`."""
    return _FIELDS[name].metadata
