"""A point read: its files opened and its model run here, so that a worker needs neither."""

import pickle
import zlib
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.baselines import ASKED
from compiler.options import STACK_RULES, GroupingOptions, Shape
from ir.chip import Chip
from ir.errors import MoexbarError, RuntimeLostError
from ir.mapping import Grouping
from moexbar.case import PREFILL, Asked, Read, groups_in, read_case, shape_of_inputs
from moexbar.exploration.content import key_of
from moexbar.exploration.words import Line
from moexbar.given import Given
from moexbar.made_up import is_made_up
from moexbar.model import Model
from moexbar.progress import Progress, Quiet

if TYPE_CHECKING:
    from moexbar.cli.compile_options import CompileRequest


@dataclass(frozen=True, eq=False)
class Sent:
    """What is read of a point, as another process is sent it: a key by content, and the bytes."""

    key: str
    data: bytes

    @classmethod
    def of(cls, read: Read) -> "Sent":
        """The model and routing, packed."""
        return cls(key_of(read), zlib.compress(pickle.dumps(read), 1))

    def read(self) -> Read:
        """Unpack it."""
        found: Read = pickle.loads(zlib.decompress(self.data))  # noqa: S301 - from our own side
        return found


@dataclass(frozen=True, eq=False)
class Prepared:
    """A point that only has to be carried out: what is read, the chip, and what is asked."""

    sent: Sent
    chip: Chip
    asked: Asked


class _Notes(Quiet):
    """Passes on what was found, and nothing of what it is at: that is another's work."""

    def __init__(self, progress: Progress) -> None:
        self.note = progress.note  # type: ignore[method-assign]


class Preparing:
    """Models that are open, and what was read of them: each of it once.

    folder: what the paths of points are relative to.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        """Nothing is open yet."""
        self._folder, self._progress = folder, _Notes(progress)
        self._models: dict[Path, Model] = {}
        self._read: dict[str, Sent | MoexbarError] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Preparing":
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the models' processes."""
        self._stack.close()

    def point(self, line: Line) -> Prepared:
        """All that a point needs; raises as `moexbar.compile` does for what cannot be used."""
        asked = located(line.asked, self._folder)
        chip = _chip(asked.chip, tuple(asked.settings or ()))
        grouping = asked.grouping_options
        shape, sent = self._reading(line, asked)
        if isinstance(grouping, Path):
            return Prepared(
                sent, chip, _asked(line, asked, shape, groups_in(grouping, sent.read().workload))
            )
        return Prepared(sent, chip, _asked(line, asked, shape, grouping))

    def _reading(self, line: Line, asked: "CompileRequest") -> tuple[Shape, Sent]:
        """The window and what is read for it: once for all points that ask for the same."""
        model = self._model(self._folder / line.model)
        tokens = PREFILL if asked.prefill is None else asked.prefill.tokens
        shape = Shape.of(tokens, asked.batch, asked.decode)
        if asked.prefill is None:
            shape = shape_of_inputs(shape, model, asked.inputs)
        given = Given(
            asked.routing, asked.reading, asked.inputs, asked.limits.seed, line.trust_traced
        )
        seed = given.seed if is_made_up(asked.routing) else 0
        files = str(line.model), str(asked.routing), str(asked.inputs)
        reading = str(asked.axes), str(asked.num_experts), line.trust_traced
        key = key_of(*files, shape, *reading, asked.experts, asked.least_placed, seed)
        if key not in self._read:
            try:
                read = read_case(
                    model,
                    shape,
                    given,
                    experts=asked.experts,
                    least_placed=asked.least_placed,
                    progress=self._progress,
                )
                self._read[key] = Sent.of(read)
            except RuntimeLostError:
                raise
            except MoexbarError as error:
                self._read[key] = error
        found = self._read[key]
        if isinstance(found, MoexbarError):
            raise found
        return shape, found

    def _model(self, path: Path) -> Model:
        if path not in self._models:
            self._models[path] = self._stack.enter_context(Model(path))
        return self._models[path]


def _asked(
    line: Line, asked: "CompileRequest", shape: Shape, grouping: GroupingOptions | Grouping
) -> Asked:
    """What a point asks beside model, routing and chip."""
    from moexbar.cli.options import fraction_span

    return Asked(
        shape=shape,
        fit=fraction_span(asked.fit, "--fit"),
        score=fraction_span(asked.score, "--score"),
        grouping=grouping,
        placement=asked.placement_options,
        slots=asked.slot_options,
        caches=asked.caches,
        limits=asked.limits,
        pairs=ASKED[line.baselines],
        jitter=line.jitter,
        processes=1,
    )


def located(asked: "CompileRequest", folder: Path) -> "CompileRequest":
    """The same with its files as paths from the current folder."""
    files = ("routing", "inputs", "grouping_file")
    found: dict[str, Any] = {name: getattr(asked, name) for name in files}
    found = {n: folder / p for n, p in found.items() if p is not None and not is_made_up(p)}
    if is_chip_file(asked.chip):
        found["chip"] = str(folder / asked.chip)
    if asked.stacks is not None and asked.stacks not in STACK_RULES:
        found["stacks"] = str(folder / asked.stacks)
    if asked.digital_experts is not None and (folder / asked.digital_experts).exists():
        found["digital_experts"] = str(folder / asked.digital_experts)
    return replace(asked, **found)


def is_chip_file(chip: str) -> bool:
    """Whether a chip is named by its file, not by its preset."""
    return chip.endswith(".toml") or "/" in chip or "\\" in chip


@lru_cache(maxsize=256)
def _chip(name: str, settings: tuple[str, ...]) -> Chip:
    from moexbar.cli.options import read_chip

    return read_chip(name, list(settings))
