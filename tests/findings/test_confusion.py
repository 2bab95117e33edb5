"""Scores by class and calibration, against scikit-learn and scipy's optimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn import metrics
from sklearn.calibration import calibration_curve

from nextify.findings.calibration import error_by_chance, reliability, temperature_of
from nextify.findings.confusion import by_class, confusion


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize("classes, images", [(2, 40), (7, 300), (200, 2000)])
def test_equal_to_scikit_learn(rng, classes, images):
    labels = np.concatenate([np.arange(classes), rng.integers(classes, size=images) // 2])
    answers = np.where(
        rng.random(len(labels)) < 0.6, labels, rng.integers(classes, size=len(labels))
    )
    counts = confusion(labels, answers, classes)
    every = np.arange(classes)
    assert (counts == metrics.confusion_matrix(labels, answers, labels=every)).all()
    want = metrics.precision_recall_fscore_support(
        labels, answers, labels=every, zero_division=np.nan
    )
    found = by_class(counts)
    for ours, theirs in zip((found.precision, found.recall, found.f1), want, strict=False):
        np.testing.assert_allclose(np.array(ours, float), theirs, rtol=1e-12)  # None is NaN


def test_classes_without_images_or_answers():
    counts = confusion([0, 0, 1], [0, 3, 0], 5)  # 1 is never answered, 3 has no image, 2 neither
    found = by_class(counts)
    assert found.recall == (0.5, 0.0, None, None, None)
    assert found.precision == (0.5, None, None, 0.0, None)
    assert found.f1 == (0.5, 0.0, None, 0.0, None)


def test_reliability_is_scikit_learns_curve(rng):
    confidence = rng.uniform(0.2, 0.99, 500)
    correct = rng.random(500) < confidence
    share, mean = calibration_curve(correct, confidence, n_bins=15)
    found = reliability(confidence, correct, 15)
    np.testing.assert_allclose([each.accuracy for each in found], share)
    np.testing.assert_allclose([each.confidence for each in found], mean)
    assert sum(each.n for each in found) == 500
    assert all(each.interval.low <= each.accuracy <= each.interval.high for each in found)
    assert reliability(np.array([1.0, 0.0]), np.array([True, False]), 15)[-1].high == 1.0


def test_the_error_of_right_probabilities_is_what_chance_makes(rng):
    confidence = rng.uniform(0.3, 1, 400)
    errors = []
    for _ in range(200):
        found = reliability(confidence, rng.random(400) < confidence, 15)
        errors.append(sum(b.n * abs(b.accuracy - b.confidence) for b in found) / 400)
    assert error_by_chance(confidence, 15) == pytest.approx(np.mean(errors), rel=0.08)


@pytest.mark.parametrize("true", [0.3, 1.0, 4.0])
def test_the_temperature_is_found_and_is_the_most_likely(rng, true):
    logits = rng.normal(size=(4000, 6)) * 2
    labels = (log_softmax(logits, 1) + rng.gumbel(size=logits.shape)).argmax(1)
    given = log_softmax(logits * true, 1)
    found = temperature_of(given.astype(np.float32), labels)
    assert found == pytest.approx(true, rel=0.1)

    def loss(temperature):
        return -log_softmax(given / temperature, 1)[np.arange(len(labels)), labels].mean()

    best = minimize_scalar(loss, bounds=(0.01, 100), method="bounded", options={"xatol": 1e-7}).x
    assert found == pytest.approx(best, rel=1e-4)


def test_no_temperature_where_all_is_right_or_nothing_is_known():
    logits = np.eye(3) * 4
    assert temperature_of(logits, np.arange(3)) is None
    assert temperature_of(logits, np.array([1, 2, 0])) is None
