"""Totals from polynomials against the walk through all layers."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextify.costs import cost, totals
from nextify.designs import FAMILIES, Design
from nextify.errors import InputError
from strategies import subsets_of

counts = st.integers(1, 6)


@st.composite
def designs(draw: st.DrawFn) -> Design:
    design = draw(st.one_of(subsets_of("resnet50"), st.sampled_from(list(FAMILIES.values()))))
    stages = draw(st.integers(1, 6))
    every = st.lists(counts, min_size=stages, max_size=stages)
    widths = st.lists(st.integers(1, 2000), min_size=stages, max_size=stages)
    design = replace(design, depths=tuple(draw(every)), widths=tuple(draw(widths)))
    if design.block == "bottleneck":
        design = replace(design, ratio=draw(st.integers(1, 7)))
    return replace(design, kernel_size=draw(st.sampled_from((1, 3, 7, 13))))


@settings(max_examples=200, deadline=None)
@given(
    designs(),
    st.one_of(st.integers(1, 300), st.tuples(st.integers(1, 300), st.integers(1, 300))),
    st.integers(-1, 10**6),
)
def test_equal_to_the_full_count_or_refused_alike(design, size, classes):
    try:
        counted = cost(design, size, classes)
    except InputError as error:
        with pytest.raises(InputError) as caught:
            totals(design, size, classes)
        assert str(caught.value) == str(error)
        return
    found = totals(design, size, classes)
    assert found == (counted.params, counted.macs, counted.training_bytes)


@pytest.mark.parametrize("largest", [10**15])
def test_the_largest_fields_stay_exact(largest):
    for design in (
        Design(widths=(largest,) * 4, ratio=largest, kernel_size=largest - 1),
        Design(widths=(1, largest, 1, largest), bottleneck="inverted", ratio=largest),
    ):
        counted = cost(design, 16384, 10**9)
        found = totals(design, 16384, 10**9)
        assert found == (counted.params, counted.macs, counted.training_bytes)


def test_images_too_large_to_be_counted_exactly_are_refused():
    with pytest.raises(InputError, match="must be at most 4294967296 pixels"):
        totals(Design(), 2**40)
