"""Transformers against torchvision's own, with the same weights; their initialisation, their
stochastic depth, their weight decay, their files."""

import re

import pytest
import torch
import torchvision
from hypothesis import given, settings
from torch import nn
from torchvision.models.swin_transformer import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer

import nextify as nx
from nextify.designs import Swin, Vit
from nextify.network import Card, initialise, load_network, save_network
from nextify.network.modules import StochasticDepth
from nextify.training.optimizer import layer_groups, parameter_groups
from random_transformers import swins, vits

VIT = (
    (r"conv_proj\.", "stem.conv."),
    (r"class_token", "stem.embedding.class_token"),
    (r"encoder\.pos_embedding", "stem.embedding.positions"),
    (r"encoder\.layers\.encoder_layer_(\d+)\.", r"stages.0.blocks.\1."),
    (r"encoder\.ln\.", "head.norm."),
    (r"heads\.head\.", "head.classifier."),
)


def our_name(theirs: str) -> str:
    """Of an entry of torchvision's ViT or Swin."""
    for pattern, ours in VIT:
        if re.match(pattern, theirs):
            return re.sub(pattern, ours, theirs)
    for pattern, ours in ((r"norm\.", "head.norm."), (r"head\.", "head.classifier."),
                          (r"features\.0\.0\.", "stem.conv."),
                          (r"features\.0\.2\.", "stem.norm.")):  # fmt: skip
        if re.match(pattern, theirs):
            return re.sub(pattern, ours, theirs)
    _, feature, *rest = theirs.split(".")
    if int(feature) % 2:
        return f"stages.{int(feature) // 2}.blocks.{'.'.join(rest)}"
    return f"stages.{int(feature) // 2}.downsample.merging.{'.'.join(rest)}"


def assert_same(reference: nn.Module, design: Vit | Swin, size: int, classes: int) -> None:
    """Every entry of both, and the outputs, for weights at which every one matters."""
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=draw))
    network = nx.build(design, classes, image_size=size).eval()
    network.load_state_dict({our_name(n): e for n, e in reference.state_dict().items()})
    images = torch.randn(2, 3, size, size, generator=draw)
    with torch.no_grad():
        ours, theirs = network(images), reference.eval()(images)
    assert ours.std() > 0
    assert (ours - theirs).norm() / theirs.norm() < 1e-5


PUBLISHED = ["vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14", "swin_t", "swin_s",
             "swin_b"]  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_entries_of_published_configurations(name):
    with torch.device("meta"):
        theirs = torchvision.models.get_model(name).state_dict()
    ours = nx.build(nx.design(name), device="meta").state_dict()
    assert {n: e.shape for n, e in ours.items()} == {
        our_name(n): e.shape for n, e in theirs.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "vit_h_14"])
def test_outputs_of_published_configurations(name):
    assert_same(torchvision.models.get_model(name), nx.design(name), 224, 1000)


@settings(max_examples=15, deadline=None)
@given(case=vits())
def test_outputs_of_random_vits(case):
    design, (size, _) = case
    reference = VisionTransformer(
        size, design.patch_size, design.depth, design.heads, design.width, design.inner,
        num_classes=7,
    )  # fmt: skip
    nn.init.normal_(reference.heads.head.weight)
    assert_same(reference, design, size, 7)


@settings(max_examples=15, deadline=None)
@given(case=swins())
def test_outputs_of_random_swins(case):
    design, (size, _) = case
    if sum(design.depths) == 1:  # torchvision divides by the number of blocks less one
        return
    reference = SwinTransformer(
        [design.patch_size] * 2, design.width, list(design.depths), list(design.heads),
        [design.window] * 2, design.mlp_ratio, num_classes=7,
    )  # fmt: skip
    assert_same(reference, design, size, 7)


def test_gradients_are_torchvisions():
    """Through fused attention in training."""
    reference = VisionTransformer(16, 4, 2, 2, 8, 16, num_classes=3).double().train()
    nn.init.normal_(reference.heads.head.weight)
    design = Vit(patch_size=4, depth=2, width=8, heads=2, mlp_ratio=2.0)
    network = nx.build(design, 3, image_size=16).double().train()
    network.load_state_dict({our_name(n): e for n, e in reference.state_dict().items()})
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    for net in (reference, network):
        net(images).square().sum().backward()
    ours = dict(network.named_parameters())
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(ours[our_name(name)].grad, parameter.grad)


SMALL = [nx.design("vit-mini"), nx.design("swin-mini")]


