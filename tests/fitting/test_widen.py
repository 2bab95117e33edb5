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


def test_what_cannot_be_reached_says_how_near_it_came():
    found = nx.match_width(Vit(), 1)
    assert found.design.width == found.design.heads == 1
    assert found.gap > 0


@pytest.mark.parametrize("target", [0, -3, "many", 1e16])
def test_targets_that_are_none(target):
    with pytest.raises(nx.InputError, match="macs is"):
        nx.match_width(Vit(), target)
