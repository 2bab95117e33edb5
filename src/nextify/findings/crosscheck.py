"""The same runs seen by other people's tools: Optuna's fANOVA and shapiq. Optional.

Neither gives an interval, and fANOVA no sign: they are a check, not the answer. Both are installed
by `pip install 'nextify[crosscheck]'`.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from nextify.errors import InputError
from nextify.findings.cells import gather
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.model import model


def fanova_importances(runs: FactorRuns, seed: int = 0) -> dict[str, float]:
    """Each factor's share of the score's variance over all subsets, by Optuna's random forest.

    Functional analysis of variance (Hutter, Hoos and Leyton-Brown 2014, ICML). The shares are not
    negative and sum to 1.

    Raises:
        InputError: Optuna is not installed, or fewer than two runs have a score, or all the same.
    """
    optuna = _imported("optuna")
    importance = import_module("optuna.importance")
    known = np.flatnonzero(runs.finished)
    if len(known) < 2:
        raise InputError(f"{len(known)} runs have a score; fANOVA needs two or more")
    if not np.ptp(runs.values[known]):
        raise InputError("all runs have the same score: there is no variance to share out")
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        study = optuna.create_study(direction="maximize")
        made = optuna.distributions.CategoricalDistribution([False, True])
        for at in known:
            trial = optuna.trial.create_trial(
                params=dict(zip(runs.columns, (runs.levels[at] > 0).tolist(), strict=True)),
                distributions=dict.fromkeys(runs.columns, made),
                value=float(runs.values[at]),
            )
            study.add_trial(trial)
        found = importance.get_param_importances(
            study, evaluator=importance.FanovaImportanceEvaluator(seed=seed)
        )
    finally:
        optuna.logging.set_verbosity(verbosity)
    return {name: float(found[name]) for name in runs.factors}


def shapiq_values(runs: FactorRuns) -> dict[str, float]:
    """Each factor's Shapley value by shapiq's exact computer.

    Of the cells' means if all subsets have one, otherwise of the two-factor model's predictions.

    Raises:
        InputError: shapiq is not installed, or the cells do not determine the two-factor model.
    """
    shapiq = _imported("shapiq")
    cells = gather(runs)
    pairs = model(cells.levels, cells.rate, 2, cells.crossed)
    count = len(runs.factors)
    if pairs.rank < pairs.matrix.shape[1] or pairs.fixed.any():
        raise InputError(
            f"{len(cells.counts)} cells have a score, which do not determine all interactions of "
            f"{count} factors; run an experiment of resolution 5"
        )

    measured = len(cells.counts) == len(np.unique(cells.settings())) << count

    def game(coalitions: Any) -> Any:
        levels = np.where(np.asarray(coalitions), 1, -1).astype(np.int8)
        if not measured:
            averaged = np.pad(levels, ((0, 0), (0, cells.crossed)))
            return pairs.weights(pairs.at(averaged)) @ cells.means
        found = [cells.means[(cells.choices == row).all(axis=1)].mean() for row in levels]
        return np.array(found)

    values = shapiq.ExactComputer(n_players=count, game=game)("SV")
    return {name: float(values[(at,)]) for at, name in enumerate(runs.factors)}


def _imported(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise InputError(
            f"the cross-check needs {name}, which is not installed; "
            "install it with: pip install 'nextify[crosscheck]'"
        ) from error
