"""`attribute` from plan and records to answers: known truths, and studies in a bad state."""

import json

import numpy as np
import pytest

from nextify.errors import InputError
from nextify.experiments.fractions import SCREEN, fraction
from nextify.experiments.permutations import cells_of_orders, sampled_orders
from nextify.findings import attribute
from nextify.records import Record
from nextify.report.factors import caveats

from .factorial import all_levels, default_levels, linear, plan, records
from .simulate import plan as path_plan

TRUTH = linear(0.05, -0.03, 0.0, 0.01, pair=0.02)


def answer(levels, truth=TRUTH, metric="accuracy", lost=lambda at: False, sd=0.01, **how):
    simulated = {name: how.pop(name) for name in ("diverge", "images") if name in how}
    study = plan(levels, **how)
    found = records(study, truth, sd=sd, **simulated)
    kept = [record for at, record in enumerate(found) if not lost(at)]
    result = attribute(study, kept, metric)
    json.dumps(caveats.as_values(result), allow_nan=False)
    return result


@pytest.fixture(scope="module")
def default():
    return answer(default_levels(), more=4)


def test_contributions_of_the_default_plan(default):
    values = [each.estimate.value for each in default.contributions]
    want = [0.1, -0.06, 0, 0.02, 0, 0, 0, 0]
    assert values == pytest.approx(want, abs=4 * 0.177 * 0.01)
    assert default.method == "two-factor model"
    assert default.contributions[0].estimate.error == pytest.approx(0.177 * 0.01, rel=0.2)
    answers = [each.answer for each in default.contributions]
    assert answers == ["helps", "hurts", "not resolved", "helps"] + 4 * ["not resolved"]
    verdict = caveats.verdict(default, default.contributions[4])
    assert verdict.startswith("no effect larger than") and "these 138 runs" in verdict


def test_intervals_are_nested(default):
    for each in default.contributions:
        single, both = each.estimate.interval, each.simultaneous
        assert both.low < single.low < single.high < both.high
        assert each.wide.low <= both.low and both.high <= each.wide.high
        assert each.p >= each.estimate.p


def test_interactions_of_the_default_plan(default):
    assert len(default.interactions) == 28
    found = [each for each in default.interactions if each.found]
    assert [(each.first, each.second) for each in found] == [("f0", "f1")]
    assert found[0].estimate.value == pytest.approx(0.08, abs=0.02)
    assert found[0].heredity == 2


def test_the_gap_is_printed(default):
    assert abs(default.gap.estimate.value) < 4 * default.gap.estimate.error
    assert default.gap.total.value == pytest.approx(0.06, abs=0.03)
    excludes = default.gap.estimate.interval.excludes_zero
    assert not default.gap.by_construction
    assert (default.gap.verdict == "third order") == excludes


def test_ways_of_looking(default):
    first = default.ways[0]
    assert not first.added.predicted and first.removed.predicted  # f0 alone is in the fraction
    assert first.added.estimate.value == pytest.approx(0.1 - 0.04, abs=0.04)
    assert first.removed.estimate.value == pytest.approx(0.1 + 0.04, abs=0.02)


def test_a_three_factor_interaction_is_called():
    def truth(levels, rate):
        return TRUTH(levels, rate) + 0.03 * levels[0] * levels[1] * levels[2]

    found = answer(default_levels(), truth, more=4)
    assert found.gap.estimate.value == pytest.approx(0.06, abs=0.03)
    assert found.gap.verdict == "third order"
    assert "interactions of three or more" in caveats.gap(found)
    assert found.lack_of_fit.p < 0.01
    assert any("lack of fit" in note for note in caveats.notes(found))


def test_a_smaller_log_likelihood_helps():
    found = answer(default_levels(), metric="nll")
    assert found.contributions[0].answer == "helps" and found.contributions[0].estimate.value < 0
    assert found.contributions[0].wide is None
    assert any("not kept per test image" in note for note in caveats.notes(found))


