"""Experiments on a path's choices: which cells they plan, and what is refused."""

import shlex
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_study import DATA, NoData, Trainer

from nextify.costs import cost
from nextify.designs import Factor, default_factors, path, read_factors, recipe
from nextify.errors import InputError
from nextify.experiments.coding import effects
from nextify.experiments.precision import estimable
from nextify.findings import attribute, sigma_of
from nextify.records import Record, Store
from nextify.report.factors.next_runs import next_runs
from nextify.requests import Study, command_line, made, read
from nextify.studies import (
    Frame,
    Pilot,
    execute,
    forecast,
    neighbours,
    plan_again,
    plan_experiment,
    plan_more,
)
from nextify.studies.kinds.factors import cell_name, distinct_levels, plan_of
from nextify.studies.kinds.kind import Asked

SMALL = {"batch_size": 100, "epochs": 2}
FIVE = "stage ratio, patchify stem, depthwise conv, inverted bottleneck, kernel size 7"


def make(factors=FIVE, **changes):
    options = {
        "data": DATA,
        "data_source": "x",
        "seeds": [0, 1],
        "recipe_changes": SMALL,
        "factors": read_factors(factors, path("small")),
        **changes,
    }
    return Frame(path("small"), **options)


@pytest.mark.parametrize(
    ("experiment", "cells"),
    [
        ("leave-one-out", 7),  # and the start
        ("add-one-in", 7),  # and the end
        ("resolution-4", 17),  # of five factors resolution V costs no more
        ("resolution-5", 17),  # 16 and the start
        ("full", 32),
    ],
)
def test_the_cells_of_an_experiment(experiment, cells):
    plan = plan_experiment(make(), experiment)
    assert (len(plan.cells), plan.experiment) == (cells, experiment)
    assert [cell.name for cell in plan.cells[:2]] == ["-----", "+++++"]
    assert len({cell.name for cell in plan.cells}) == cells
    assert len(plan.runs()) == 2 * cells + 2 * 4
    assert [len(plan.seeds_of(cell)) for cell in plan.cells] == [6, 6, *[2] * (cells - 2)]


def test_a_cell_is_its_factors_made_on_the_start():
    of = make("default")
    plan = plan_experiment(of, "resolution-5")
    assert len(plan.cells) == 65
    names = [choice.name for choice in of.path.choices]
    for cell in plan.cells:
        chosen = [c for factor in of.factors if factor.name in cell.made for c in factor.choices]
        design = of.path.subset(names.index(choice) for choice in chosen)
        counted = cost(design, 28, 10)
        assert cell.design == design
        assert (cell.params, cell.macs) == (counted.params, counted.macs)
        assert cell.recipe == recipe("modern-small", **SMALL)
        assert cell.design.layer_scale is None  # in no factor
    assert distinct_levels(plan).shape == (65, 8)
    assert plan.cells[1].changed == ", ".join(factor.name for factor in of.factors)


def test_the_recipe_as_a_factor():
    plan = plan_experiment(make("stage ratio, recipe"), "full")
    found = {cell.made: cell.recipe_name for cell in plan.cells}
    assert found == {
        (): "classic-small",
        ("stage ratio",): "classic-small",
        ("training recipe",): "modern-small",
        ("stage ratio", "training recipe"): "modern-small",
    }


def test_learning_rates_are_crossed():
    plan = plan_experiment(make(rates=(0.5, 1.0, 2.0)), "resolution-4")
    assert len(plan.cells) == 3 * 17
    usual = recipe("modern-small", **SMALL).learning_rate
    assert {cell.recipe.learning_rate / usual for cell in plan.cells} == {0.5, 1.0, 2.0}
    more = [cell.rate for cell in plan.cells if cell.more_seeds]
    assert more == [1.0, 1.0]  # of the end cells, at the recipe's own rate


@pytest.mark.parametrize("matched", ["macs", "params"])
def test_matched_cells_cost_the_same(matched):
    plan = plan_experiment(make("default", matched=matched), "resolution-4")
    found = [getattr(cell, matched) for cell in plan.cells]
    assert max(found) / min(found) < 1.01
    assert plan.matched == matched
    target = plan_experiment(make(matched="macs", target="6M"), "full")
    assert all(abs(cell.macs / 6e6 - 1) < 0.006 for cell in target.cells)


def test_sampled_orders_are_walked_through():
    plan = plan_experiment(make(), "permutations", orders=4)
    assert len(plan.orders) == 4
    names = {cell.made: cell for cell in plan.cells}
    order_of = [factor.name for factor in plan.factors]
    for order in plan.orders:
        assert sorted(order) == sorted(order_of)
        for count in range(len(order) + 1):
            assert tuple(n for n in order_of if n in order[:count]) in names


