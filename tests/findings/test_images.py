"""The test images' share of the uncertainty, against simulation and known components."""

import numpy as np
import pytest

from nextify.experiments.intervals import student
from nextify.findings.images import image_variance, widened


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
