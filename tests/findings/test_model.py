"""Least squares on coded factors against statsmodels; what cells can tell, by hand."""

from dataclasses import replace

import numpy as np
import pytest
import scipy
import statsmodels.api as sm

from nextify.experiments.coding import columns, effects
from nextify.experiments.fractions import (
    ATTRIBUTE,
    SCREEN,
    crossing,
    fraction,
    full,
    with_ends,
)
from nextify.findings.cells import gather
from nextify.findings.factor_runs import FactorRuns
from nextify.findings.model import (
    aliases,
    fitted_cells,
    lack_of_fit,
    least_squares,
    model,
)

from .factorial import default_levels


def runs(levels, counts, seed=0, truth=None):
    """An experiment with `counts` runs a cell and heteroscedastic noise."""
    rng = np.random.default_rng(seed)
    cell = np.repeat(np.arange(len(levels)), counts)
    at = levels[cell]
    mean = at[:, 0] * 0.5 if truth is None else truth(at)
    values = mean + np.where(at[:, 1] > 0, 2, 1) * rng.normal(size=len(cell))
    k = levels.shape[1]
    return FactorRuns(
        factors=tuple(f"f{j}" for j in range(k)),
        score="nll",
        levels=at,
        cell=cell,
        seed=np.arange(len(cell)),
        values=values,
        rate=np.ones(len(cell)),
        became=("finished",) * len(cell),
    )


@pytest.mark.parametrize("order", [1, 2])
def test_coefficients_and_errors_are_statsmodels(order):
    levels = default_levels()
    experiment = runs(levels, np.random.default_rng(1).integers(1, 4, len(levels)))
    matrix = columns(experiment.levels, effects(8, order))
    mine = least_squares(matrix, experiment.values)
    theirs = sm.OLS(experiment.values, matrix).fit()
    np.testing.assert_allclose(mine.coefficients, theirs.params, atol=1e-12)
    np.testing.assert_allclose(mine.classical, theirs.bse, atol=1e-12)
    np.testing.assert_allclose(mine.hc3, theirs.HC3_se, atol=1e-12)
    assert mine.df == theirs.df_resid
    assert mine.squares == pytest.approx(theirs.ssr)


def test_a_column_that_is_another_has_no_coefficient():
    levels = fraction(4, SCREEN)
    which = effects(4, 2)
    found = least_squares(columns(levels, which), np.arange(8.0))
    lost = {which[at] for at in np.flatnonzero(np.isnan(found.coefficients))}
    assert lost == {term for term in which if len(term) == 2}


def test_lack_of_fit_is_the_f_test_of_nested_models():
    levels = full(4)
    light = np.random.default_rng(0).uniform(size=32)  # no heavy tails to allow for
    cells = gather(replace(runs(levels, 2), values=light))
    tested = lack_of_fit(cells, model(cells.levels, cells.rate, 1))
    values = cells.values
    small = sm.OLS(values, columns(cells.levels, effects(4, 1))[cells.index()]).fit()
    large = sm.OLS(values, np.eye(16)[cells.index()]).fit()
    f, p, df = large.compare_f_test(small)
    assert (tested.f, tested.p, tested.df_lack) == pytest.approx((f, p, df))
    assert tested.df_pure == 16


def test_lack_of_fit_is_of_all_effects_that_all_cells_tell_apart():
    """The ends that a fraction has beside it tell effects apart that are aliased without them."""
    levels = with_ends(crossing(4, 2, SCREEN), 2)
    assert len(levels) == 22
    noise = np.where(np.arange(44) % 2, 1.0, -1.0)  # no heavy tails to allow for
    cells = gather(replace(runs(levels, 2), values=noise))
    tested = lack_of_fit(cells, model(cells.levels, cells.rate, 2, crossed=2))
    rank = np.linalg.matrix_rank(columns(levels, effects(6, 2)))
    assert tested.df_lack == pytest.approx(22 - rank) == 5


def test_lack_of_fit_has_fewer_degrees_of_freedom_under_heavy_tails():
    levels = full(4)
    of = runs(levels, np.where(np.arange(16) < 6, 3, 1))
    of.values[0] += 12  # one run that stands out
    cells = gather(of)
    fitted = model(cells.levels, cells.rate, 1)
    tested = lack_of_fit(cells, fitted)
    x = fitted.matrix[cells.index()]
    left = np.eye(len(x)) - x @ np.linalg.pinv(x)
    r = left @ cells.values
    variance = r @ r / (len(x) - 5)
    normal = 3 * variance**2 * np.sum(np.diag(left) ** 2)
    kurtosis = (np.sum(r**4) - normal) / variance**2 / np.sum(left**4)
    assert kurtosis > 1
    tails = 1 + kurtosis / 2
    assert (tested.df_lack, tested.df_pure) == pytest.approx((11 / tails, 12 / tails))
    assert tested.p == pytest.approx(scipy.stats.f.sf(tested.f, tested.df_lack, tested.df_pure))


def test_lack_of_fit_is_seldom_seen_in_heavy_tails_where_the_model_fits():
    """Of cells of one run, few of two: the F test by itself says so in one study of four."""
    levels = full(6)
    rng, said = np.random.default_rng(1), []
    empty = runs(levels, np.where(np.arange(64) % 4 == 0, 2, 1))
    cells = gather(empty)
    fitted = model(cells.levels, cells.rate, 2)
    for _ in range(300):
        noise = rng.standard_t(3, size=len(empty.values))
        tested = lack_of_fit(gather(replace(empty, values=noise)), fitted)
        plain = scipy.stats.f.sf(tested.f, 64 - 22, 16)
        said.append((tested.p < 0.05, plain < 0.05))
    allowed, plain = np.mean(said, axis=0)
    assert allowed < 0.06 and plain > 0.15


def test_resolution_five_tells_everything_and_four_the_main_effects():
    for resolution, all_pairs in ((ATTRIBUTE, True), (SCREEN, False)):
        levels = fraction(8, resolution)
        found = model(levels, np.ones(len(levels)), 2)
        main = [(j,) for j in range(8)]
        pairs = [term for term in found.terms if len(term) == 2]
        assert found.estimable(found.unit(main)).all()
        assert found.estimable(found.unit(pairs)).all() == all_pairs


def test_a_factor_that_never_varies_is_not_told():
    levels = np.column_stack([full(2), -np.ones(4, np.int8)])
    found = model(levels, np.ones(4), 2)
    assert found.fixed.tolist() == [0, 0, -1]
    assert found.estimable(found.unit([(0,), (2,)])).tolist() == [True, False]
    assert found.estimable(found.at(np.array([[1, 1, -1], [1, 1, 1]]))).tolist() == [True, False]


def test_an_added_end_cell_does_not_enter_a_balanced_fit():
    levels = default_levels()
    kept = fitted_cells(levels)
    assert kept.sum() == 64 and (levels[~kept] == -1).all()
    assert fitted_cells(levels[3:]).all()  # no longer balanced: every cell is needed


def test_aliases_of_main_effects_in_a_half_fraction():
    levels = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=np.int8)  # C = AB
    found = aliases(model(levels, np.ones(4), 1), levels, [(0, 1), (0, 2), (1, 2)])
    np.testing.assert_allclose(found[1:], [[0, 0, 1], [0, 1, 0], [1, 0, 0]], atol=1e-12)