def test_a_study_file_grows_from_one_experiment_to_the_next(tmp_path):
    of, file = make(), tmp_path / "a.study"
    train = Trainer(tmp_path / "log")
    execute(plan_experiment(of, "resolution-4"), file, NoData(), train=train, workers=1)
    with Store.open(file) as store:
        assert len(store.records()) == 42
    summary = execute(plan_experiment(of, "full"), file, NoData(), train=train, workers=1)
    assert (summary.recorded, summary.finished) == (42, 30)
    with Store.open(file) as store:
        plan = store.plan()
        assert len(plan.cells) == 32
        assert plan.experiment == "augmented"
        assert sigma_of(plan, store.records()) > 0


def test_other_factors_are_another_study(tmp_path):
    with Store.open(tmp_path / "a.study") as store:
        store.save_plan(plan_experiment(make(), "full"))
        with pytest.raises(InputError, match="the factors"):
            store.save_plan(plan_experiment(make("stage ratio, patchify stem"), "full"))
        with pytest.raises(InputError, match="what is matched"):
            store.save_plan(plan_experiment(make(matched="macs"), "full"))
        with pytest.raises(InputError, match="field 'epochs'"):
            of = make(recipe_changes={**SMALL, "epochs": 3})
            store.save_plan(plan_experiment(of, "full"))


def test_added_cells_free_what_was_aliased():
    of = make("default")
    screen = plan_experiment(of, "resolution-4")
    assert len(estimable(distinct_levels(screen))) < 37
    more = plan_more(of, screen, cells=24)
    assert len(more.cells) == 16 + 24
    assert len(estimable(distinct_levels(more))) == 37
    assert {cell.name for cell in screen.cells} <= {cell.name for cell in more.cells}


def test_an_augmented_study_goes_on_as_it_is(tmp_path):
    of = make("default")
    first = made(Study, {"path": "small", "experiment": "resolution-4"})
    adding = made(Study, {"path": "small", "add_cells": 24})
    screen = plan_experiment(of, "resolution-4").asked_by(first)
    with Store.open(tmp_path / "a.study") as store:
        store.save_plan(screen)
        more = plan_more(of, screen, cells=24).asked_by(first, adding)
        stored = store.save_plan(more)
        assert (len(stored.cells), stored.experiment) == (40, "augmented")
        assert stored.command == f"{command_line(first)} && {command_line(adding)}"
        again = store.save_plan(plan_again(replace(of, seeds=(0, 1, 2)), stored))
        assert {cell.name for cell in again.cells} == {cell.name for cell in stored.cells}
        assert again.seeds == (0, 1, 2) and again.command == stored.command
        with pytest.raises(InputError, match="factors are not those"):
            plan_again(make(), stored)


def saved(request, file):
    """The plan that a request makes, in its study file."""
    images = SimpleNamespace(
        identity=lambda: DATA, source="x", largest_class=0.1, train=range(DATA["train"]),
        classes=range(DATA["classes"]),
    )  # fmt: skip
    plan = plan_of(Asked(request=request, precision="float32", images=images, file=file))
    with Store.open(file) as store:
        return store.save_plan(plan), store.history().registered


def test_what_is_said_when_an_augmented_study_goes_on_is_kept(tmp_path):
    """A margin that is given with more seeds holds, and the commands still make the study."""
    told = []
    for options in (
        {"experiment": "resolution-4", "cross": "none"},
        {"add_cells": 24, "cross": "none"},
        {"experiment": "augmented", "cross": "none", "seeds": 3, "margin": 0.5},
        {"experiment": "augmented", "cross": "none", "seeds": 4},
    ):
        request = made(Study, {"path": "small", "changes": ("batch_size=100",), **options})
        stored, registered = saved(request, tmp_path / "a.study")
        told.append(command_line(request))
        assert registered[-1].margin == (0.5 if len(told) > 2 else None)
    assert stored.command == " && ".join(told)
    assert (len(stored.cells), len(stored.seeds)) == (40, 4)