@pytest.mark.parametrize("design", SMALL, ids=lambda d: d.kind)
def test_weights_come_from_the_seed_and_leave_the_global_state_alone(design):
    before = torch.get_rng_state()
    one, again, other = (nx.build(design, 10, image_size=32, seed=s) for s in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    for name, entry in one.state_dict().items():
        assert torch.equal(entry, again.state_dict()[name])
    changed = [n for n, e in one.named_parameters() if not torch.equal(e, other.get_parameter(n))]
    assert all(n.endswith(("weight", "positions", "table")) for n in changed)
    assert "stages.0.blocks.0.mlp.0.weight" in changed


@pytest.mark.parametrize("scheme", ["trunc_normal", "he_normal"])
def test_initialisation(scheme):
    design = Vit(patch_size=8, depth=2, width=192, heads=3)
    vit = nx.build(design, 200, image_size=64, weight_init=scheme)
    swin = nx.build(Swin(depths=(2, 2), heads=(3, 6)), 200, weight_init=scheme)
    for network in (vit, swin):
        for name, parameter in network.named_parameters():
            if name.endswith(("bias", "class_token")):
                assert (parameter == 0).all(), name
            elif re.search(r"(norm\d?|ln_\d)\.weight$", name):
                assert (parameter == 1).all(), name
            elif name.endswith(("positions", "table")):
                assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
            elif parameter.ndim == 2:
                sd = 0.02 if scheme == "trunc_normal" else parameter.shape[1] ** -0.5
                assert parameter.std().item() == pytest.approx(sd, rel=0.05), name


def test_the_factor_on_the_head_is_on_the_head_alone():
    plain, scaled = (nx.build(SMALL[0], 10, image_size=32) for _ in range(2))
    initialise(plain, "trunc_normal", torch.Generator().manual_seed(0))
    initialise(scaled, "trunc_normal", torch.Generator().manual_seed(0), head_scale=0.5)
    for name, parameter in plain.named_parameters():
        factor = 0.5 if name == "head.classifier.weight" else 1.0
        assert torch.equal(scaled.get_parameter(name), factor * parameter), name


def test_swins_relative_positions_are_torchvisions():
    network = nx.build(nx.design("swin-t", width=24), 10)
    theirs = SwinTransformer([4, 4], 24, [2, 2, 6, 2], [3, 6, 12, 24], [7, 7]).state_dict()
    for name, entry in theirs.items():
        if name.endswith("index"):
            assert torch.equal(network.state_dict()[our_name(name)], entry)


@pytest.mark.parametrize("rate", [0.0, 0.3])
def test_swins_stochastic_depth_is_torchvisions(rate):
    reference = SwinTransformer(
        [4, 4], 12, [2, 2, 6, 2], [3, 6, 12, 24], [7, 7], stochastic_depth_prob=rate
    )
    theirs = [m.p for m in reference.modules() if isinstance(m, torchvision.ops.StochasticDepth)]
    design = nx.design("swin-t", width=12, heads=(3, 6, 12, 24))
    network = nx.build(design, stochastic_depth=rate, device="meta")
    ours = [m.probability for m in network.modules() if isinstance(m, StochasticDepth)]
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("design", SMALL, ids=lambda d: d.kind)
def test_stochastic_depth_drops_whole_branches_by_the_generator(design):
    network = nx.build(design, 10, image_size=32, stochastic_depth=0.9).train()
    network.use_generator(torch.Generator().manual_seed(0))
    rates = [m.probability for m in network.modules() if isinstance(m, StochasticDepth)]
    assert rates == pytest.approx([0, 0.3, 0.6, 0.9])
    before = torch.get_rng_state()
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    first = network(images)
    assert not torch.allclose(network(images), first)
    network.use_generator(torch.Generator().manual_seed(0))
    assert torch.equal(network(images), first)
    assert torch.equal(before, torch.get_rng_state())
    last = network.stages[-1].blocks[-1]
    x = torch.randn(2, 5, 5, 24 if design.kind == "vit" else 48)
    x = x.flatten(1, 2) if design.kind == "vit" else x
    with torch.no_grad():
        last.eval()
        assert not torch.equal(last(x), x)
        rate_one = last.train()
        for module in rate_one.modules():
            if isinstance(module, StochasticDepth):
                module.generator, module.probability = None, 1.0 - 1e-9
        assert torch.equal(rate_one(x), x)


def test_what_decays():
    """Neither norms and biases nor what says where a token is (Swin's official code)."""
    for design in SMALL:
        network = nx.build(design, 10, image_size=32, device="meta")
        names = {id(p): n for n, p in network.named_parameters()}
        groups = parameter_groups(network, nx.recipe("modern"))
        decaying = {names[id(p)] for g in groups if g["weight_decay"] for p in g["params"]}
        others = {names[id(p)] for g in groups if not g["weight_decay"] for p in g["params"]}
        assert decaying | others == set(names.values()) and not decaying & others
        assert decaying == {
            n for n in names.values()
            if n.endswith("weight") and not re.search(r"(norm\d?|ln_\d)\.weight$", n)
        }  # fmt: skip
        assert {n for n in others if not n.endswith(("bias", "weight"))} == {
            n for n in names.values() if n.endswith(("class_token", "positions", "table"))
        }


def test_every_parameter_is_in_one_group_of_layers():
    for design in SMALL:
        network = nx.build(design, 10, image_size=32, device="meta")
        groups = layer_groups(network)
        members = [id(p) for group in groups for module in group for p in module.parameters()]
        assert sorted(members) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize("design", SMALL, ids=lambda d: d.kind)
def test_files_keep_the_network(design, tmp_path):
    network = nx.build(design, 2, image_size=32, seed=3).eval()
    card = Card(design=design, classes=("a", "b"), image_size=32, mean=(0.5,) * 3, std=(0.2,) * 3,
                about={})  # fmt: skip
    save_network(network, card, tmp_path / "network.safetensors")
    loaded, found = load_network(tmp_path)
    assert found == card
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(loaded(images), network(images))


def test_a_vit_sees_no_other_size():
    network = nx.build(SMALL[0], 10, image_size=32)
    with pytest.raises(nx.InputError, match="only sees images of the size it was built for"):
        network(torch.zeros(1, 3, 36, 36))
    swin = nx.build(SMALL[1], 10)
    assert swin(torch.zeros(1, 3, 35, 50)).shape == (1, 10)


@pytest.mark.parametrize("size", [1, 3, 4, 5, 28, 31, 32])
def test_what_is_built_takes_the_images_that_are_said_to_fit(size):
    for design in SMALL:
        try:
            network = nx.build(design, 3, image_size=size)
        except nx.InputError:
            assert size < 4 or (size % 4 and design.kind == "vit")
            continue
        assert network(torch.zeros(1, 3, size, size)).shape == (1, 3)


def test_weights_to_start_from_are_refused_in_words(tmp_path):
    from nextify.training import initial_weights

    with pytest.raises(nx.InputError, match="training from weights works with convolutional"):
        initial_weights({}, SMALL[0], ("a", "b"))
