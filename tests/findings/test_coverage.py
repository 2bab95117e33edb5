"""The simulation behind docs/attribution.md, small: intervals hold where the truth is known."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="module")
def study():
    path = Path(__file__).parents[2] / "scripts" / "attribution_coverage.py"
    spec = importlib.util.spec_from_file_location("attribution_coverage", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def near(share, n, want=0.95):
    """Within four Monte-Carlo standard errors."""
    return abs(np.mean(share) - want) <= 4 * np.sqrt(want * (1 - want) / n)


@pytest.mark.parametrize("which", [3, 5])
def test_coverage(study, which):
    scenario = study.SCENARIOS[which]
    tally = study.simulate(scenario, studies=120, seed=which)
    assert tally.studies == 120
    assert near(tally.single, 120) and near(tally.simultaneous, 120) and near(tally.gap, 120)
    error = np.std(tally.values, axis=0, ddof=1)
    bias = np.mean(tally.values, axis=0) - scenario.main_effects()
    assert np.all(np.abs(bias) < 4.5 * error / np.sqrt(120))
    assert error == pytest.approx(np.mean(tally.errors, axis=0), rel=0.3)


def test_the_gap_finds_a_three_factor_interaction(study):
    tally = study.simulate(study.SCENARIOS[2], studies=60, seed=0)
    assert near(tally.single, 60)  # of the main effects, whatever the model leaves out
    assert np.mean(tally.gap_found) > 0.6


def test_wide_intervals_cover_new_images(study):
    found = study.simulate_images(studies=60, seed=0, images=200)
    assert found["single, wide"] == pytest.approx(0.95, abs=0.05)
    assert found["simultaneous, wide"] > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 60)
    assert found["single, narrow"] < 0.85  # they cover new seeds only, and say so


def test_four_times_fewer_runs_than_one_at_a_time(study):
    fraction, single = study.efficiency(20_000, seed=0)
    assert (single / fraction) ** 2 * 126 / 128 > 4
