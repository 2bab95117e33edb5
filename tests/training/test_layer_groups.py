"""Layer-wise learning-rate decay: every parameter's scale, against the official rule and timm's."""

import re

import pytest
import timm
from hypothesis import given, settings
from hypothesis import strategies as st
from timm.models import group_parameters
from timm.optim import param_groups_layer_decay
from torch import nn

import nextify as nx
from nextify.designs import recipe
from nextify.network import Network
from nextify.network.weights.pairing import foreign_names
from nextify.network.weights.recognise import recognise
from nextify.network.weights.source import Weights
from nextify.training.optimizer import (
    layer_groups,
    make_optimizer,
    parameter_groups,
    set_learning_rate,
)


def scales(network: Network, decay: float) -> dict[str, float]:
    """Ours: the factor of every parameter by its name."""
    groups = parameter_groups(network, recipe("modern", layer_decay=decay))
    by_id = {id(p): group["lr_scale"] for group in groups for p in group["params"]}
    return {name: by_id[id(p)] for name, p in network.named_parameters()}


def official_layer(name: str, depths: tuple[int, ...]) -> int:
    """The rule of the official code for (3, 3, n, 3) blocks, in its own names: stem 0, the first
    two stages 1 and 2, the third in threes from 3 on, then the last; what is left one more."""
    last = 3 + -(-depths[2] // 3)
    kind, _, rest = name.partition(".")
    if kind == "downsample_layers":
        return (0, 2, 3, last)[int(rest[0])]
    if kind == "stages":
        stage, block = map(int, rest.split(".")[:2])
        return (1, 2, 3 + block // 3, last)[stage]
    return last + 1


def official_name(name: str) -> str:
    """Our names of stem, downsampling and blocks as the official code has them."""
    name = re.sub(r"^stem\.", "downsample_layers.0.", name)
    name = re.sub(r"^stages\.(\d)\.downsample\.", r"downsample_layers.\1.", name)
    return re.sub(r"^stages\.(\d)\.blocks\.", r"stages.\1.", name)


@pytest.mark.parametrize(
    ("design", "depths", "groups"),
    [
        ("convnext-tiny", (3, 3, 9, 3), 6),
        ("convnext-small", (3, 3, 27, 3), 12),
        ("convnext-base", (3, 3, 27, 3), 12),
    ],
)
def test_scales_are_the_official_codes(design, depths, groups):
    network = nx.build(nx.design(design), device="meta")
    assert len(layer_groups(network)) == groups + 2
    found = scales(network, 0.8)
    for name, scale in found.items():
        layer = official_layer(official_name(name), depths)
        assert scale == pytest.approx(0.8 ** (groups + 1 - layer), rel=1e-12), name
    assert len(set(found.values())) == groups + 2


def in_timms_names(found: dict[str, float], network: Network, other: nn.Module) -> dict[str, float]:
    """Values by our names of a network's parameters, by timm's."""
    table = recognise(Weights("timm's", other.state_dict()), "timm", network.state_dict())
    return {foreign_names(network, table)[ours][0]: value for ours, value in found.items()}


def test_scales_are_timms_where_its_groups_are_the_same():
    """timm decays block by block: the same where each stage has one block."""
    sizes = {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}
    other = timm.create_model("convnext_tiny", **sizes)
    network = nx.build(nx.design("convnext-tiny", depths=sizes["depths"], widths=sizes["dims"]))
    theirs = param_groups_layer_decay(other, layer_decay=0.7)
    by_id = {id(p): group["lr_scale"] for group in theirs for p in group["params"]}
    expected = {name: by_id[id(p)] for name, p in other.named_parameters()}
    assert in_timms_names(scales(network, 0.7), network, other) == pytest.approx(expected)


@pytest.mark.parametrize("depths", [(3, 3, 3, 3), (1, 2, 3, 1)])
def test_groups_are_timms_coarse_ones_where_stages_are_short(depths):
    """timm's coarse groups are whole stages: the same up to three blocks in each."""
    other = timm.create_model("convnext_tiny", depths=depths, dims=(8, 16, 24, 32))
    theirs = group_parameters(other, other.group_matcher(coarse=True), reverse=True)
    network = nx.build(nx.design("convnext-tiny", depths=depths, widths=(8, 16, 24, 32)))
    last = max(theirs.values())
    expected = {name: 0.5 ** (last - layer) for name, layer in theirs.items()}
    assert in_timms_names(scales(network, 0.5), network, other) == expected


@pytest.mark.parametrize(
    ("design", "groups"),
    [
        ("resnet-18", 4),
        ("resnet-152", 1 + 3 + 12 + 1),
        ("convnext-iso-small", 6),
        ("convnext-mini", 3),
        ("convnextv2-atto", 5),
    ],
)
def test_other_designs_have_a_group_for_every_three_blocks(design, groups):
    network = nx.build(nx.design(design), device="meta")
    found = layer_groups(network)
    assert len(found) == groups + 2 and found[0] == [network.stem] and found[-1] == [network.head]


@settings(max_examples=40, deadline=None)
@given(
    depths=st.lists(st.integers(1, 8), min_size=1, max_size=4).map(tuple),
    name=st.sampled_from(["convnext-tiny", "resnet-18", "resnet-50"]),
    decay=st.floats(0.01, 0.99),
)
def test_every_parameter_is_in_one_group_and_later_ones_learn_faster(depths, name, decay):
    chosen = nx.design(name, depths=depths, widths=(4,) * len(depths))
    network = nx.build(chosen, 3, device="meta")
    groups = parameter_groups(network, recipe("modern", layer_decay=decay))
    members = [id(p) for group in groups for p in group["params"]]
    assert sorted(members) == sorted(id(p) for p in network.parameters())
    factors = [group["lr_scale"] for group in groups]
    assert factors == sorted(factors) and factors[-1] == 1.0
    count = 2 + sum(-(-depth // 3) for depth in depths)
    assert len(set(factors)) == count
    assert factors[0] == pytest.approx(decay ** (count - 1))
    assert all((p.ndim > 1) == (g["weight_decay"] > 0) for g in groups for p in g["params"])


def test_the_schedule_multiplies_the_scales():
    network = nx.build(nx.design("convnext-mini"), 3)
    optimizer = make_optimizer(network, recipe("modern", layer_decay=0.5))
    set_learning_rate(optimizer, 0.1)
    found = {group["lr"] for group in optimizer.param_groups}
    assert found == {0.1 * 0.5**power for power in range(5)}
