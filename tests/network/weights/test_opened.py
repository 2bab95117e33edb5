"""Networks from anyone's files compute what their own library computes."""

import re
from pathlib import Path

import pytest
import timm
import torch
from timm.models import save_for_hf
from torch import nn
from torchvision import models

from nextify import build, design
from nextify.designs import Vit
from nextify.errors import InputError
from nextify.network import Card, save_network
from nextify.network.weights.opened import open_network

SIDE = 32
VIT = {"img_size": SIDE, "patch_size": 8, "depth": 2, "num_classes": 5}
SWIN = {
    "img_size": SIDE, "patch_size": 2, "embed_dim": 24, "depths": (2, 2), "num_heads": (2, 3),
    "window_size": 4, "num_classes": 5,
}  # fmt: skip
TORCHVISIONS_VIT = {
    "image_size": SIDE, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 128,
    "mlp_dim": 256, "num_classes": 5,
}  # fmt: skip


def timms(name: str, **settings: object) -> nn.Module:
    return timm.create_model(name, pretrained=False, **settings)


NETWORKS = {
    "timm's ViT": lambda: timms("vit_tiny_patch16_224", **VIT),
    "timm's DeiT": lambda: timms("deit_tiny_patch16_224", **VIT),
    "torchvision's ViT": lambda: models.VisionTransformer(**TORCHVISIONS_VIT),
    "timm's Swin": lambda: timms("swin_tiny_patch4_window7_224", **SWIN),
    "torchvision's Swin": lambda: models.SwinTransformer(
        [2, 2], 24, [2, 2], [2, 3], [4, 4], num_classes=5
    ),
    "timm's ConvNeXt": lambda: timms("convnext_atto", num_classes=5, depths=(1, 1, 2, 1)),
    "torchvision's ResNet": lambda: models.resnet18(num_classes=5),
}


def shaken(network: nn.Module) -> nn.Module:
    """With weights of which none is where it began."""
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    return network.eval()


def saved(network: nn.Module, folder: Path) -> Path:
    torch.save(network.state_dict(), folder / "theirs.pth")
    return folder / "theirs.pth"


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_answers(name, tmp_path):
    theirs = shaken(NETWORKS[name]())
    ours, card, notes = open_network(saved(theirs, tmp_path))
    images = torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = theirs(images)
        allowed = 1e-4 * float(wanted.abs().max())
        torch.testing.assert_close(ours(images), wanted, rtol=0, atol=allowed)
    assert not ours.training and len(card.classes) == 5
    assert any("not stated" in note for note in notes)
    is_vit = isinstance(card.design, Vit)
    assert is_vit == any("heads of 64 channels" in note for note in notes)
    assert card.image_size == (SIDE if is_vit else 224)


def test_heads_of_vits_beyond_l_are_not_assumed(tmp_path):
    """H has 16 heads of 80 channels, g 16 of 88; no entry tells."""
    theirs = shaken(timms("vit_tiny_patch16_224", **{**VIT, "embed_dim": 1280}, num_heads=16))
    with pytest.raises(
        InputError, match=r"its width is 1280, and ViTs beyond L .* give it with --"
    ):
        open_network(saved(theirs, tmp_path))


def test_fields_and_designs_say_what_shapes_do_not(tmp_path):
    theirs = shaken(timms("vit_tiny_patch16_224", **VIT, num_heads=6))
    images = torch.randn(2, 3, SIDE, SIDE)
    place = saved(theirs, tmp_path)
    of = Vit(patch_size=8, depth=2, width=192, heads=6)
    for options in ({"fields": ["heads=6"]}, {"design": of}):
        ours, card, notes = open_network(place, **options)
        assert card.design == of and not any("assumed" in note for note in notes)
        with torch.no_grad():
            torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


def test_a_network_of_nextify_states_its_own(tmp_path):
    own = build(design("convnext-mini"), classes=2, image_size=SIDE)
    card = Card(design("convnext-mini"), ("a", "b"), SIDE, (0.5,) * 3, (0.5,) * 3, {})
    save_network(own, card, tmp_path / "network.safetensors")
    network, found, notes = open_network(tmp_path)
    assert found == card and notes == ()
    assert torch.equal(network.state_dict()["stem.conv.weight"], own.stem.conv.weight)
    with pytest.raises(InputError, match="states its own design"):
        open_network(tmp_path, fields=["kernel_size=3"])


def without(network: nn.Module, *names: str) -> nn.Module:
    for name in names:
        network.get_submodule(name.rpartition(".")[0]).register_parameter(
            name.rpartition(".")[2], None
        )
    return network


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: timms("swin_tiny_patch4_window7_224", **{**SWIN, "patch_size": 8}),
            "windows are not of one size",
        ),
        (lambda: timms("swin_tiny_patch4_window7_224", **{**SWIN, "num_classes": 0}), "classifier"),
        (
            lambda: timms("swinv2_tiny_window8_256", **{**SWIN, "img_size": 64}),
            "look like a Swin V2, of whose attention nextify has none",
        ),
        (lambda: models.squeezenet1_1(num_classes=2), "are not in a known naming"),
        (lambda: timms("vit_tiny_patch16_224", **VIT, embed_dim=96), "with --design"),
        (lambda: timms("vit_tiny_patch16_224", **VIT, init_values=1e-5), "left over: blocks.0.ls1"),
        (
            lambda: timms("vit_tiny_patch16_224", **VIT, reg_tokens=1),
            "for 17 patches, which make no square",
        ),
        (lambda: timms("vit_tiny_patch16_224", **{**VIT, "num_classes": 0}), "no classifier"),
        (lambda: timms("vit_tiny_patch16_224", **{**VIT, "img_size": (32, 40)}), "make no square"),
        (lambda: without(timms("vit_tiny_patch16_224", **VIT), "blocks.1.norm1.weight"), "design"),
    ],
)
def test_what_is_not_known_is_refused_in_one_line(make, message, tmp_path):
    with pytest.raises(InputError, match=message) as caught:
        open_network(saved(make(), tmp_path))
    assert "\n" not in str(caught.value)


FOLDERS = {
    "vit_tiny_patch16_224": VIT, "swin_tiny_patch4_window7_224": SWIN,
    "convnext_atto": {"num_classes": 5, "depths": (1, 1, 2, 1)},
}  # fmt: skip


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_as_timm_saves_them(name, tmp_path):
    theirs = shaken(timms(name, **FOLDERS[name]))
    save_for_hf(theirs, tmp_path, model_args=FOLDERS[name] | {"drop_path_rate": 0.1})
    ours, card, notes = open_network(tmp_path)
    assert not any("not stated" in note for note in notes)
    assert list(card.mean) == pytest.approx(theirs.pretrained_cfg["mean"])
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("vit_tiny_patch16_224", {"global_pool": "avg"}, "'global_pool' is 'avg'"),
        ("swin_tiny_patch4_window7_224", {"global_pool": "max"}, "'global_pool' is 'max'"),
        ("vit_tiny_patch16_224", {"qk_norm": True}, "'qk_norm' is True"),
    ],
)
def test_folders_of_other_networks(name, settings, message, tmp_path):
    save_for_hf(timms(name, **FOLDERS[name], **settings), tmp_path, model_args=settings)
    with pytest.raises(InputError, match=message):
        open_network(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"), [("convnext-tiny", "are of a ViT"), ("vit-b-16", "fit")]
)
def test_a_design_that_is_not_theirs(name, message, tmp_path):
    place = saved(timms("vit_tiny_patch16_224", **VIT), tmp_path)
    with pytest.raises(InputError, match=re.compile(message)):
        open_network(place, design(name))
