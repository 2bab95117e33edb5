"""Initialisation and learning rate crossed with the choices: plans, and what requests mean."""

from collections import Counter
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
import torch
from tiny_study import DATA, NoData, Trainer

from nextify.data.splits import stratified_subset
from nextify.designs import path, read_crossed, read_factors, recipe
from nextify.errors import InputError
from nextify.experiments.coding import columns, effects
from nextify.experiments.fractions import ATTRIBUTE, crossing, words
from nextify.records import Store
from nextify.records.plan import plan_from_dict
from nextify.records.same import first_difference
from nextify.requests import Study, command_line, made
from nextify.studies import (
    Frame,
    execute,
    forecast,
    neighbours,
    plan_again,
    plan_experiment,
    plan_more,
)
from nextify.studies.kinds.factors import distinct_levels
from nextify.studies.kinds.settle import settled

SMALL = {"batch_size": 100, "epochs": 2}
THREE = "stage ratio, patchify stem, kernel size 7"
BOTH = "initialisation,rate"


def make(factors="default", cross=BOTH, **changes):
    options = {"data": DATA, "data_source": "x", "seeds": [0], "end_seeds": 1, **changes}
    chosen = read_factors(factors, path("small"))
    crossed = read_crossed(cross)
    return Frame(path("small"), factors=chosen, recipe_changes=SMALL, crossed=crossed, **options)


def test_the_default_plan_has_the_present_cost():
    plan = plan_experiment(make(), "resolution-5")
    assert (len(plan.cells), plan.count, plan.columns[8:]) == (134, 154, ("initialisation", "rate"))
    repeated = [cell for cell in plan.cells if len(plan.seeds_of(cell)) == 2]
    ends = Counter(len(cell.made) for cell in plan.cells[:8])
    assert len(repeated) == 20 and set(plan.cells[:8]) <= set(repeated) and ends == {0: 4, 8: 4}
    settings = {(cell.made, cell.crossed) for cell in plan.cells[:8]}
    assert len(settings) == 8  # both ends at all four
    others = [cell for cell in repeated if 0 < len(cell.made) < 8]
    for name in plan.columns:
        assert 4 <= sum(name in cell.on for cell in others) <= 8
    usual = recipe("modern-small", **SMALL)
    found = {(c.recipe.weight_init, c.recipe.learning_rate / usual.learning_rate)
             for c in plan.cells}  # fmt: skip
    assert found == set(product(("trunc_normal", "he_normal"), (0.5, 2.0)))
    he = next(cell for cell in plan.cells if cell.crossed == ("initialisation",))
    assert (he.recipe.weight_init, he.recipe.learning_rate) == ("he_normal", 0.004)
    assert he.name.endswith(" He 0.5x")


def test_effects_of_up_to_two_columns_are_clear_of_each_other():
    levels = crossing(8, 2, ATTRIBUTE)
    table = columns(levels, effects(10))
    np.testing.assert_array_equal(table.T @ table, 128 * np.eye(56))


def aliased(levels, pair, triples):
    two = columns(levels, [pair])[:, 0]
    three = columns(levels, triples)
    return int(np.sum(np.abs(two @ three) == len(levels)))


def test_interactions_of_three_choices_stay_out_of_those_of_two():
    levels, triples = crossing(8, 2, ATTRIBUTE), list(combinations(range(8), 3))
    count = [aliased(levels, pair, triples) for pair in combinations(range(8), 2)]
    assert sum(count) == 0
    assert sum(aliased(levels, (j, 8), triples) for j in range(8)) == 0  # with initialisation
    assert sum(aliased(levels, (j, 9), triples) for j in range(8)) == 4  # with the rate
    plain = crossing(10, 0, ATTRIBUTE)  # the last two columns by chance
    assert sum(aliased(plain, pair, triples) for pair in combinations(range(8), 2)) > 0


def test_words_are_those_that_are_constant():
    levels = crossing(10, 0, ATTRIBUTE)
    subsets = [s for size in range(1, 9) for s in combinations(range(10), size)]
    constant = {frozenset(s) for s in subsets if abs(levels[:, s].prod(axis=1).sum()) == 128}
    assert set(words(10, ATTRIBUTE)) == constant


def test_intervals_are_no_wider_than_without():
    crossed = forecast(plan_experiment(make(), "resolution-5"), sigma=1.0)
    plain = forecast(
        plan_experiment(make(cross="none", seeds=[0, 1], end_seeds=4), "resolution-5"), sigma=1.0
    )
    assert (crossed.runs, plain.runs) == (154, 138)
    assert crossed.points < plain.points


def test_a_small_plan_runs_again_and_grows(tmp_path):
    of, file, train = make(THREE), tmp_path / "a.study", Trainer(tmp_path / "log")
    first = plan_experiment(of, "resolution-4")
    execute(first, file, NoData(), train=train, workers=1)
    with Store.open(file) as store:
        there = store.plan()
    assert there == first and plan_from_dict(there.as_dict()).crossed == of.crossed
    again = plan_again(of, there)
    assert [(c.name, c.more_seeds) for c in again.cells] == [
        (c.name, c.more_seeds) for c in first.cells
    ]
    more = plan_more(of, there, cells=None, fold="rate")
    added = {cell.name for cell in more.cells} - {cell.name for cell in first.cells}
    assert len(added) == len(more.cells) - len(first.cells) > 0
    assert distinct_levels(more).shape == (len(more.cells), 5)
    summary = execute(more, file, NoData(), train=train, workers=1)
    assert summary.recorded == first.count and summary.finished == len(added)
    with Store.open(file) as store, pytest.raises(InputError, match="--cross is 'init"):
        store.save_plan(plan_experiment(make(THREE, cross="none"), "full"))


