"""The test images' share of the uncertainty, against simulation and the crossed bootstrap."""

import numpy as np
import pytest

from nextify.findings.blocks import student
from nextify.findings.images import crossed_bootstrap, image_variance, widened


def _study(generator, seeds, images, sd_seed, sd_image, sd_both):
    """A (seeds, images) table with mean 0 and known variance components."""
    return (
        generator.normal(size=(seeds, 1)) * sd_seed
        + generator.normal(size=(1, images)) * sd_image
        + generator.normal(size=(seeds, images)) * sd_both
    )


def test_the_image_component_is_unbiased():
    generator = np.random.default_rng(0)
    found = [image_variance(_study(generator, 2, 300, 0.1, 0.2, 0.3)) for _ in range(500)]
    assert np.mean(found) == pytest.approx(0.2**2 / 300, rel=0.05)


@pytest.mark.parametrize("sd_image", [0.0, 0.5])
def test_wide_intervals_cover_new_seeds_and_new_images(sd_image):
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(1000):
        table = _study(generator, 3, 200, 0.02, sd_image, 0.3)
        runs = table.mean(axis=1)
        half = student(2) * runs.std(ddof=1) / np.sqrt(3)
        covered += abs(runs.mean()) <= widened(half, image_variance(table))
    assert covered / 1000 > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 1000)


def test_never_narrower_than_for_new_seeds():
    assert widened(0.01, 0.0) == 0.01
    assert widened(0.0, 1.0) == pytest.approx(1.96, abs=1e-3)


def test_crossed_bootstrap_agrees_with_the_moments_where_it_should():
    """Many seeds, no interaction: the standard error of a difference by two routes."""
    generator = np.random.default_rng(2)
    skill = generator.normal(size=(2, 20, 1)) * 0.3 + np.array([1.0, 1.2])[:, None, None]
    correct = skill > generator.normal(size=(2, 1, 400)) * 1.5
    contrast = np.array([[-1.0, 1.0]])
    draws = crossed_bootstrap(correct, contrast, np.random.default_rng(3), draws=2000)
    table = correct[1].astype(float) - correct[0]
    variance = table.mean(axis=1).var(ddof=1) / 20 + image_variance(table)
    assert draws.shape == (2000, 1)
    assert draws.mean() == pytest.approx(table.mean(), abs=4 * np.sqrt(variance / 2000))
    assert draws.std() == pytest.approx(np.sqrt(variance), rel=0.15)


def test_crossed_bootstrap_is_determined_by_its_generator():
    correct = np.random.default_rng(0).random((2, 3, 50)) > 0.2
    first, again = (
        crossed_bootstrap(correct, np.eye(2), np.random.default_rng(7), draws=20) for _ in "ab"
    )
    assert np.array_equal(first, again)
