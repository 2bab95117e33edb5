"""Transformers rescaled in width to a cost."""

from dataclasses import replace
from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nextify as nx
from nextify.designs import Swin, Vit


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(("vit-s-16", "vit-b-32", "swin-t", "swin-b")),
    gmacs=st.floats(1.0, 30.0),
)
def test_costs_are_within_a_few_per_cent_and_heads_stay_alike(name, gmacs):
    design = nx.design(name)
    found = nx.match_width(design, gmacs * 1e9)
    assert found.macs == nx.cost(found.design).macs
    assert found.gap == pytest.approx(found.macs / (gmacs * 1e9) - 1)
    assert abs(found.gap) <= 0.05
    assert found.head_size == (found.design.head_size, design.head_size)
    assert found.stretch <= log(2.2)  # as documented: about half to twice as large
    same = {"width": design.width, "heads": design.heads}
    assert replace(found.design, **same) == design


def test_a_design_that_costs_the_target_stays():
    for name in ("vit-b-16", "swin-t", "swin-b"):
        design = nx.design(name)
        found = nx.match_width(design, nx.cost(design).macs)
        assert (found.design, found.gap) == (design, 0.0)


def test_proportions_of_the_stages_stay():
    found = nx.match_width(Swin(heads=(2, 6, 12, 24)), "10G").design
    assert [head / found.heads[0] for head in found.heads] == [1, 3, 6, 12]


@pytest.mark.parametrize(
    ("name", "image_size", "times"),
    [("vit-mini", 256, 8), ("vit-mini", 128, 8), ("vit-s-16", 1024, 8), ("vit-s-16", 1024, 5)],
)
def test_heads_keep_their_size_where_attention_leads(name, image_size, times):
    """Its products grow with the width, and not with the square of it."""
    design = nx.design(name)
    target = times * nx.cost(design, image_size).macs
    found = nx.match_width(design, target, image_size=image_size)
    assert abs(found.gap) <= 0.02
    assert abs(found.head_size[0] - design.head_size) <= 1


def test_where_small_heads_are_coarse_steps_others_are_looked_for():
    design = nx.design("vit-mini")
    target = 7.884 * nx.cost(design, 64).macs
    found = nx.match_width(design, target, image_size=64)
    assert (found.design.width, found.head_size) == (102, (6.0, 8.0))  # 101 and 103 are primes
    assert abs(found.gap) <= 0.02


def test_a_name_stands_for_its_design():
    assert nx.match_width("vit-b-16", "4.5G") == nx.match_width(Vit(), "4.5G")


@pytest.mark.parametrize(
    ("design", "words"),
    [
        ("resnet50", "this design is convolutional; use match_cost"),
        (nx.design("resnet50"), "this design is convolutional; use match_cost"),
        ("vit-b-61", "did you mean"),
        (None, "design is None; give a name"),
    ],
)
def test_designs_that_are_no_transformers(design, words):
    with pytest.raises(nx.InputError, match=words):
        nx.match_width(design, "4G")


def test_what_cannot_be_reached_says_how_near_it_came():
    found = nx.match_width(Vit(), 1)
    assert found.design.width == found.design.heads == 1
    assert found.gap > 0


@pytest.mark.parametrize("target", [0, -3, "many", 1e16, None, [1], True])
def test_targets_that_are_none(target):
    with pytest.raises(nx.InputError, match="macs is"):
        nx.match_width(Vit(), target)
