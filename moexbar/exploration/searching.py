"""Points that are searched for: the only importer of optuna.

Trials are asked for in batches of fixed size, and told in their order when a whole batch is done.
So the trials do not depend on who was faster, and a run that goes on asks for the same ones: what
the journal has of them is told to the sampler as it was before.
"""

from typing import TYPE_CHECKING, Any

from ir.errors import InputError
from moexbar.exploration.figures import FIGURES
from moexbar.exploration.run import Run, refuse_other_points, undone
from moexbar.exploration.sweep import Range, Setting, Settings, Sweep
from moexbar.exploration.work import Outcome

if TYPE_CHECKING:
    import optuna

EXTRA = "install what it needs: pip install 'moexbar[search]'"


def search(run: Run) -> None:
    """Carry out a search, batch by batch; what becomes of each trial is in the journal."""
    sweep = run.sweep
    study, points = _study(sweep), list[Settings]()
    while len(points) < sweep.draws:
        room = min(sweep.batch, sweep.draws - len(points))
        trials = [study.ask() for _ in range(room)]
        points += [
            {n: _drawn(trial, n, one) for n, one in sweep.ranges.items()} for trial in trials
        ]
        refuse_other_points(sweep.where, points, run.kept)
        run.points(undone(points, run.kept))
        found = {number: outcome for number, _, _, outcome in run.kept.outcomes()}
        first = len(points) - room + 1
        for number, trial in enumerate(trials, start=first):
            _tell(study, trial, found[number], sweep)


def _study(sweep: Sweep) -> "optuna.Study":
    """A study of the sweep's objectives, by a seeded tree of Parzen estimators."""
    try:
        import optuna
    except ImportError as error:
        raise InputError(f"{sweep.where}: search", "optuna is not installed", EXTRA) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    senses = {figure.name: figure.sense for figure in FIGURES}
    return optuna.create_study(
        directions=["minimize" if senses[n] == "less" else "maximize" for n in sweep.objectives],
        sampler=optuna.samplers.TPESampler(seed=sweep.seed),
    )


def _point(trial: Any, sweep: Sweep) -> Settings:
    """What a trial takes of every range."""
    return {name: _drawn(trial, name, one) for name, one in sweep.ranges.items()}


def _drawn(trial: Any, name: str, one: Range) -> Setting:
    """What a trial takes of a range."""
    if one.choices:
        found = trial.suggest_categorical(name, one.choices)
    elif one.whole:
        step = 1 if one.step is None else int(one.step)
        found = trial.suggest_int(name, int(one.low), int(one.high), step=step, log=one.log)
    else:
        found = trial.suggest_float(name, one.low, one.high, step=one.step, log=one.log)
        found = float(f"{found:.12g}")
    setting: Setting = found
    return setting


def _tell(study: "optuna.Study", trial: Any, outcome: Outcome, sweep: Sweep) -> None:
    """Tell the sampler what became of a trial; one without all objectives has failed."""
    from optuna.trial import TrialState

    found = [outcome.figures.get(name) for name in sweep.objectives]
    values = [value for value in found if value is not None]
    if outcome.status == "failed" or len(values) < len(found):
        study.tell(trial, state=TrialState.FAIL)
    else:
        study.tell(trial, values)
