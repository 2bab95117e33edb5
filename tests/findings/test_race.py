"""Who leaves a race, and that its level and the finals' choice are as said."""

import numpy as np
import pytest
import scipy

from nextify.findings.best import compare_with_best, dunnett, largest_t
from nextify.findings.race import finalists, is_over, leaving

RNG = np.random.default_rng(0)


def raced(*curves: tuple[float, ...], sd: float = 0.002, seeds: int = 3) -> np.ndarray:
    """(k, numbers, seeds) of candidates' accuracies."""
    noise = np.random.default_rng(1).normal(size=(len(curves), len(curves[0]), seeds))
    return np.array(curves)[:, :, None] + sd * noise


def test_levels_are_those_of_student():
    for df in (3, 14):
        assert dunnett(1, df, 0.99) == pytest.approx(scipy.stats.t.ppf(0.99, df), rel=1e-3)
        assert largest_t(1, df, 0.99) == pytest.approx(scipy.stats.t.ppf(0.995, df), rel=1e-3)


def test_a_higher_level_names_more():
    scores = np.array([[0.80, 0.82, 0.81], [0.85, 0.87, 0.855], [0.77, 0.785, 0.79]])
    told = [compare_with_best(scores, [True] * 3, level=level) for level in (0.95, 0.9999)]
    assert [found.may_be_best(0) for found in told] == [False, True]


def test_nobody_leaves_by_one_number_of_images():
    assert not leaving(raced((0.9,), (0.1,)), None, [100], 800).any()


@pytest.mark.parametrize(
    ("slow", "leaves"),
    [((0.60, 0.61), True), ((0.40, 0.61), False)],  # behind the leader by as much on the last lap
)
def test_one_that_is_catching_up_stays(slow, leaves):
    scores = raced((0.70, 0.72), slow, (0.69, 0.72))
    assert leaving(scores, None, [100, 200], 400).tolist() == [False, leaves, False]


def test_carried_on_to_all_images_by_logarithms():
    """0.05 more a doubling: two more doublings make up for 0.09, one does not."""
    scores = raced((0.70, 0.70), (0.56, 0.61), (0.70, 0.70), sd=1e-4)
    assert leaving(scores, None, [100, 200], 800).tolist() == [False, False, False]
    assert leaving(scores, None, [100, 200], 400).tolist() == [False, True, False]


def test_few_held_out_images_let_nobody_leave():
    """All seeds agree on which of 20 images are right: that says little of others."""
    right = np.zeros((2, 2, 3, 20), dtype=bool)
    right[0, :, :, :14] = right[1, :, :, 2:12] = True
    many = np.tile(right, (1, 1, 1, 100))
    noise = np.linspace(0, 1e-3, 12).reshape(2, 2, 3) ** 2
    for correct, out in ((right, False), (many, True)):
        scores = correct.mean(axis=3) + noise
        assert leaving(scores, correct, [100, 200], 400).any() == out


def test_the_race_ends_when_few_are_left_but_not_before_its_second_lap():
    assert not is_over(0, 3, 4, 4) and not is_over(1, 3, 4, 4) and is_over(2, 3, 4, 4)
    assert not is_over(2, 3, 5, 4) and is_over(3, 3, 8, 4) and is_over(1, 1, 8, 4)


def test_the_cheapest_that_is_left_goes_to_the_finals():
    means = np.array([0.9, 0.8, 0.7, 0.6, np.nan])
    costs = [5.0, 4.0, 3.0, 1.0, 9.0]
    assert finalists(means, [0, 1, 2, 3, 4], costs, 3) == [0, 1, 3]
    assert finalists(means, [0, 1, 2, 4], costs, 2) == [0, 2]
    assert finalists(means, [0, 4], costs, 4) == [0, 4]
