"""How the noise is described."""

import numpy as np
import pytest

from nextify.findings.blocks import fit_blocks

from .simulate import tables


def test_correlation_is_recovered_and_its_interval_covers():
    generator = np.random.default_rng(0)
    studies = tables(generator, 400, cells=6, seeds=4, correlation=0.5)
    found = [fit_blocks(scores).correlation[1] for scores in studies]
    covered = [between.low <= 0.5 <= between.high for between in found]
    assert np.mean(covered) == pytest.approx(0.95, abs=4 * np.sqrt(0.95 * 0.05 / 400))
    many = fit_blocks(tables(generator, 1, cells=6, seeds=150, correlation=0.5)[0])
    assert many.correlation[0] == pytest.approx(0.5, abs=0.15)
    assert many.pairing == pytest.approx(np.sqrt(0.5), abs=0.15)


@pytest.mark.parametrize("seeds", [2, 3])
def test_equal_spread_is_rarely_called_unequal(seeds):
    studies = tables(np.random.default_rng(seeds), 600, cells=15, seeds=seeds)
    called = np.mean([fit_blocks(scores).uneven.clearly for scores in studies])
    assert called < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 600)


def test_a_noisy_cell_is_named():
    scores = tables(np.random.default_rng(5), 1, cells=15, seeds=3)[0]
    scores[0] += [0.1, -0.1, 0.0]
    found = fit_blocks(scores).uneven
    assert found.cell == 0 and found.clearly
    assert found.sd > 10 * found.others


@pytest.mark.parametrize("cells, seeds", [(2, 2), (15, 1), (1, 5)])
def test_too_little_to_check(cells, seeds):
    scores = tables(np.random.default_rng(0), 1, cells=cells, seeds=seeds)[0]
    assert fit_blocks(scores).uneven is None
