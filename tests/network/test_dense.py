"""The dense convolution as a matrix product equals torch's."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nextify.designs import path
from nextify.network import build
from nextify.network.dense import LEAST_BATCH, SpatialConv2d, _AsProduct, as_matrix


def pair(inputs, outputs, kernel, bias=True):
    ours = SpatialConv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias).double()
    plain = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias).double()
    plain.load_state_dict(ours.state_dict())
    return ours, plain


@settings(deadline=None, max_examples=60)
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    kernel=st.sampled_from([1, 3, 5, 7, 9]),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
    last=st.booleans(),
)
def test_the_product_is_the_convolution(height, width, kernel, inputs, outputs, last):
    ours, plain = pair(inputs, outputs, kernel, bias=False)
    x = torch.randn(3, inputs, height, width, dtype=torch.float64)
    x = x.contiguous(memory_format=torch.channels_last) if last else x
    found = []
    for function in (lambda x: _AsProduct.apply(x, ours.weight), plain):
        leaf = x.clone().requires_grad_()
        y = function(leaf)
        y.sin().sum().backward()
        found.append([y, leaf.grad])
    torch.testing.assert_close(*found)
    torch.testing.assert_close(ours.weight.grad, plain.weight.grad)


@pytest.mark.parametrize(("size", "kernel", "as_product"), [
    ((4, 4), 7, True), ((2, 2), 7, True), ((3, 4), 5, True), ((5, 5), 7, False), ((2, 3), 3, False),
])  # fmt: skip
def test_where_it_is_used(size, kernel, as_product):
    ours, plain = pair(5, 6, kernel)
    x = torch.randn(LEAST_BATCH, 5, *size, dtype=torch.float64)
    y = ours(x)
    assert ("_AsProduct" in repr(_history(y))) == as_product
    torch.testing.assert_close(y, plain(x))
    y.square().sum().backward()
    plain(x).square().sum().backward()
    torch.testing.assert_close([p.grad for p in ours.parameters()],
                               [p.grad for p in plain.parameters()])  # fmt: skip
    with torch.no_grad():
        torch.testing.assert_close(ours(x), plain(x))


def _history(y):
    nodes, names = [y.grad_fn], []
    while nodes:
        node = nodes.pop()
        names.append(type(node).__name__)
        nodes += [parent for parent, _ in node.next_functions if parent is not None]
    return names


def test_the_matrix_of_a_single_pixel_is_the_centre_tap():
    weight = torch.randn(3, 2, 7, 7)
    torch.testing.assert_close(as_matrix(weight, 1, 1), weight[:, :, 3, 3].t())


def test_networks_with_large_dense_kernels_have_it():
    chosen = path("small").subset([5, 6])  # spatial conv first, kernel size 7
    kinds = [type(module) for module in build(chosen, 10).modules()]
    assert kinds.count(SpatialConv2d) >= sum(chosen.depths) - len(chosen.depths)
