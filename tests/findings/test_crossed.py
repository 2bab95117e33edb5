"""Initialisation and learning rate crossed with the choices, on hand-made records."""

from dataclasses import replace

import numpy as np
import pytest

from nextify.designs import path, read_crossed, read_factors
from nextify.findings import attribute
from nextify.findings.basis import basis
from nextify.findings.cells import gather
from nextify.findings.factor_runs import factor_runs
from nextify.findings.measure import noise_of, noise_of_repeated
from nextify.records import Record, Result
from nextify.report.factors import factor_content
from nextify.report.factors.files import factor_drawings, factors_page
from nextify.report.factors.sides import sides
from nextify.studies import Frame, plan_experiment

DATA = {"name": "toy", "fingerprint": "1", "image_size": 28, "classes": 10, "train": 10_000,
        "test": 100}  # fmt: skip
LN = 6  # the factor that the initialisation suits


def planned(
    experiment="resolution-5", cross="initialisation,rate", factors="default", rates=(1.0,)
):
    of = Frame(
        path("small"),
        data=DATA,
        data_source="x",
        seeds=[0],
        end_seeds=1,
        crossed=read_crossed(cross),
        factors=read_factors(factors, path("small")),
        rates=rates,
    )
    return plan_experiment(of, experiment)


def truth(x):
    """Accuracy by the levels: an effect of 4 points, one that small weights make 5 points worse,
    what the two settings do by themselves, and an interaction of two choices."""
    choices = 0.6 + 0.02 * x[0] - 0.01 * x[LN] + 0.004 * x[0] * x[1]
    return choices + 0.015 * x[LN] * x[8] + 0.02 * x[8] - 0.005 * x[9]


def records(plan, score=truth, sd=0.004, lost=lambda x: False, seed=0):
    rng, found = np.random.default_rng(seed), []
    for cell in plan.cells:
        x = np.array([1 if name in cell.on else -1 for name in plan.columns])
        for at in plan.seeds_of(cell):
            run = plan.run(cell, at)
            if lost(x):
                found.append(Record(key=run.key, run=run.as_dict(), outcome="diverged"))
                continue
            value = score(x) + sd * rng.normal()
            right = np.packbits(rng.random(100) < value).tobytes()
            result = Result(accuracy=value, nll=2 - value, calibration_error=0.1, images=100,
                            correct=right)  # fmt: skip
            found.append(Record(key=run.key, run=run.as_dict(), outcome="finished", result=result))
    return found


@pytest.fixture(scope="module")
def study():
    plan = planned()
    return plan, records(plan)


@pytest.fixture(scope="module")
def found(study):
    return attribute(*study)


def test_contributions_are_of_the_choices_averaged_over_the_settings(found):
    want = [0.04, 0, 0, 0, 0, 0, -0.02, 0]
    values = [each.estimate.value for each in found.contributions]
    assert values == pytest.approx(want, abs=4 * 2 * 0.004 / 128**0.5)
    answers = [each.answer for each in found.contributions]
    assert (answers[0], answers[LN]) == ("helps", "hurts")
    assert found.method == "two-factor model"
    assert len(found.interactions) == 28
    assert {(i.first, i.second) for i in found.interactions if i.found} >= {
        ("stage ratio", "patchify stem")
    }


def test_the_noise_is_what_the_model_leaves_over_while_it_fits(found):
    assert (found.noise.source, found.noise.df) == ("residual", 98)
    assert found.limits.single == 114
    error = found.contributions[1].estimate.error
    assert error == pytest.approx(2 * found.noise.sd / 128**0.5, rel=0.05)


def test_the_noise_is_that_of_the_repeated_cells_where_it_does_not(study):
    plan = study[0]
    result = attribute(plan, records(plan, lambda x: truth(x) + 0.02 * x[2] * x[3] * x[4]))
    assert result.lack_of_fit.p < 1e-6
    assert (result.noise.source, result.noise.df) == ("pure error", 20)
    assert result.noise.sd == pytest.approx(0.004, rel=0.5)


def test_what_looks_for_interactions_takes_the_noise_of_the_repeated_cells(study):
    cells = gather(factor_runs(*study))
    noise = noise_of(cells, basis(cells.levels, cells.rate, (), cells.crossed).pairs)
    of = noise_of_repeated(noise)
    assert (noise.source, of.source, of.df) == ("residual", "pure error", 20)
    few = replace(cells, squares=np.zeros_like(cells.squares))  # that do not differ
    assert noise_of_repeated(replace(noise, cells=few)).source == "residual"


def test_what_a_change_cannot_be_told_from(found):
    initialisation, rate = found.crossed
    assert not any(each.aliased for each in initialisation.factors)
    mixed = [each for each in rate.factors if each.aliased]
    assert len(mixed) == 4 and all(len(each.aliased) == 1 for each in mixed)
    assert all(each.name not in each.aliased[0] for each in mixed)


