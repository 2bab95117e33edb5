"""Networks rebuilt of plain operators, against themselves, and their exact folds."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import nextify as nx
from network.references import perturb
from nextify.designs import FAMILIES, PATHS, Design
from nextify.network.export.folding import Affine, folded
from nextify.network.export.plain import Rows, Sum, plain
from random_transformers import swins, vits
from strategies import subsets_of


def assert_plain(design, size):
    network = nx.build(design, 5, image_size=size).eval()
    perturb(network, 0)
    images = torch.randn(3, 3, *size)
    with torch.no_grad():
        ours, made = network(images), plain(network, size)
        assert network(images).equal(ours), "the network itself is left as it was"
        error = (made(images) - ours).norm() / ours.norm()
    assert ours.std() > 0
    assert error < 1e-5
    return made


def small(design: Design) -> Design:
    """The same choices, with few channels."""
    stages = len(design.depths)
    return replace(design, depths=(2,) * stages, widths=tuple(range(4, 4 + 2 * stages, 2)))


@settings(max_examples=15)
@given(subsets_of("resnet50"), st.booleans())
def test_any_subset_of_the_choices(design, responds):
    if responds and design.block == "bottleneck":
        design = replace(design, response_norm="global")
    assert_plain(small(design), (32, 40))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family(name):
    assert_plain(small(FAMILIES[name]), (32, 32))


@settings(max_examples=10)
@given(vits())
def test_vits(given_design):
    assert_plain(*given_design)


@settings(max_examples=20)
@given(swins())
def test_swins_of_sizes_that_windows_do_not_divide(given_design):
    assert_plain(*given_design)


def parts_of(design, size=32):
    made = assert_plain(design, (size, size))
    return [type(part) for part in made.modules()]


def test_factors_and_shifts_are_gone():
    convnext = PATHS["resnet50"].subset(range(len(PATHS["resnet50"].choices)))
    assert Affine not in parts_of(small(replace(convnext, layer_scale=0.5)))
    assert not {Affine, nn.BatchNorm2d} & set(parts_of(small(FAMILIES["resnet-50"])))
    assert Affine not in parts_of(small(FAMILIES["convnextv2-atto"]))


def test_products_take_matrices():
    """Of two dimensions: what stands between the turns of a block is flattened once."""
    design = small(FAMILIES["convnext-tiny"])
    made = plain(nx.build(design, 5), (32, 32))
    seen = []
    for part in made.modules():
        if isinstance(part, nn.Linear):
            part.register_forward_hook(lambda _, given, out: seen.append(given[0].ndim))
    made(torch.randn(2, 3, 32, 32))
    assert seen == [2] * (2 * sum(design.depths) + 1)
    assert sum(isinstance(part, Rows) for part in made.modules()) <= sum(design.depths) + 1


@pytest.mark.parametrize("name", ["resnet-50", "resnet-small", "convnext-tiny", "convnext-mini"])
@pytest.mark.parametrize("stem", ["conv_pool", "patchify"])
def test_blocks_know_the_size_of_their_map(name, stem):
    """By which it is decided what is convolved: also behind a stem that pools."""
    design, seen = replace(small(FAMILIES[name]), stem=stem), []
    made = plain(nx.build(design, 5, image_size=(64, 96)), (64, 96))
    for part in made.modules():
        if isinstance(part, Sum):
            part.register_forward_hook(lambda own, _, out: seen.append((own.size, out.shape)))
    made(torch.zeros(1, 3, 64, 96))
    assert len(seen) == sum(design.depths)
    assert all(size in (shape[1:3], shape[2:]) for size, shape in seen)


def test_a_shift_before_padding_stays():
    """Zeros around a map would not be shifted."""
    norm, conv = nn.BatchNorm2d(2).eval(), nn.Conv2d(2, 2, 3, padding=1)
    nn.init.normal_(norm.bias)
    images = torch.randn(1, 2, 4, 4)
    made = nn.Sequential(*folded([Affine.of_batch_norm(norm), conv]))
    torch.testing.assert_close(made(images), conv(norm(images)))
    assert len(made) == 2