def test_logit_accuracy_has_its_own_scale_and_wide_intervals():
    found = answer(all_levels(4), linear(0.2), metric="logit accuracy", images=2000)
    low, high = np.log(0.3 / 0.7), np.log(0.7 / 0.3)
    assert found.contributions[0].estimate.value == pytest.approx(high - low, abs=0.1)
    assert found.contributions[0].wide is not None


def test_all_subsets_are_exact_shapley_values_and_add_up():
    found = answer(all_levels(3))
    total = sum(each.estimate.value for each in found.contributions)
    assert found.method == "all subsets" and found.gap.by_construction
    assert total == pytest.approx(found.gap.total.value)


def test_sampled_orders():
    orders = sampled_orders(5, 8, seed=0)
    cells = cells_of_orders(orders)
    found = answer(cells, orders=orders.tolist(), experiment="permutations")
    assert found.method == "sampled orders"
    assert found.contributions[0].estimate.value == pytest.approx(0.1, abs=0.03)
    total = sum(each.estimate.value for each in found.contributions)
    assert total == pytest.approx(found.gap.total.value)
    last = answer(
        cells, orders=orders.tolist(), experiment="permutations", lost=lambda at: at in (4, 5)
    )
    assert any("sampled orders were left out" in note for note in caveats.notes(last))


def test_a_screen_says_what_is_aliased():
    found = answer(fraction(8, SCREEN))
    assert found.contributions[0].answer == "helps"
    assert len(found.interactions) == 7 and all(len(i.aliased) == 3 for i in found.interactions)
    assert any("only show as sums" in note for note in caveats.notes(found))


def test_one_seed_of_a_saturated_screen_is_lenths():
    found = answer(fraction(8, SCREEN), seeds=1)
    assert found.noise.source == "Lenth" and found.contributions[0].simultaneous is not None
    assert len(found.noise.half_normal) == 15 == found.noise.lenth.effects
    assert found.contributions[0].estimate.interval.half == pytest.approx(found.noise.lenth.margin)


def test_one_seed_of_the_default_plan_uses_the_residual():
    found = answer(default_levels(), seeds=1)
    assert found.noise.source == "residual"
    assert found.noise.sd == pytest.approx(0.01, rel=0.5)
    assert any("second seed" in note for note in caveats.notes(found))


def test_one_seed_of_one_at_a_time_has_no_interval():
    levels = np.vstack([np.ones(4, int), 1 - 2 * np.eye(4, dtype=int)])
    found = answer(levels, seeds=1)
    assert found.method == "main effects" and found.noise.source == "none"
    assert found.contributions[0].answer == "no interval"
    assert found.contributions[0].estimate.value == pytest.approx(0.1 + 0.04, abs=0.05)
    assert any("cannot be told from interactions" in note for note in caveats.notes(found))


def test_missing_cells():
    found = answer(default_levels(), more=4, lost=lambda at: at % 3 == 0)
    assert found.contributions[0].answer == "helps"
    assert found.counts.missing == 46 and found.counts.finished == 92
    assert any("have no score" in note for note in caveats.notes(found))
    few = answer(default_levels(), lost=lambda at: at > 20)
    assert few.contributions[0].estimate.value is None or few.method == "main effects"


def test_a_factor_that_was_never_varied():
    levels = np.column_stack([all_levels(3), -np.ones(8, int)])
    found = answer(levels)
    assert found.contributions[3].answer == "cannot be told"
    assert found.contributions[0].answer == "helps"
    assert any(note.startswith("f3: never made") for note in caveats.notes(found))


def test_every_run_diverged():
    found = answer(default_levels(), diverge=lambda levels, rng: True)
    assert all(each.answer == "cannot be told" for each in found.contributions)
    assert found.counts.diverged == 130 and found.gap is None
    assert found.failures[0].made.diverged == found.failures[0].made.n == 64
    assert "nothing can be said" in caveats.notes(found)[0]


def test_nothing_recorded():
    study = plan(all_levels(2))
    found = attribute(study, [])
    assert found.method == "none" and found.counts.missing == 8


