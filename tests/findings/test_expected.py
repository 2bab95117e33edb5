"""The accuracy to expect of the best of several: by a slow reckoning, and where truth is known."""

import numpy as np
import pytest

from nextify.findings.best import MANY, compare_with_best, dunnett, largest_t
from nextify.findings.expected import crossfitted, to_expect
from nextify.findings.images import image_variance, image_variances


def finals(rng, true=(0.8, 0.8, 0.79, 0.78), seeds=4, images=120, own=0.3):
    """(k, seeds, images) correct answers: difficulty is shared, `own` is a design's part."""
    level = rng.normal(size=images) + own * rng.normal(size=(len(true), images))
    chance = np.clip(np.array(true)[:, None] + 0.1 * level, 0, 1)
    return rng.random((len(true), seeds, images)) < chance[:, None]


def slowly(correct, folds):
    """Cross-fitting as it is told, image by image."""
    k, seeds, images = correct.shape
    total = 0.0
    for seed in range(seeds):
        for image in range(images):
            others = [s for s in range(seeds) if s != seed]
            kept = [i for i in range(images) if i % folds != image % folds]
            means = [correct[d][np.ix_(others, kept)].mean() for d in range(k)]
            total += correct[int(np.argmax(means)), seed, image]
    return total / (seeds * images)


def test_cross_fitting_against_a_slow_reckoning():
    correct = finals(np.random.default_rng(0), images=37)
    scores = correct.mean(axis=2)
    found = to_expect(compare_with_best(scores, [True] * 4, correct), scores, correct)
    assert found.new_images and found.value == pytest.approx(slowly(correct, 10), abs=1e-12)
    by_seeds = to_expect(compare_with_best(scores, [True] * 4), scores, None)
    left = [np.delete(scores, s, axis=1).mean(axis=1).argmax() for s in range(4)]
    assert by_seeds.value == pytest.approx(np.mean([scores[d, s] for s, d in enumerate(left)]))
    assert not by_seeds.new_images


def test_missing_runs_and_designs_that_may_not_win():
    parts = np.array([[[9.0], [9.0], [np.nan]], [[5.0], [5.0], [7.0]]])
    assert crossfitted(parts, np.array([10.0])) == pytest.approx((9 + 9) / 20)
    scores = parts[:, :, 0] / 10
    best = compare_with_best(scores, [False, True])
    assert to_expect(best, scores, None).value == pytest.approx(17 / 30)


def test_one_seed_and_no_score_say_nothing():
    one = np.array([[0.5], [0.6]])
    assert to_expect(compare_with_best(one, [True] * 2), one, None) is None
    none = np.full((2, 3), np.nan)
    assert to_expect(compare_with_best(none, [True] * 2), none, None) is None


def test_it_is_right_on_average_where_the_highest_mean_is_not():
    """Four designs that are alike, or nearly so; 600 cases, three standard errors."""
    rng, found = np.random.default_rng(1), []
    for _ in range(600):
        correct = finals(rng)
        scores = correct.mean(axis=2)
        best = compare_with_best(scores, [True] * 4, correct)
        # what is common to all designs has no part in the bias, and is taken out of its error
        luck = np.mean(best.means) - np.mean([0.8, 0.8, 0.79, 0.78])
        true = (0.8, 0.8, 0.79, 0.78)[best.winner] + luck
        told = to_expect(best, scores, correct)
        found.append((best.means[best.winner] - true, told.value - true))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    assert mean[0] > 0.01 > 5 * error[0]
    assert abs(mean[1]) < 3 * error[1] < 0.006


def test_images_make_margins_wider_as_their_variance_says():
    correct = finals(np.random.default_rng(2), true=(0.8, 0.79), own=3.0)
    best = compare_with_best(correct.mean(axis=2), [True, True], correct)
    between = image_variance(correct[0].astype(float) - correct[1])
    assert best.images[0, 1] == best.images[1, 0] == between > 0
    assert best.images[0, 0] == image_variance(correct[0].astype(float))
    at, other = best.winner, 1 - best.winner
    ahead = best.means[at] - best.means[other]
    seeds = dunnett(1, best.model.df_residual) * best.model.residual_sd * np.sqrt(2 / 4)
    assert best.margin == pytest.approx(max(0, seeds - ahead))
    images = dunnett(1, MANY) * np.sqrt(between)
    assert best.margin_wide == pytest.approx(np.hypot(seeds, images) - ahead)
    half = largest_t(2, best.df[0]) * np.sqrt(best.variances[0])
    more = largest_t(2, MANY) * np.sqrt(best.images[0, 0])
    assert best.wide[0].half == pytest.approx(np.hypot(half, more))


def test_quantiles_of_what_is_as_good_as_known():
    """Without estimated spread they are the normal distribution's: 1.6449 and 1.9600."""
    assert dunnett(1, MANY) == pytest.approx(1.644854, abs=1e-4)
    assert largest_t(1, MANY) == pytest.approx(1.959964, abs=1e-4)


def test_only_common_seeds_make_a_difference():
    correct = finals(np.random.default_rng(3))
    has = np.ones((4, 4), dtype=np.bool_)
    has[1, 0], has[2] = False, False
    found = image_variances(correct, has)
    both = correct[0, 1:].astype(float) - correct[1, 1:]
    assert found[0, 1] == image_variance(both) and np.isnan(found[2]).all()


def test_a_design_that_new_images_may_turn_is_not_called_worse():
    """Seeds agree that one is better, but only on a few images."""
    correct = np.zeros((2, 5, 200), dtype=np.bool_)
    correct[:, :, :150] = True
    correct[1, :, 140:150], correct[1, :, 150:155] = False, True
    for seed in range(5):
        correct[:, seed, 160 + seed] = True
    correct[0, 0, 170] = True
    scores = correct.mean(axis=2)
    same = compare_with_best(scores, [True, True])
    new = compare_with_best(scores, [True, True], correct)
    assert same.winner == new.winner == 0
    assert not same.may_be_best(1) and new.may_be_best(1)
    assert same.margin == 0 < new.margin_wide
