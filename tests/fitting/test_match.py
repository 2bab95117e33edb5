"""Designs rescaled to the same cost."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import nextify as nx
from nextify.costs import totals
from nextify.designs import PATHS, Design
from strategies import subsets_of


def within(design: Design, quantity: str, target: float, size: int, classes: int) -> bool:
    return abs(getattr(totals(design, size, classes), quantity) / target - 1) <= 0.005


@pytest.mark.parametrize("quantity", ["macs", "params"])
@pytest.mark.parametrize("name", PATHS)
def test_all_steps_cost_what_the_end_costs(name, quantity):
    path = nx.path(name)
    matched = nx.match_cost(path, quantity)
    target = getattr(totals(path.end, path.image_size, path.classes), quantity)
    assert len(matched) == len(path.steps)
    assert matched[-1] == path.end
    for step, one in zip(path.steps, matched, strict=True):
        assert within(one, quantity, target, path.image_size, path.classes), step.name
        assert replace(one, widths=step.design.widths) == step.design


@pytest.mark.parametrize("name", ["resnet50", "resnet200"])
def test_multiples_of_eight(name):
    path = nx.path(name)
    for one in nx.match_cost(path, "macs", multiple_of=8):
        assert all(width % 8 == 0 for width in one.widths)
        assert within(one, "macs", totals(path.end).macs, 224, 1000)


@settings(max_examples=60, deadline=None)
@given(
    design=subsets_of("resnet50"),
    quantity=st.sampled_from(("macs", "params")),
    factor=st.floats(0.05, 20),
    multiple_of=st.sampled_from((1, 1, 8)),
)
def test_random_subsets_and_targets(design, quantity, factor, multiple_of):
    target = factor * getattr(totals(design, 96, 100), quantity)
    options = {"image_size": 96, "classes": 100, "multiple_of": multiple_of}
    try:
        (one,) = nx.match_cost([design], quantity, target, **options)
    except nx.InputError as error:
        assume(multiple_of > 1)
        assert "within 0.5 %: the nearest, " in str(error) and "multiple_of" in str(error)
        return
    assert within(one, quantity, target, 96, 100)
    assert all(width % multiple_of == 0 for width in one.widths)
    # Proportions: a width differs from its share by four units and their rounding at most.
    scale = one.widths[-1] / design.widths[-1]
    for before, after in zip(design.widths, one.widths, strict=True):
        assert abs(after - before * scale) <= 9 * multiple_of


def test_proportions_stay_where_they_can():
    one = nx.match_cost([nx.design("resnet-50")], "macs", "8.2G")[0]
    assert one.widths == (91, 182, 364, 728)


def test_a_target_as_text_and_designs_in_order():
    designs = [nx.design("convnext-tiny"), nx.design("resnet-50")]
    for one, matched in zip(designs, nx.match_cost(designs, "params", "30M"), strict=True):
        assert within(matched, "params", 30e6, 224, 1000) and matched.depths == one.depths


def test_names_stand_for_designs():
    names = ["convnext-tiny", "resnet50"]
    assert nx.match_cost(names, "macs") == nx.match_cost(map(nx.design, names), "macs")


def test_images_of_two_sides_in_a_list():
    found, same = (
        nx.match_cost(nx.path("small"), "macs", "9M", image_size=sides)
        for sides in ([64, 96], (64, 96))
    )
    assert found == same


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([], "macs"), "there are no designs"),
        (([Design()], "flops"), "quantity is 'flops'; give macs or params"),
        (([Design()], "macs", 0), "target is 0; it must be from 1"),
        (([Design()], "macs", "x"), "target is 'x'; give a number"),
        (([Design()], "params", 10), "the nearest, (1, 1, 1, 1), is"),
        (("resnet50", "macs"), "what to match is 'resnet50'; give a path"),
        ((Design(), "macs"), "give a path"),
        ((5, "macs"), "what to match is 5; give a path"),
        ((["resnet5"], "macs"), "did you mean 'resnet-50'?"),
        (([5], "macs"), "design is 5; give a name"),
        ((["vit-b-16"], "macs"), "this one is a transformer"),
    ],
)
def test_what_cannot_be_matched_is_named(arguments, words):
    with pytest.raises(nx.InputError) as caught:
        nx.match_cost(*arguments)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image_size": 0}, "image size is 0; it must be at least 1 pixel"),
        ({"image_size": "64"}, "image size is '64'; give pixels"),
        ({"classes": -5}, "classes is -5; it must be at least 1"),
        ({"classes": 0}, "classes is 0; it must be at least 1"),
        ({"classes": "10"}, "classes is '10'; it must be a whole number"),
        ({"multiple_of": 0}, "multiple_of is 0; it must be at least 1"),
        ({"multiple_of": 2.5}, "multiple_of is 2.5; it must be a whole number"),
    ],
)
def test_options_that_cannot_be_used_are_named(options, words):
    with pytest.raises(nx.InputError) as caught:
        nx.match_cost(nx.path("small"), "macs", **options)
    assert words in str(caught.value)


def test_how_near_it_came():
    with pytest.raises(nx.InputError) as caught:
        nx.match_cost(nx.path("small"), "macs", multiple_of=32)
    assert "use a smaller multiple_of" in str(caught.value) and "% " in str(caught.value)
