"""Modules that compute torch's operators in another way: same outputs, same gradients."""

import pytest
import torch
from torch import nn

from nextify.network.modules import Gelu, PatchConv2d, PointwiseConv2d

PAIRS = {
    "pointwise": (PointwiseConv2d(5, 7, 1), nn.Conv2d(5, 7, 1)),
    "pointwise, strided, no bias": (
        PointwiseConv2d(5, 7, 1, 2, bias=False),
        nn.Conv2d(5, 7, 1, 2, bias=False),
    ),
    "patches of 2": (PatchConv2d(5, 7, 2, 2), nn.Conv2d(5, 7, 2, 2)),
    "patches of 4": (PatchConv2d(5, 7, 4, 4, bias=False), nn.Conv2d(5, 7, 4, 4, bias=False)),
    "gelu": (Gelu(), nn.GELU()),
}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("size", [(8, 8), (9, 11), (4, 5)])
@pytest.mark.parametrize("last", [True, False])
def test_equals_torchs(name, size, last):
    ours, plain = (module.double() for module in PAIRS[name])
    plain.load_state_dict(ours.state_dict())
    found = []
    for module in (ours, plain):
        module.zero_grad()
        x = torch.randn(
            3, 5, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
        )
        x = x.contiguous(memory_format=torch.channels_last) if last else x
        y = module(x.requires_grad_())
        y.square().sum().backward()
        found.append([y, x.grad, *(p.grad for p in module.parameters())])
        with torch.no_grad():
            torch.testing.assert_close(module(x), y)
    torch.testing.assert_close(*found)
