"""Standard errors by formula, against simulation and run by run."""

import numpy as np
import pytest

from nextify.errors import InputError
from nextify.experiments.coding import model_matrix
from nextify.experiments.fractions import ATTRIBUTE, SCREEN, fraction, full, with_ends
from nextify.experiments.optimal import augment
from nextify.experiments.permutations import add_one_in, leave_one_out, path_cells
from nextify.experiments.precision import one_at_a_time_error, standard_error

DRAWS = 4000


def _close_to(want, draws=DRAWS):
    """Four standard errors of a standard deviation from so many draws."""
    return pytest.approx(want, rel=4 / np.sqrt(2 * draws))


def test_one_factor_at_a_time_needs_more_than_four_times_the_runs_of_the_default_plan():
    """64 cells x 2 seeds against 9 cells and as many runs: 4.5 times as many for the same error."""
    fractions = standard_error(fraction(8, ATTRIBUTE).levels, replicates=2)
    np.testing.assert_allclose(fractions, 2 / np.sqrt(128))
    alone = one_at_a_time_error(8, 128)
    assert (round(fractions[0], 3), alone) == (0.177, 0.375)
    assert (alone / fractions[0]) ** 2 == pytest.approx(4.5)


def test_the_same_by_simulation():
    generator = np.random.default_rng(0)
    levels = fraction(8, ATTRIBUTE).levels
    truth = generator.normal(size=37)
    x = model_matrix(np.repeat(levels, 2, axis=0))
    scores = x @ truth + generator.normal(size=(DRAWS, 128))
    fitted = 2 * np.linalg.lstsq(x, scores.T, rcond=None)[0][1:9]
    assert fitted.std(axis=1) == _close_to(standard_error(levels, 2))
    assert fitted.mean(axis=1) == pytest.approx(2 * truth[1:9], abs=4 * 0.177 / np.sqrt(DRAWS))


@pytest.mark.parametrize("cells", [path_cells, leave_one_out, add_one_in])
def test_one_at_a_time_by_simulation(cells):
    """Every way of changing one factor at a time: differences of two cells' means."""
    generator = np.random.default_rng(1)
    each = 14  # runs a cell, 126 together
    means = generator.normal(size=(DRAWS, 9, each)).mean(axis=2)
    levels = cells(8)
    base = np.arange(8) if cells is path_cells else np.zeros(8, dtype=int)
    assert ((levels[1:] != levels[base]).sum(axis=1) == 1).all()
    effects = means[:, 1:] - means[:, base]
    assert effects.std(axis=0) == _close_to(np.full(8, one_at_a_time_error(8, 9 * each)))


def test_the_best_division_of_runs_for_one_at_a_time():
    """Nine factors, 144 runs: 36 of the base and 12 of each other cell; none is better."""
    found = one_at_a_time_error(9, 144, best=True)
    assert found == pytest.approx(np.sqrt(1 / 36 + 1 / 12))
    others = [np.sqrt(1 / (144 - 9 * runs) + 1 / runs) for runs in range(1, 16)]
    assert min(others) == pytest.approx(found)
    # against it the default plan of eight factors needs 3.7 times fewer runs
    assert (one_at_a_time_error(8, 128, best=True) ** 2) * 128 / 4 == pytest.approx(3.66, abs=0.01)


@pytest.mark.parametrize("model", ["main", "interactions"])
def test_unbalanced_plans_run_by_run(model):
    """Each run a row, by QR; in `standard_error` each cell is one, with its number of runs."""
    levels = np.concatenate([fraction(6, SCREEN).levels, augment(fraction(6, SCREEN).levels, 9)])
    runs = np.random.default_rng(2).integers(1, 4, len(levels))
    r = np.linalg.qr(model_matrix(np.repeat(levels, runs, axis=0), model), mode="r")
    want = 2 * np.linalg.norm(np.linalg.inv(r), axis=1)[1:7]
    np.testing.assert_allclose(standard_error(levels, runs.tolist(), model), want)


def test_extra_runs_of_the_ends_help_and_a_missing_cell_hurts():
    levels = with_ends(fraction(8, ATTRIBUTE).levels)
    ends = np.abs(levels.sum(axis=1, dtype=int)) == 8
    plain = standard_error(levels, 2)
    assert (standard_error(levels, np.where(ends, 6, 2).tolist()) < plain).all()
    assert (standard_error(levels, [0] + [2] * 64) > plain).any()


def test_a_screen_tells_main_effects_though_interactions_are_aliased():
    screen = fraction(8, SCREEN).levels
    for model in ("main", "interactions"):
        np.testing.assert_allclose(standard_error(screen, 2, model), 2 / np.sqrt(32))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: standard_error(path_cells(8)), "9 cells .* A, B.*augment.*'main'"),
        (lambda: standard_error(full(3).levels[:4], 1, "main"), "main effects of C from"),
        (lambda: standard_error(full(2).levels, 0), "replicates: 0"),
        (lambda: standard_error(full(2).levels, [1, 1, -1, 1]), "replicates"),
        (lambda: standard_error(full(2).levels, [1, 1, 1]), "3 numbers for 4 cells"),
        (lambda: one_at_a_time_error(8, 8), "runs: 8 for 8 factors; give at least 9"),
        (lambda: one_at_a_time_error(0, 8), "runs: 8 for 0 factors"),
    ],
)
def test_refused_at_the_door(call, message):
    with pytest.raises(InputError, match=message):
        call()
