"""Costs against torch's own counters, on paths and on random subsets of the choices."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from nextify.blueprint import draw
from nextify.costs import cost, totals
from nextify.designs import Design, design, path
from nextify.errors import InputError
from nextify.network import assemble
from strategies import subsets_of


def assert_torch_counts_the_same(design: Design, image_size: tuple[int, int], classes: int) -> None:
    counted = cost(design, image_size, classes)
    network = assemble(draw(design, classes)).eval()
    assert sum(p.numel() for p in network.parameters()) == counted.params
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        logits = network(torch.empty(1, 3, *image_size, device="meta"))
    assert logits.shape == (1, classes)
    assert counter.get_total_flops() == counted.flops == 2 * counted.macs


@pytest.mark.parametrize("name", ["resnet50", "resnet200", "small"])
def test_every_step(name):
    p = path(name)
    for step in p.all_steps():
        assert_torch_counts_the_same(step.design, (p.image_size, p.image_size), p.classes)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_random_subsets_of_the_papers_path(data):
    assert_a_subset_counts_the_same(data, "resnet50")


@settings(max_examples=250, deadline=None)
@given(data=st.data())
def test_random_subsets_of_the_small_path(data):
    assert_a_subset_counts_the_same(data, "small")


def assert_a_subset_counts_the_same(data: st.DataObject, name: str) -> None:
    design = data.draw(subsets_of(name))
    side = st.integers(32, 80)
    size = (data.draw(side), data.draw(side))
    assert_torch_counts_the_same(design, size, data.draw(st.integers(1, 50)))


def test_no_image_is_large_enough_for_so_many_stages():
    with pytest.raises(InputError, match=r"with stem_stride=4; give fewer stages than 18$"):
        cost(Design(depths=(1,) * 18, widths=(4,) * 18), 224)


@pytest.mark.parametrize("name", ["resnet50", "small"])
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_what_fits_runs_and_what_does_not_is_refused_with_a_remedy(name, data):
    design = data.draw(subsets_of(name))
    side = data.draw(st.integers(1, 40))
    try:
        cost(design, side)
    except InputError as error:
        message = str(error)
        assert "are too small for this design with stem_stride=" in message
        if "would fit" in message:
            stride = int(message.split("; stem_stride=")[1].split()[0])
            cost(replace(design, stem_stride=stride), side)
        cost(design, int(message.split("at least ")[1].split()[0]))
    else:
        assemble(draw(design)).eval()(torch.empty(1, 3, side, side, device="meta"))


@pytest.mark.parametrize("size", [0, -3, (0, 32), (224,), "224", 64.5, None])
def test_sizes_that_are_none(size):
    with pytest.raises(InputError, match="image size is"):
        cost(Design(), size)


def test_names_and_numbers_of_numpy_are_taken():
    sides = np.int64(64), np.int64(96)
    for image_size in (sides[0], sides, [*sides]):
        found = cost("vit-b-16", image_size, np.int64(10), np.int8(2))
        plain = 64 if image_size is sides[0] else (64, 96)
        assert found == cost(design("vit-b-16"), plain, 10, 2)
        assert {type(found.params), type(found.classes), *map(type, found.image_size)} == {int}
    with pytest.raises(InputError, match=r"design is \('resnet50',\); give a name, or what"):
        cost(("resnet50",))


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (0, "classes is 0; it must be at least 1"),
        ("10", "classes is '10'; it must be a whole number"),
        (1.5, "classes is 1.5; it must be a whole number"),
        (True, "classes is True; it must be a whole number"),
        (10**16, "classes is 10000000000000000; it must be at most 1,000,000,000,000,000"),
    ],
)
@pytest.mark.parametrize("counted", [cost, totals])
def test_classes_that_are_none(counted, classes, words):
    with pytest.raises(InputError, match=words):
        counted(Design(), classes=classes)
