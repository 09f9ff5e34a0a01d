"""`mx.explore`: a sweep carried out, its journal kept, its results written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ir.errors import InputError
from ir.undisturbed import undisturbed
from moexbar.arguments import check, check_path, whole
from moexbar.exploration.folder import COMMAND, begin, finish, held, prepare
from moexbar.exploration.journal import Journal, journal
from moexbar.exploration.meaning import meaning_of, refuse_changed
from moexbar.exploration.prepare import Preparing
from moexbar.exploration.results import Results, read_results, write_results
from moexbar.exploration.run import Run, undone
from moexbar.exploration.sweep import Sweep
from moexbar.exploration.sweep_file import read_sweep
from moexbar.exploration.team import Processes, Team
from moexbar.files.output import read_output
from moexbar.progress import Progress, Quiet
from moexbar.report.explored import ExploreReport, ReasonRow

if TYPE_CHECKING:
    import pandas as pd

QUIET = Quiet()
MOST_REASONS = 10


@dataclass(frozen=True, eq=False)
class Explored:
    """A sweep that is done: the folder of its results, and what is told of them."""

    folder: Path
    report: ExploreReport

    @property
    def results(self) -> Results:
        """The table of results, read from its file."""
        return read_results(read_output(self.folder, (COMMAND,)))

    def to_pandas(self) -> "pd.DataFrame":
        """The table of results: a row for each point."""
        found: pd.DataFrame = self.results.table.to_pandas()
        return found


def explore(
    sweep: Path | str | Mapping[str, Any],
    output: Path | str,
    *,
    resume: bool = False,
    processes: int | None = None,
    cluster: str | None = None,
    trust_network: bool = False,
    progress: Progress = QUIET,
) -> Explored:
    """Compile every point of a sweep: the file's, or tables of the same form (docs/explore.md).

    output: folder of journal and results; resume: go on with what is in it. processes: of this
    machine, None: as cores; cluster: address of a Dask scheduler instead; trust_network: one that
    is neither of this machine nor reached by TLS. A script needs its `if __name__ == "__main__"`
    line. A point that fails is a row with its reason. Raises InputError naming file and field,
    FolderBusyError.
    """
    check_path("output", output, "the path of a folder")
    check("sweep", sweep, (Path, str, Mapping), "the path of a sweep (TOML), or its tables")
    many = (cpu_count() or 1) if processes is None else whole("processes", processes, 1)
    if cluster is not None and processes is not None:
        raise InputError("explore", "both processes and a cluster", "give one of them")
    asked = read_sweep(sweep)
    meaning = meaning_of(asked)
    with held(Path(output), resume=resume) as folder, _team(many, cluster, trust_network) as team:
        prepare(folder)
        with journal(folder) as kept:
            if before := kept.asked():
                refuse_changed(str(folder), before, meaning)
            begin(folder)
            kept.begin(meaning)
            known = len(kept.attempts())
            try:
                with _ended(team):
                    _carry_out(asked, kept, team, progress)
            finally:
                with undisturbed():
                    write_results(folder, asked, kept)
            report = _report(asked, kept, known)
        finish(folder)
    return Explored(folder, report)


@contextmanager
def _team(processes: int, cluster: str | None, trust_network: bool) -> Iterator[Team]:
    """Who works; all of it ends with the block, however that ends."""
    team: Team
    if cluster is None:
        team = Processes(processes)
    else:
        from moexbar.exploration.cluster import Cluster

        team = Cluster(cluster, trust_network=trust_network)
    with _ended(team):
        yield team


@contextmanager
def _ended(team: Team) -> Iterator[None]:
    """End a team when the block ends: of one that has ended already, nothing."""
    try:
        yield
    finally:
        with undisturbed():
            team.stop()


def _carry_out(sweep: Sweep, kept: Journal, team: Team, progress: Progress) -> None:
    """Every point that is not done."""
    with Preparing(sweep.folder, progress) as preparing:
        run = Run(sweep, kept, preparing, team, progress)
        if sweep.kind == "search":
            from moexbar.exploration.searching import search

            search(run)
        else:
            run.points(undone(sweep.points(), kept))


def _report(sweep: Sweep, kept: Journal, known: int) -> ExploreReport:
    """How many points are done, and why others failed."""
    reasons: dict[str, list[int]] = {}
    done = 0
    for number, _, _, outcome in kept.outcomes():
        if outcome.status == "done":
            done += 1
        else:
            reasons.setdefault(outcome.reason, []).append(number)
    often = sorted(reasons.items(), key=lambda one: (-len(one[1]), one[1]))
    rows = tuple(
        ReasonRow(reason, len(numbers), numbers[0]) for reason, numbers in often[:MOST_REASONS]
    )
    failed = sum(map(len, reasons.values()))
    groups = len(kept.groups())
    return ExploreReport(sweep.where, sweep.kind, done + failed, done, failed, known, groups, rows)