def test_all_subsets_at_all_settings():
    plan = plan_experiment(make(THREE), "full")
    assert len(plan.cells) == 2**5
    cheaper, better = neighbours(make(THREE), plan)
    assert cheaper.count < plan.count < better.count


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("depth", "'depth'; give initialisation, rate"),
        ("initialisation=he", "give initialisation, rate"),
        ("rate=2:0.5", "the smaller first"),
        ("rate=1", "two multiples"),
        ("rate=x:1", "give numbers"),
        ("rate,rate=1:2", "name each once"),
        ("rate=nan:1", "two multiples"),
        ("", "give initialisation"),
    ],
)
def test_what_cannot_be_crossed(text, fault):
    with pytest.raises(InputError, match=fault):
        read_crossed(text)


@pytest.mark.parametrize("experiment", ["leave-one-out", "add-one-in", "permutations"])
def test_plans_of_few_cells_cross_nothing(experiment):
    with pytest.raises(InputError, match="give --cross none"):
        plan_experiment(make(THREE), experiment)


def test_pixels_are_a_factor_of_the_data():
    plan = plan_experiment(make(THREE, cross="pixels"), "full")
    natural, permuted = (
        {c.made: plan.run(c, 0) for c in plan.cells if bool(c.crossed) == on} for on in (0, 1)
    )
    assert len(natural) == len(permuted) == 8
    for made_of, run in natural.items():
        other = permuted[made_of]
        assert (run.design, run.recipe) == (other.design, other.recipe)
        assert (
            other.data == {**run.data, "permuted_pixels": 0} and "permuted_pixels" not in run.data
        )
    plain = plan_experiment(make(THREE, cross="none"), "full")
    assert {run.key for run in natural.values()} == {plain.run(c, 0).key for c in plain.cells}
    drawn = plan_experiment(make(THREE, cross="pixels", images=600), "full")
    assert any({"drawn_from", "permuted_pixels"} <= set(run.data) for run in drawn.runs())
    assert plan_from_dict(plan.as_dict()) == plan
    assert all(c.name.endswith((" natural", " permuted")) for c in plan.cells)


def ask(**values):
    return made(Study, {"path": "small", "recipe": "modern-small", **values})


def test_a_new_experiment_crosses_both_and_an_old_one_goes_on_as_it_was():
    asked = ask(experiment="resolution-5")
    assert settled(asked, 10_000, 32).experiment.cross == BOTH
    assert "--cross initialisation,rate" in command_line(settled(asked, 10_000, 32))
    old = plan_experiment(make(cross="none"), "resolution-4")
    assert settled(asked, 10_000, 32, old).experiment.cross == "none"
    new = plan_experiment(make(cross="rate=0.25:1"), "resolution-4")
    assert settled(asked, 10_000, 32, new).experiment.cross == "rate=0.25:1"
    assert settled(ask(fold_over="all"), 10_000, 32, new).experiment.cross == "rate=0.25:1"


def test_with_the_recipe_as_a_factor_it_goes_on_with_that_which_was_asked_for():
    there = plan_experiment(make("recipe, patchify stem, kernel size 7", "none"), "resolution-4")
    assert {cell.recipe_name for cell in there.cells} == {"classic-small", "modern-small"}
    for cells in (there.cells, there.cells[::-1]):
        asked = made(Study, {"path": "small", "experiment": "resolution-4"})
        found = settled(asked, 10_000, 32, replace(there, cells=cells))
        assert found.recipe == "modern-small"


@pytest.mark.parametrize(
    ("values", "cross"),
    [
        ({"experiment": "resolution-5", "cross": "none"}, "none"),
        ({"experiment": "resolution-5", "cross": ["rate"]}, "rate"),
        ({"experiment": "resolution-5", "rates": "0.5,1"}, "none"),
        ({"experiment": "resolution-5", "changes": ["weight_init=he_normal"]}, "rate"),
        ({"experiment": "full"}, None),
        ({"experiment": "resolution-4"}, None),
        ({}, None),
        ({"fold_over": "all", "experiment": "resolution-5"}, None),
    ],
)
def test_what_a_request_crosses(values, cross):
    assert settled(ask(**values), 10_000, 32).experiment.cross == cross


def test_a_cell_draws_its_own_images():
    plan = plan_experiment(make(THREE, images=600), "full")
    draws = {(run.data["drawn_from"], run.data["train"], run.data["draw_seed"])
             for run in plan.runs()}  # fmt: skip
    labels = torch.arange(1000) % 10
    seen = {tuple(stratified_subset(labels, 60, seed).tolist()) for _, _, seed in draws}
    assert len(seen) == len(draws) == plan.count  # no two runs share a draw
    assert {(of, count) for of, count, _ in draws} == {(DATA["train"], 600)}
    other = replace(plan, cells=tuple(replace(c, images=700) for c in plan.cells))
    assert "the number of training images" in first_difference(plan, other)
    before = replace(plan, cells=tuple(replace(c, draws=c.draws << 20) for c in plan.cells))
    assert "the seed of the draws of images of step" in first_difference(before, plan)
    assert any(cell.shares_draws for cell in before.cells)
    assert not any(cell.shares_draws for cell in plan.cells)
