"""From a plan and its records to means, differences and intervals."""

import numpy as np
import pytest
from scipy import stats

from nextify.findings import grid, measure_steps, scores
from nextify.findings.scores import correctness

from .simulate import failure, plan, record

IMAGES = 500


@pytest.fixture
def study():
    generator = np.random.default_rng(0)
    known = plan(cells=3, seeds=3)
    skill = [0.8, 0.9, 0.9]
    records = [
        record(known, cell, seed, generator.random(IMAGES) < skill[cell])
        for cell in range(3)
        for seed in known.seeds
    ]
    return known, records


def test_records_are_laid_out_by_cell_and_seed_in_any_order(study):
    known, records = study
    assert grid(known, records) == grid(known, reversed(records))
    assert scores(grid(known, records))[1, 2] == records[5].result.accuracy


def test_records_of_other_runs_are_left_out(study):
    _, records = study
    assert np.isnan(scores(grid(plan(cells=3, seeds=3), records[:1]))).sum() == 8
    assert scores(grid(plan(cells=1, seeds=3), records)).shape == (1, 3)


def test_correctness_unpacks_what_was_packed():
    bits = np.arange(13) % 3 == 0
    result = record(plan(1, 1), 0, 0, bits).result
    assert np.array_equal(correctness(result), bits)


def test_means_differences_and_verdicts(study):
    steps = measure_steps(*study)
    table = scores(grid(*study))
    assert [mean.mean for mean in steps.means] == pytest.approx(table.mean(axis=1))
    assert steps.differences[0].value is None
    assert steps.differences[1].value == pytest.approx(table[1].mean() - table[0].mean())
    assert [d.verdict for d in steps.differences[1:]] == ["up", "not resolved"]
    assert steps.overall.value == pytest.approx(table[2].mean() - table[0].mean())


def test_own_interval_is_the_paired_t_test(study):
    table = scores(grid(*study))
    own = measure_steps(*study).differences[1].own
    want = stats.ttest_rel(table[1], table[0]).confidence_interval(0.95)
    assert (own.low, own.high) == pytest.approx((want.low, want.high))


def test_p_agrees_with_the_interval_and_holm_only_raises_it(study):
    for difference in measure_steps(*study).differences[1:]:
        assert (difference.p < 0.05) == difference.interval.excludes_zero
        assert difference.p <= difference.holm <= 2 * difference.p + 1e-12


def test_wide_intervals_contain_the_others(study):
    steps = measure_steps(*study)
    for each in (*steps.means, *steps.differences[1:]):
        assert each.wide.low <= each.interval.low < each.interval.high <= each.wide.high


def test_one_seed_gives_no_interval_at_all(study):
    _, records = study
    steps = measure_steps(plan(cells=3, seeds=1), records)
    for each in (*steps.means, *steps.differences[1:], steps.overall):
        assert each.interval is None and each.wide is None
    assert steps.differences[1].verdict == "no interval"
    assert steps.spread.residual_sd is None


def test_a_cell_without_a_finished_run_has_no_neighbours(study):
    known, records = study
    lost = [failure(known, 1, seed) for seed in known.seeds]
    steps = measure_steps(known, records[:3] + lost + records[6:])
    assert steps.means[1].mean is None and steps.means[1].n == 0
    assert [each.value for each in steps.differences] == [None, None, None]
    assert steps.overall.interval is not None


def test_a_single_cell(study):
    _, records = study
    steps = measure_steps(plan(cells=1, seeds=3), records)
    assert steps.overall.value is None and steps.differences[0].value is None
    assert steps.means[0].interval is not None


def test_no_records():
    steps = measure_steps(plan(cells=3, seeds=2), [])
    assert [mean.n for mean in steps.means] == [0, 0, 0]
    assert steps.overall.value is None


def test_unequal_test_sets_have_no_wide_interval(study):
    known, records = study
    other = record(known, 0, 0, np.ones(IMAGES - 1, dtype=bool))
    assert measure_steps(known, [other, *records[1:]]).means[0].wide is None
