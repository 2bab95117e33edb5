"""Each cell at its best learning rate: chosen on held-out images, judged with fresh seeds."""

from dataclasses import replace

import pytest
from tiny_study import DATA

from nextify.designs import path, read_crossed, read_factors
from nextify.errors import InputError
from nextify.findings import attribute
from nextify.findings.tuning import at_the_edge, best_rates
from nextify.records import Record, Result, Store
from nextify.records.same import first_difference
from nextify.report.factors import factor_content, words
from nextify.requests import Study, made
from nextify.studies import Frame, plan_experiment
from nextify.studies.kinds.factors import chosen_rates, tuning_file
from nextify.studies.kinds.settle import settled

RATES = (0.25, 0.5, 1.0, 2.0)
THREE = "stage ratio, patchify stem, kernel size 7"


def make(**changes):
    options = {"data": DATA, "data_source": "x", "seeds": [0], "end_seeds": 0, **changes}
    factors = read_factors(THREE, path("small"))
    recipe_changes = {"batch_size": 100, "epochs": 2}
    return Frame(path("small"), factors=factors, recipe_changes=recipe_changes, **options)


def scored(plan, score):
    """Records with the accuracy that `score` gives a cell; None: it diverged."""
    found = []
    for cell, seed in plan.places():
        run, value = plan.run(cell, seed), score(cell)
        result = None if value is None else Result(accuracy=value + 1e-4 * seed, nll=1.0,
                                                   calibration_error=0.0, images=16,
                                                   correct=b"\0\0")  # fmt: skip
        outcome = "finished" if result else "diverged"
        found.append(Record(key=run.key, run=run.as_dict(), outcome=outcome, result=result))
    return found


def kernel_likes_low(cell):
    """Best at 0.5 with the large kernel, which diverges at 2, and at 2 without."""
    if "kernel size 7" in cell.made:
        return {0.25: 0.6, 0.5: 0.7, 1.0: 0.65}.get(cell.rate)
    return 0.5 + 0.05 * cell.rate


@pytest.fixture(scope="module")
def tuning():
    return replace(plan_experiment(make(rates=RATES), "full"), held_out=True)


def test_the_best_rate_of_each_cell(tuning):
    found = best_rates(tuning, scored(tuning, kernel_likes_low))
    assert len(found) == 8
    assert all(rate == (0.5 if "kernel size 7" in made else 2.0) for made, rate in found.items())


def test_what_diverges_everywhere_gets_the_lowest_and_equals_the_nearest(tuning):
    assert set(best_rates(tuning, scored(tuning, lambda cell: None)).values()) == {0.25}
    assert set(best_rates(tuning, scored(tuning, lambda cell: 0.5)).values()) == {1.0}
    assert set(best_rates(tuning, []).values()) == {0.25}  # nothing is known


def tuned_plan(tuning, **changes):
    chosen = best_rates(tuning, scored(tuning, kernel_likes_low))
    return plan_experiment(make(tuned=RATES, chosen=chosen, seeds=[1, 2], **changes), "full")


def test_the_study_has_each_cell_at_its_rate(tuning):
    plan = tuned_plan(tuning)
    assert len(plan.cells) == 8 and plan.tuned == RATES
    rates = {cell.made: cell.rate for cell in plan.cells}
    assert {rate for made, rate in rates.items() if "kernel size 7" in made} == {0.5}
    usual = plan.cells[0].recipe.learning_rate / plan.cells[0].rate
    assert all(c.recipe.learning_rate == pytest.approx(c.rate * usual) for c in plan.cells)
    assert not set(plan.all_seeds) & set(tuning.all_seeds)
    assert at_the_edge(plan) == (0, 4)
    plain = plan_experiment(make(seeds=[1, 2]), "full")
    assert first_difference(plain, plan).startswith("--tune-rate is 'none' there")


def test_the_rate_is_part_of_the_cell_and_no_block(tuning):
    plan = tuned_plan(tuning)
    result = attribute(plan, scored(plan, kernel_likes_low))
    assert result.method == "all subsets" and result.rates is None
    kernel = result.contributions[2]
    assert kernel.name == "kernel size 7" and kernel.estimate.value == pytest.approx(0.1)
    content = factor_content([(plan, scored(plan, kernel_likes_low))])
    text = words.stability(content.views[0])
    assert "at its best of 0.25, 0.5, 1 and 2 × the recipe’s rate" in text
    assert "Chosen: 0.5 in 4 cells and 2 in 4 cells." in text
    assert text.endswith("It is the highest in 4 cells: there a wider range may have a better one.")


def test_the_rates_of_a_study_that_goes_on_are_those_it_has(tmp_path, tuning):
    file = tmp_path / "a.study"
    with Store.open(tuning_file(file)) as store:
        store.save_plan(tuning)
        for record in scored(tuning, kernel_likes_low):
            store.add(record)
    assert set(chosen_rates(file).values()) == {0.5, 2.0}
    with Store.open(file) as store:
        kept = tuned_plan(tuning)
        store.save_plan(replace(kept, cells=tuple(replace(c, rate=1.0) for c in kept.cells)))
    assert set(chosen_rates(file).values()) == {1.0}


def test_a_tuned_study_crosses_nothing_unless_asked():
    asked = made(Study, {"path": "small", "experiment": "resolution-5", "tune_rate": [0.5, 1, 2]})
    assert asked.experiment.tune_rate == "0.5,1,2"
    assert settled(asked, 10_000, 32).experiment.cross == "none"


def test_tuned_at_both_initialisations(tuning):
    of = make(rates=RATES, crossed=read_crossed("initialisation"))
    plan = plan_experiment(of, "full")
    assert len(plan.cells) == 2**4 * 4
    found = best_rates(plan, scored(plan, lambda c: c.rate if c.crossed else -c.rate / 2 + 1))
    assert {rate for on, rate in found.items() if "initialisation" in on} == {2.0}
    assert {rate for on, rate in found.items() if "initialisation" not in on} == {0.25}


@pytest.mark.parametrize("rates", [(1.0, 1.0), (0.0, 1.0), (float("nan"), 1.0)])
def test_rates_that_are_none(rates):
    with pytest.raises(InputError, match="rates are"):
        make(tuned=rates)
