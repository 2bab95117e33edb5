"""Attention distance: closed forms, and weights against those that modules tell themselves."""

import math

import pytest
import timm
import torch
from torch import nn
from torchvision import models

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure
from nextify.probes.anatomy import anatomy, outputs
from nextify.probes.attention import attention_weights, distances, mean_distances


def uniform(height: int, width: int, token: int) -> float:
    """The mean distance of all pairs: by how often each offset comes."""
    return sum(
        (height - abs(y)) * (width - abs(x)) * math.hypot(y, x)
        for y in range(1 - height, height)
        for x in range(1 - width, width)
    ) * token / (height * width) ** 2  # fmt: skip


def distance_of(network: nn.Module, side: int = 32):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, 3, side, side, generator=generator)
    return measure(network, images, ["attention-distance"])["attention-distance"]


def blind(network: nn.Module) -> nn.Module:
    """Whose tokens attend to all alike."""
    for name, parameter in network.named_parameters():
        if "in_proj" in name or "qkv" in name:
            parameter.data[: 2 * parameter.shape[0] // 3] = 0
        if "relative_position" in name:
            parameter.data.zero_()
    return network


def test_attention_to_all_alike_has_the_mean_distance_of_pairs() -> None:
    found = distance_of(blind(build(design("vit-mini"), 10, image_size=32)))
    assert found.value == pytest.approx(uniform(8, 8, 4), rel=1e-5)
    assert found.value == pytest.approx(found.values["uniform"], rel=1e-5)
    assert [len(block) for block in found.curves["block"]] == [3] * 4


def test_attention_in_windows_has_that_of_a_window() -> None:
    """8 x 8 tokens of 4 pixels in windows of 4 x 4. Shifted windows lie at 2 + 4 + 2 tokens of each
    axis, since those that would join borders are two."""
    found = distance_of(blind(build(design("swin-mini"), 10, image_size=32)))
    sides = (2, 4, 2)
    shifted = sum(uniform(a, b, 4) * a * b for a in sides for b in sides) / 64
    assert found.values["stage1"] == pytest.approx((uniform(4, 4, 4) + shifted) / 2, rel=1e-5)
    assert found.values["stage2"] == pytest.approx(uniform(4, 4, 8), rel=1e-5)
    assert found.values["uniform"] == pytest.approx(found.value, rel=1e-5)


@pytest.mark.parametrize(("side", "maps"), [((16, 16), (2, 2)), ((16, 32), (2, 4))])
def test_what_pads_a_window_has_no_place(side: tuple[int, int], maps: tuple[int, int]) -> None:
    """Tokens of 8 pixels in one window of 4 x 4: at its upper left, the others are zeros."""
    network = build(design("swin-mini"), 10, image_size=side).eval()
    for name, parameter in network.named_parameters():
        if "qkv.weight" in name:
            parameter.data *= 40
    images = torch.randn(4, 3, *side, generator=torch.Generator().manual_seed(0))
    found = measure(network, images, ["attention-distance"])["attention-distance"]
    there = [4 * y + x for y in range(maps[0]) for x in range(maps[1])]
    placed = attention_weights(network, images)[2][..., there, :][..., there].double()
    looked = (placed * distances(*maps, 8, 8)).sum(-1) / placed.sum(-1)
    block = anatomy(network).blocks.index("stages.1.blocks.0")
    assert found.curves["block"][block] == pytest.approx(looked.mean((0, 2)).tolist(), abs=6e-4)
    assert found.curves["uniform"][block] == pytest.approx(uniform(*maps, 8), abs=6e-4)


def test_a_class_token_has_no_place() -> None:
    """Two tokens side by side, 5 pixels apart; half of all attention goes to the class token."""
    row = torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.5, 0.0], [0.5, 0.1, 0.4]])
    found = mean_distances(row.expand(1, 1, 3, 3), distances(1, 2, 1.0, 5.0))
    assert found.tolist() == pytest.approx([(0.0 + 0.2) / 2 * 5])


def test_weights_of_torchs_module_are_those_that_it_tells() -> None:
    network = models.VisionTransformer(32, 8, 2, 2, 16, 32).eval()
    for parameter in network.parameters():
        nn.init.normal_(parameter, 0, 0.3)
    images = torch.rand(3, 3, 32, 32)
    found = attention_weights(network, images)
    for layer, weights in zip(network.encoder.layers, found, strict=True):
        (given,) = outputs(network, images, [name_of(network, layer.ln_1)]).values()
        _, told = layer.self_attention(given, given, given, average_attn_weights=False)
        assert torch.allclose(weights, told, atol=1e-6)


def name_of(network: nn.Module, module: nn.Module) -> str:
    return next(name for name, each in network.named_modules() if each is module)


def test_weights_of_the_fused_operator_give_its_output() -> None:
    q, k, v = torch.randn(3, 2, 4, 5, 6)
    mask = torch.rand(2, 1, 5, 5) > 0.3
    mask[..., 0] = True

    class Fused(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            attend = nn.functional.scaled_dot_product_attention
            return torch.stack([attend(q, k, v), attend(q, k, v, attn_mask=mask),
                                attend(q, k, v, mask.float()), attend(q, k, v, scale=0.3),
                                attend(q, k, v, is_causal=True)])  # fmt: skip

    network = Fused()
    for weights, out in zip(attention_weights(network, q), network(q), strict=True):
        assert torch.allclose(weights @ v, out, atol=1e-6)


def timm_swin() -> nn.Module:
    name = "swin_tiny_patch4_window7_224"
    return timm.create_model(name, img_size=112, depths=(2, 1, 1, 1))


@pytest.mark.parametrize(
    ("network", "side", "heads"),
    [
        (models.VisionTransformer(32, 8, 2, 2, 16, 32), 32, [2, 2]),
        (models.SwinTransformer([4, 4], 12, [1, 1], [2, 4], [4, 4]), 32, [2, 4]),
        (timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2), 64, [3, 3]),
        (timm.create_model("deit_tiny_distilled_patch16_224", img_size=64, depth=2), 64, [3, 3]),
        (timm_swin(), 112, [3, 3, 6, 12, 24]),
    ],
)  # fmt: skip
def test_foreign_networks(network: nn.Module, side: int, heads: list[int]) -> None:
    found = distance_of(network, side)
    assert found.reason == "" and [len(block) for block in found.curves["block"]] == heads
    assert 0 < found.value < side


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (build(design("resnet-small"), 10, image_size=32), "no attention"),
        (build(design("swin-mini", window=3), 10, image_size=32), "windows of 9 tokens"),
    ],
)
def test_others_have_a_reason(network: nn.Module, said: str) -> None:
    assert said in distance_of(network).reason