def test_a_choice_that_makes_runs_diverge():
    found = answer(
        default_levels(), more=4, diverge=lambda levels, rng: levels[2] > 0 and rng.random() < 0.3
    )
    risky = found.failures[2]
    assert risky.p < 0.001 and risky.not_made.diverged == 0
    assert risky.made.interval.low < 0.3 < risky.made.interval.high
    assert found.contributions[0].answer == "helps"
    assert any("do not diverge" in note for note in caveats.notes(found))


def test_a_choice_that_always_diverges():
    found = answer(default_levels(), more=4, diverge=lambda levels, rng: levels[2] > 0)
    assert found.contributions[2].answer == "cannot be told"
    assert found.contributions[0].answer == "helps"
    assert found.method == "two-factor model"


def test_learning_rates():
    def truth(levels, rate):
        return 0.5 + 0.05 * rate * levels[0] - 0.04 * levels[1] + 0.01 * levels[2]

    found = answer(all_levels(3), truth, rates=(0.5, 1.0, 2.0))
    assert [each.rate for each in found.rates.rates] == [0.5, 1.0, 2.0]
    assert found.rates.changes[0].value == pytest.approx(0.15, abs=0.03)
    assert found.rates.together[0].low > 0
    assert found.rates.together[1].low < 0 < found.rates.together[1].high
    assert len(found.rates.ranks) == 3 and found.rates.ranks[0].kendall > 0.3
    assert found.contributions[0].estimate.value == pytest.approx(0.1 * 3.5 / 3, abs=0.02)


def test_equal_contributions_have_no_ranks():
    found = answer(all_levels(3), lambda levels, rate: 0.5, sd=0.0, rates=(0.5, 2.0))
    assert found.rates.ranks == () and found.rates.changes[0].value == 0


def test_no_learning_rates_no_stability(default):
    assert default.rates is None


def test_runs_without_image_results():
    study = plan(all_levels(3))
    found = attribute(study, records(study, TRUTH, images=1))
    assert found.contributions[0].wide is None
    assert any("new seeds only" in note for note in caveats.notes(found))


def test_equal_scores_are_not_a_noise_of_zero():
    found = answer(all_levels(2), linear(0.1), sd=0.0)
    assert found.noise.source == "none"
    assert found.contributions[0].answer == "no interval"


def test_a_path_has_no_factors():
    study = path_plan(3, 2)
    with pytest.raises(InputError, match="resolution-5"):
        attribute(study, [])
    with pytest.raises(InputError, match="metric is 'speed'"):
        attribute(plan(all_levels(2)), [], "speed")


def test_the_same_seed_gives_the_same_answer(default):
    assert answer(default_levels(), more=4) == default


def test_failed_runs_are_counted_apart():
    study = plan(all_levels(2))
    found = records(study, TRUTH)
    found[0] = Record(key=found[0].key, run=found[0].run, outcome="failed", message="no memory")
    result = attribute(study, found)
    assert (result.counts.failed, result.counts.finished) == (1, 7)
    assert sum(each.made.n + each.not_made.n for each in result.failures) == 2 * 7


def test_orders_augmented_by_other_cells_are_read_by_the_model():
    orders = sampled_orders(4, 4, seed=0)
    cells = cells_of_orders(orders)
    found = answer(cells, orders=orders.tolist(), experiment="augmented")
    assert found.method == "two-factor model"


def test_the_gap_does_not_deny_what_the_lack_of_fit_shows():
    def truth(levels, rate):
        first, second = (levels[a] * levels[a + 1] * levels[a + 2] for a in (0, 3))
        return TRUTH(levels, rate) + 0.03 * (first - second)  # they cancel at both ends

    found = answer(default_levels(), truth, more=4)
    assert not found.gap.estimate.interval.excludes_zero
    assert found.lack_of_fit.p < 0.01
    assert found.gap.verdict == "cancelling" and "lack of fit" in caveats.gap(found)