def test_the_advice_for_a_lower_rate_can_be_followed_in_an_augmented_study(tmp_path, monkeypatch):
    """All runs diverged; the same cells come about at a third of the rate, in a file of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for more in ({"experiment": "resolution-4"}, {"add_cells": 24}):
        asked = {"path": "small", "data": "x", "changes": ("batch_size=100",), "cross": "none"}
        plan, _ = saved(made(Study, {**asked, **more}), tmp_path / "a.study")
    runs = plan.runs()
    records = [Record(key=r.key, run=r.as_dict(), outcome="diverged") for r in runs]
    (advice,) = next_runs(plan, attribute(plan, records), str(tmp_path / "a.study"))
    for line in advice.command.split(" && "):
        request = read(shlex.split(line)[1:]).request
        again, _ = saved(request, tmp_path / request.runs.file)
    assert request.runs.file != "a.study" and again.count == advice.runs == plan.count
    assert [cell.on for cell in again.cells] == [cell.on for cell in plan.cells]
    (before,), (after,) = ({c.recipe.learning_rate for c in p.cells} for p in (plan, again))
    assert after == pytest.approx(before / 3, rel=0.02)  # two digits


def test_folding_over_one_factor_frees_it():
    of = make("default")
    screen = plan_experiment(of, "resolution-4")
    more = plan_more(of, screen, cells=None, fold="patchify stem")
    at = [factor.name for factor in of.factors].index("patchify stem")
    aliased = set(effects(len(of.factors))) - set(estimable(distinct_levels(more)))
    assert aliased and not any(at in effect for effect in aliased)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"factors": [Factor("a", ())]}, "factor 'a' has no choices"),
        ({"factors": [Factor("a", ("nonsense",))]}, "nonsense"),
        ({"seeds": []}, "no seeds"),
        ({"rates": (1.0, 1.0)}, "give different multiples"),
        ({"rates": (0.0,)}, "each must be above 0"),
        ({"rates": ()}, "give different multiples"),
        ({"recipe_changes": {"batch_size": 1001}}, "only 1000"),
    ],
)
def test_what_cannot_be_framed(changes, words):
    factors = changes.pop("factors", None)
    with pytest.raises(InputError, match=words):
        of = make(**changes) if factors is None else make(**changes, factors=FIVE)
        if factors is not None:
            Frame(path("small"), data=DATA, data_source="x", seeds=[0], factors=factors)
        plan_experiment(of, "full")


def test_what_cannot_be_planned():
    with pytest.raises(InputError, match="did you mean 'full'"):
        plan_experiment(make(), "ful")
    with pytest.raises(InputError, match="name at least 2"):
        plan_experiment(make("stage ratio"), "full")
    with pytest.raises(InputError, match="cannot be rescaled"):
        plan_experiment(make(matched="macs", target=100), "full")
    with pytest.raises(InputError, match="has all of these cells already"):
        plan_more(make(), plan_experiment(make(), "full"), cells=None)
    with pytest.raises(InputError, match="did you mean 'stage ratio'"):
        plan_more(make(), plan_experiment(make(), "full"), cells=None, fold="stage rato")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "choice of path"),
        ("stage ratio, stage ratio", "two factors are named|in two factors"),
        ("a = stage ratio, b = stage ratio", "in two factors"),
        ("a = stage ratio, a = patchify stem", "two factors are named 'a'"),
        ("stage rato", "did you mean 'stage ratio'"),
        ("default, stage ratio", "two factors|in two"),
    ],
)
def test_factors_that_cannot_be_read(text, words):
    with pytest.raises(InputError, match=words):
        read_factors(text, path("small"))


@pytest.mark.parametrize("name", ["resnet50", "resnet200", "small"])
def test_the_default_factors_are_eight_of_the_paths_choices(name):
    factors = default_factors(path(name))
    assert len(factors) == 8
    choices = [choice for factor in factors for choice in factor.choices]
    known = [choice.name for choice in path(name).choices]
    assert set(known) - set(choices) == {"layer scale"}
    assert len(set(choices)) == len(choices)


@settings(deadline=None, max_examples=20)
@given(st.sets(st.sampled_from([c.name for c in path("small").choices]), min_size=2, max_size=6))
def test_any_choices_can_be_factors(names):
    of = make(", ".join(sorted(names)))
    plan = plan_experiment(of, "resolution-5")
    assert all(cell.params > 0 for cell in plan.cells)
    assert {len(cell.name) for cell in plan.cells} == {len(names)}


def test_a_forecast_says_how_wide_the_intervals_will_be():
    of = make("default", end_seeds=0)
    plan = plan_experiment(of, "resolution-5")
    plan = replace(plan, cells=plan.cells[1:])  # the 64 of the fraction itself
    pilot = Pilot(1, {cell.name: 3.0 for cell in plan.cells}, "", "")
    found = forecast(plan, pilot=pilot, workers=2, sigma=0.5)
    assert (found.cells, found.runs, found.seconds) == (64, 128, 192.0)
    # 2 sigma / sqrt(128), times the quantile for eight independent intervals
    assert found.half_width == pytest.approx(2.727 * 2 / np.sqrt(128), rel=1e-3)
    assert found.points == pytest.approx(found.half_width / 2)


def test_the_plans_beside_a_plan():
    of = make("default")
    plan = plan_experiment(of, "resolution-5")
    cheaper, better = neighbours(of, plan)
    assert len(cheaper.runs()) < len(plan.runs()) < len(better.runs())
    assert forecast(better).half_width < forecast(plan).half_width < forecast(cheaper).half_width
    cheapest = plan_experiment(make("default", seeds=[0]), "resolution-4")
    assert neighbours(of, cheapest)[0] is None


def test_a_longest_run_bounds_the_time():
    plan = plan_experiment(make(), "full")
    pilot = Pilot(1, {cell.name: 1.0 for cell in plan.cells} | {"+++++": 1000.0}, "", "")
    assert forecast(plan, pilot=pilot, workers=100).seconds == 1000.0


def test_names():
    assert cell_name([1, -1]) == "+-"
