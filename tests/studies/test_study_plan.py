"""A path becomes a plan, or one line says why not."""

from dataclasses import replace

import pytest
from tiny_study import DATA

from nextify.costs import cost
from nextify.designs import path, recipe
from nextify.errors import InputError
from nextify.studies import Frame, plan_path


def make(name: str = "small", **options):
    options = {"data": DATA, "data_source": "x", "seeds": [0], "recipe_changes": SMALL, **options}
    return plan_path(Frame(path(name), **options))


SMALL = {"batch_size": 100}


def test_cells_are_the_steps_with_their_recipes_and_costs():
    plan = make()
    steps = path("small").steps
    assert [cell.name for cell in plan.cells] == [step.name for step in steps]
    assert [cell.changed for cell in plan.cells] == [step.changed for step in steps]
    assert [cell.recipe_name for cell in plan.cells] == [step.recipe for step in steps]
    assert plan.cells[0].recipe == recipe("classic-small", batch_size=100)
    assert {cell.recipe for cell in plan.cells[1:]} == {recipe("modern-small", batch_size=100)}
    for cell, step in zip(plan.cells, steps, strict=True):
        counted = cost(step.design, 28, 10)
        assert (cell.params, cell.macs) == (counted.params, counted.macs)
    assert (plan.name, plan.seeds) == ("small", (0,))


def test_the_papers_numbers_only_where_the_path_has_them():
    assert all(cell.paper is None for cell in make().cells)
    big = make("resnet50", data={**DATA, "image_size": 64})
    assert big.cells[0].paper.accuracy == 76.13
    assert big.cells[-1].paper is None


def test_changes_are_of_both_recipes():
    data = {**DATA, "image_size": 64}
    plan = make("resnet50", data=data, recipe_changes={**SMALL, "epochs": 6})
    assert plan.cells[0].recipe == recipe("classic", **SMALL, epochs=6)
    assert plan.cells[1].recipe == recipe("modern", **SMALL, epochs=6)
    assert plan.cells[1].recipe.warmup_epochs == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": []}, "no seeds are given"),
        ({"seeds": [0, 1, 0]}, "seed 0 is given twice"),
        ({"seeds": [-1]}, "seed is -1; it must be a whole number from 0"),
        ({"seeds": [2**63]}, "it must be a whole number from 0"),
        ({"seeds": [1.5]}, "seed is 1.5; it must be a whole number"),
        ({"recipe_changes": {"batch_size": 1001}}, "'batch_size' is 1001, but there are only 1000"),
        ({"recipe_changes": {"epochs": 0}}, "'epochs' is 0"),
        ({"recipe_changes": {**SMALL, "epoch": 3}}, "did you mean 'epochs'"),
        ({"data": {**DATA, "image_size": 4}}, "too small for this design"),
    ],
)
def test_what_cannot_be_planned(options, words):
    with pytest.raises(InputError, match=words):
        make(**options)


def test_a_stem_stride_reaches_every_cell():
    of = Frame(
        path("small").with_design_fields({"stem_stride": 4}),
        data={**DATA, "image_size": 64},
        data_source="x",
        seeds=[0],
        recipe_changes=SMALL,
    )
    plan = plan_path(of)
    assert {cell.design.stem_stride for cell in plan.cells} == {4}
    assert replace(plan, seeds=(1,)).runs()[0].seed == 1