def test_simple_effects_are_told_apart(found):
    initialisation, rate = found.crossed
    assert (initialisation.name, rate.name) == ("initialisation", "rate")
    assert initialisation.effect.value == pytest.approx(0.04, abs=0.004)
    assert rate.effect.value == pytest.approx(-0.01, abs=0.004)
    one = initialisation.factors[LN]
    assert one.first.value == pytest.approx(-0.05, abs=0.006)
    assert one.second.value == pytest.approx(0.01, abs=0.006)
    assert one.change.value == pytest.approx(one.second.value - one.first.value)
    assert one.change.value == pytest.approx(0.06, abs=0.008)
    assert one.is_clear and one.together.half > one.change.interval.half
    mean = (one.first.value + one.second.value) / 2
    assert mean == pytest.approx(found.contributions[LN].estimate.value)
    assert sum(each.is_clear for each in rate.factors) == 0


def test_the_gap_is_that_of_the_ends_at_all_settings(study, found):
    plan, kept = study
    runs = factor_runs(plan, kept)
    made = (runs.levels[:, :8] > 0).sum(axis=1)
    cells = {
        side: [runs.values[runs.cell == at].mean() for at in set(runs.cell[made == side].tolist())]
        for side in (0, 8)
    }
    assert (len(cells[0]), len(cells[8])) == (4, 4)
    assert found.gap.total.value == pytest.approx(np.mean(cells[8]) - np.mean(cells[0]))
    assert found.gap.estimate.interval.low < 0 < found.gap.estimate.interval.high


def test_the_six_ends_beside_the_fraction_do_not_bend_the_fit(study):
    plan, kept = study

    def bent(x):
        return truth(x) + 0.3 * (x[:8].sum() == -8)

    moved = attribute(plan, records(plan, bent))
    one = next(c for c in plan.cells[:4] if c.name.endswith("He 0.5x"))
    assert one.made == ()
    for each, old in zip(moved.contributions, attribute(plan, kept).contributions,
                         strict=True):  # fmt: skip
        # one of the four ends is in the fraction: it is 1 of 128 cells
        assert abs(each.estimate.value - old.estimate.value) == pytest.approx(2 * 0.3 / 128)
    assert moved.gap.verdict == "third order"


def test_all_subsets_give_shapley_values_averaged_over_settings():
    plan = planned("full", factors="stage ratio, patchify stem")

    def score(x):
        return 0.5 + 0.02 * x[0] + 0.01 * x[0] * x[2]

    result = attribute(plan, records(plan, score, sd=1e-4))
    assert result.method == "all subsets"
    assert result.contributions[0].estimate.value == pytest.approx(0.04, abs=1e-3)
    assert result.crossed[0].factors[0].change.value == pytest.approx(0.04, abs=1e-3)


def test_contributions_at_each_learning_rate_are_of_the_choices():
    few = "stage ratio, patchify stem, kernel size 7"
    plan = planned(cross="initialisation", factors=few, rates=(0.5, 2.0))
    content = factor_content([(plan, records(plan, lambda x: 0.5 + 0.02 * x[0] + 0.01 * x[3]))])
    for at in content.views[0].found.rates.rates:
        values = [each.value for each in at.estimates]
        assert values == pytest.approx([0.04, 0, 0], abs=0.01)
    drawn = factor_drawings(content)
    assert "rates" in {each.name for each in drawn} and factors_page(content, drawn, None)


def test_a_setting_at_which_all_runs_diverge():
    """They score chance, 0.1; without them nothing is said of the other setting, nor averaged."""
    plan = planned(factors="stage ratio, patchify stem, kernel size 7", cross="rate")
    result = attribute(plan, records(plan, lambda x: 0.5 + 0.02 * x[0], lost=lambda x: x[3] > 0))
    assert result.crossed[0].effect.value == pytest.approx(0.1 - 0.5, abs=0.01)
    assert result.contributions[0].estimate.value == pytest.approx(0.02, abs=0.002)
    by = {each.reading: each for each in result.readings}
    finished = by["finished runs"].contributions[0]
    assert finished.estimate.value == pytest.approx(0.04, abs=0.002)
    assert result.failures[3].name == "rate" and result.failures[3].p < 0.01


def test_screening_lists_sums_with_what_is_crossed():
    six = "stage ratio, patchify stem, depthwise conv, inverted bottleneck, kernel size 7, BN to LN"
    plan = planned("resolution-4", factors=six)
    result = attribute(plan, records(plan, lambda x: 0.5 + 0.02 * x[0]))
    names = {name for each in result.interactions for a, b, _ in each.aliased for name in (a, b)}
    assert "rate" in names or "initialisation" in names
    assert [each.name for each in result.contributions] == [f.name for f in plan.factors]


def test_what_suits_one_side_in_words(study):
    content = factor_content([study])
    view = content.views[0]
    texts = sides(content, view)
    assert texts[0].startswith("Initialisation: with He’s weights instead of with small normal")
    clear = next(text for text in texts if text.startswith("fewer act. and norms, LN: "))
    assert "with small normal weights it costs 4." in clear or "it costs 5." in clear
    assert "with He’s weights it adds 1." in clear or "it adds 0.9" in clear
    assert clear.endswith("is clear.") and " ± " in clear
    assert any(text.startswith("No contribution is seen to depend on the rate") for text in texts)
    page = factors_page(content, [], None)
    assert "What suits one side" in page and "averaged over both settings of" in page
    assert view.costs.subsets == 256  # of the choices alone
    seeds = [step for step in view.next if "a cell" in step.why]
    assert all(step.runs % 134 == 0 for step in seeds)
