"""All programs that the tests of the verifier judge: right ones, and wrong ones with their check.

What each stands for is said where it is made: corruptions in the room `wrong`, forms and the others
with their tests. Here they are one list, for `python -m benchmarks.mutants`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice, product
from typing import Any

from ir.compiled import Compiled
from ir.errors import CheckError
from ir.program import Program
from ir.schedule import Caches
from ir.verify import verify_mapping, verify_program
from moexbar.chips.loader import load_chip, preset_names
from tests.dies import JOINED, at_random, die_chip
from tests.ir.verify import test_verify_accepts as accepts
from tests.ir.verify import test_verify_limits as limits
from tests.ir.verify import test_verify_moves as moves
from tests.ir.verify import test_verify_replicas as replicas
from tests.ir.verify import test_verify_stacks as stacks
from tests.ir.verify import test_verify_streams as streams
from tests.ir.verify.by_role import changes_by_role
from tests.ir.verify.forms.narrow import NARROW
from tests.ir.verify.forms.rare import FORMS
from tests.ir.verify.results import results
from tests.ir.verify.single_changes import single_changes
from tests.ir.verify.wrong import every as corruptions
from tests.ir.verify.wrong import programs
from tests.ir.verify.wrong.edits import Corrupt, Make, Tables
from tests.ir.verify.wrong.stacks import stacked
from tests.make import compile_small, map_small, small_chip, small_workload
from tests.stacks import random_stacks


@dataclass(frozen=True, eq=False)
class Judged:
    """A program and the checks that refuse it; none where every check must accept it.

    kind: what was done to it. meant: the check that must be among them.
    """

    name: str
    compiled: Compiled
    kind: str = ""
    meant: str = ""

    def refused_by(self) -> tuple[str, ...]:
        """The checks that find a fault; a program on a wrong mapping is not looked at."""
        return tuple(name for name, result in self.results() if is_fault(result))

    def first_fault(self) -> str:
        """The check by which it is refused, empty if it is not."""
        c = self.compiled
        try:
            verify_mapping(c.mapping, c.workload, c.chip)
            verify_program(c)
        except CheckError as error:
            return error.check
        return ""

    def results(self) -> list[tuple[str, str]]:
        """What every check says that is run."""
        return list(results(self.compiled).items())


def is_fault(result: str) -> bool:
    """Whether a check was run and found a fault."""
    return result != "ok" and not result.startswith("not checked")


def right(every: int = 1) -> Iterator[Judged]:
    """Programs without a fault; of those that are drawn on dies and in stacks one of `every`."""
    for name, (workload, chip, window) in accepts.SHAPES.items():
        made = compile_small(small_workload(**workload), small_chip(**chip), **window)
        yield Judged(name, made)
    yield from _cached(every)
    for name in preset_names():
        made = compile_small(small_workload(experts=6, k=3, shared=1), load_chip(name))
        yield Judged(f"on {name}", made)
    yield from _on_dies(every)
    yield from _in_stacks(every)
    for name, make in (FORMS | NARROW).items():
        yield Judged(name, make())
    for make in limits.AT_LIMITS:
        yield Judged(f"at a limit: {make.__name__}", make())
    for make in (
        moves.streamed,
        moves.waiting,
        moves.decoding,
        moves.in_series,
        moves.of_two_names,
    ):
        yield Judged(f"moves: {make.__name__}", make())
    for proven in (True, False):
        yield Judged(f"moved, streams: {proven}", streams.elsewhere(streams=proven))


def _cached(every: int) -> Iterator[Judged]:
    """Every mode of the caches."""
    modes = product(
        (True, False),
        (True, False),
        (None, accepts.FIXED),
        ("digital", "crossbar"),
        ("full", "reference"),
    )
    for kv, go, capacity, router, accounting in islice(modes, 0, None, min(every, 3)):
        workload = small_workload(expert_choice=True, capacity=capacity, shared=1, masks=True)
        chip = small_chip(digital={"router_on": router}, memory={"accounting": accounting})
        caches, sequence = Caches(kv=kv, go=go), accepts.TWO_SEQUENCES
        made = compile_small(workload, chip, sequence=sequence, decode=2, caches=caches)
        yield Judged(f"kv {kv}, go {go}, {capacity}, {router}, {accounting}", made)


def _drawn(every: int) -> Iterator[tuple[int, tuple[str, Any]]]:
    return islice(enumerate(accepts.SHAPES.items()), 0, None, every)


def _on_dies(every: int) -> Iterator[Judged]:
    for number, (name, (workload, changes, window)) in _drawn(every):
        dies = list(JOINED.values())[number % len(JOINED)]
        model, sites = small_workload(**workload), at_random(dies, number)
        made = compile_small(model, die_chip(dies, **changes), sites=sites, **window)
        yield Judged(f"on dies: {name}", made)


def _in_stacks(every: int) -> Iterator[Judged]:
    for number, (name, (workload, changes, window)) in _drawn(every):
        settled, model = small_chip(**changes), small_workload(**workload)
        chip = replace(settled, pg=replace(settled.pg, stack_limit=stacks.LIMIT))
        same = {word: window[word] for word in ("pack", "copies") if word in window}
        stacking = random_stacks(map_small(model, chip, **same), chip, number)
        yield Judged(f"in stacks: {name}", compile_small(model, chip, stacks=stacking, **window))


def tables() -> Tables:
    """(the right program, corruptions of it) of the room and of every test file."""
    of_program: list[tuple[str, Corrupt]] = [
        (check, partial(_program, corrupt)) for check, corrupt in streams.CORRUPTIONS
    ]
    return [
        (replicas.base, replicas.CORRUPTIONS),
        (moves.streamed, [("moved", moves.moved_too_late)]),
        (partial(streams.elsewhere, streams=True), _moved(of_jobs=True)),
        (partial(streams.elsewhere, streams=False), _moved(of_jobs=False)),
        *corruptions.TABLES,
        (streams.base, of_program),
        (streams.base, streams.LOST),
    ]


def _moved(*, of_jobs: bool) -> list[tuple[str, Corrupt]]:
    """Parts of several tokens' values that are another's."""
    table: list[tuple[str, Corrupt]] = [
        ("moved", partial(_program, streams.part_of_another_token)),
        ("moved", partial(_program, streams.moved_for_another_token)),
        ("moved", partial(_program, streams.moved_from_another_sequence)),
    ]
    of_job = partial(_program, streams.moved_from_another_job)
    return [*table, ("moved", of_job)] if of_jobs else table


def _program(corrupt: Callable[[Program], Program], c: Compiled) -> Compiled:
    return replace(c, program=corrupt(c.program))


def wrong() -> Iterator[Judged]:
    """Programs with one fault, after the right one that it was made in."""
    seen: set[int] = set()
    for make, table in tables():
        made = make()
        for check, corrupt in table:
            if id(made) not in seen:
                seen.add(id(made))
                yield Judged(f"before {_name(corrupt)}", made)
            yield Judged(_name(corrupt), corrupt(made), "corruption", check)


def _name(corrupt: Corrupt) -> str:
    inner = corrupt.args[0] if isinstance(corrupt, partial) else corrupt
    return str(inner.__name__)


def drawn() -> Iterator[Judged]:
    """Programs with a single number changed that was drawn."""
    first: list[Make] = [programs.base, programs.stepping, programs.gates_on_input]
    first += [programs.on_dies, stacked, streams.base]
    for seed, make in enumerate([*first, *FORMS.values()]):
        for name, made in single_changes(make(), seed, 1):
            yield Judged(name, made, name.split()[0])


def by_role() -> Iterator[Judged]:
    """Programs with one thing changed in an instruction of every kind."""
    seen: set[tuple[int, ...]] = set()
    makes: list[Make] = [programs.on_dies, programs.stepping, programs.base]
    makes += [programs.stepping_without_keys, programs.on_digital_units, streams.base]
    makes += [partial(streams.elsewhere, streams=False), FORMS["one matrix an expert"]]
    makes += [FORMS["tokens that pass themselves on"], _with_inputs_kept]
    for make in makes:
        for name, made in changes_by_role(make(), seen):
            yield Judged(name, made, name)


def _with_inputs_kept() -> Compiled:
    workload = small_workload(expert_choice=True, shared=1)
    return compile_small(
        workload, sequence=accepts.TWO_SEQUENCES, decode=1, caches=Caches(go=False)
    )


def judged(every: int = 1) -> list[Judged]:
    """All of them, or fewer of the right ones."""
    return [*right(every), *wrong(), *drawn(), *by_role()]
