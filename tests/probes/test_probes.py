"""What holds of every probe, and of how networks are read."""

from collections.abc import Sequence
from itertools import chain, combinations, product

import numpy as np
import pytest
import timm
import torch
from torch import nn
from torchvision import models

from nextify.data import load, permuted
from nextify.data.subsets import with_permuted_pixels
from nextify.designs import Design, design, path
from nextify.errors import InputError
from nextify.network import Network, build
from nextify.probes import PROBES, Found, Probe, Subject, Undefined, measure
from nextify.probes.anatomy import (
    anatomy,
    as_maps,
    maps_after_blocks,
    outputs,
    works_on_tokens,
)
from nextify.probes.images import as_seen_to_probe, drawn_to_probe
from nextify.records import Measurement
from nextify.records.measurement import from_row, to_row

DESIGNS = ("resnet-small", "convnext-mini", "vit-mini", "swin-mini")


def network_of(name: str, seed: int = 0) -> nn.Module:
    return build(design(name), classes=10, image_size=32, seed=seed)


def each_on_all() -> list[object]:
    """A probe's name and a design's; what takes seconds a network is done on one, and slowly on
    the others."""
    costly = {("hessian", of) for of in DESIGNS if of != "vit-mini"}
    return [
        pytest.param(*case, marks=[pytest.mark.slow] * (case in costly))
        for case in product(PROBES, DESIGNS)
    ]


@pytest.mark.parametrize(("name", "of"), each_on_all())
def test_every_probe_gives_the_same_number_twice_or_a_reason(name: str, of: str) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(24, 3, 32, 32, generator=generator)
    labels = torch.randint(10, (24,), generator=generator)
    network = network_of(of).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found, again = (measure(network, images, [name], labels)[name] for _ in range(2))
    assert not found.failed, found.reason
    assert (found.value is None) == bool(found.reason)
    assert (found.value, found.values, found.curves) == (again.value, again.values, again.curves)
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


def test_a_network_of_permuted_pixels_is_probed_on_permuted_pixels() -> None:
    plain = load("embedded", train_limit=64)
    natural, labels = as_seen_to_probe(drawn_to_probe(plain, 5))
    others, same = as_seen_to_probe(drawn_to_probe(with_permuted_pixels(plain, 3), 5))
    assert torch.equal(others, permuted(natural, 3)) and not torch.equal(others, natural)
    assert torch.equal(labels, same)


def test_a_probe_is_named_as_its_file() -> None:
    assert all(probe.name == name for name, probe in PROBES.items())


@pytest.mark.parametrize(
    ("make", "stages"),
    [
        (models.resnet18, [2, 2, 2, 2]),
        (models.convnext_tiny, [3, 3, 9, 3]),
        (models.swin_t, [2, 2, 6, 2]),
        (models.vit_b_16, [12]),
    ],
)
def test_the_blocks_of_torchvision_are_found(make, stages: list[int]) -> None:
    with torch.device("meta"):
        found = anatomy(make())
    assert [len(blocks) for blocks in found.stages] == stages
    assert found.classifier


CHOICES = path("small").choices
NUMBERS = {"stage ratio", "increase width", "kernel size 7", "ReLU to GELU"}  # change no layer


class Around(nn.Module):
    """A network in another, as in `nn.DataParallel`: what it is made of is not known then."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self.inside = inside


def assert_blocks_are_found(of: Design) -> None:
    blocks = tuple(
        tuple(f"stages.{at}.blocks.{block}" for block in range(depth))
        for at, depth in enumerate(of.depths)
    )
    network = build(of, classes=10, device="meta")
    assert anatomy(network).stages == blocks, of
    inside = tuple(tuple(f"inside.{block}" for block in stage) for stage in blocks)
    assert anatomy(Around(network)).stages == inside, of


@pytest.mark.parametrize(
    ("choices", "stem_stride"),
    [
        ([at for at, each in enumerate(CHOICES) if each.name not in NUMBERS], 4),
        ([1, 9, 11], 1),  # a stem that is one 1 x 1 convolution
        pytest.param(range(len(CHOICES)), 4, marks=pytest.mark.slow),
    ],
)
def test_the_blocks_of_every_subset_of_choices_are_found(
    choices: Sequence[int], stem_stride: int
) -> None:
    """A block's shortcut may be one convolution alone, which is a row of modules, too."""
    small = path("small").with_design_fields({"stem_stride": stem_stride})
    subsets = chain.from_iterable(combinations(choices, n) for n in range(len(choices) + 1))
    for of in dict.fromkeys(map(small.subset, subsets)):
        assert_blocks_are_found(of)


def test_the_blocks_of_every_step_of_the_large_path_are_found() -> None:
    for step in path("resnet50").steps:
        assert_blocks_are_found(step.design)


@pytest.mark.parametrize(
    ("name", "stages"),
    [
        ("resnet50d", [3, 4, 6, 3]),
        ("resnetv2_50", [3, 4, 6, 3]),
        ("convnext_atto", [2, 2, 6, 2]),
        ("swin_tiny_patch4_window7_224", [2, 2, 6, 2]),
        ("vit_tiny_patch16_224", [12]),
        ("efficientnet_b0", [1, 2, 2, 3, 3, 4, 1]),
        ("poolformer_s12", [2, 2, 6, 2]),
        ("darknet53", [1, 2, 8, 8, 4]),  # has a stem of convolutions alike
    ],
)
def test_the_blocks_of_timm_are_found(name: str, stages: list[int]) -> None:
    with torch.device("meta"):
        found = anatomy(timm.create_model(name))
    assert [len(blocks) for blocks in found.stages] == stages


def test_a_map_is_the_same_in_all_layouts() -> None:
    maps = torch.randn(2, 5, 6, 3)
    plane, line = maps.permute(0, 2, 3, 1), maps.flatten(2).transpose(1, 2)
    line = torch.cat([torch.randn(2, 1, 5), line], 1)  # a class token before it
    assert all(torch.equal(as_maps(each, (24, 12)), maps) for each in (maps, plane, line))


@pytest.mark.parametrize(
    ("network", "sides"),
    [
        (build(design("swin-mini"), 10, image_size=96), (96, 96)),  # 24 channels, 24 x 24 tokens
        (build(design("swin-mini"), 10, image_size=88), (88, 88)),
        (build(design("swin-mini"), 10, image_size=(32, 64)), (32, 64)),
        (build(design("swin-mini", patch_size=2), 10, image_size=32), (32, 32)),
        (build(design("swin-mini"), 10, image_size=(20, 64)), (20, 64)),
        (models.SwinTransformer([4, 4], 24, [1, 1], [2, 4], [4, 4]), (96, 96)),
        (
            timm.create_model("swin_tiny_patch4_window7_224", img_size=384, depths=(1, 1)),
            (384, 384),
        ),
    ],
)
def test_planes_of_tokens_are_never_taken_for_channels(
    network: nn.Module, sides: tuple[int, int]
) -> None:
    images = torch.zeros(1, 3, *sides)
    maps = maps_after_blocks(network.eval(), images)
    for name, tensor in outputs(network, images, list(maps)).items():
        assert maps[name].shape[1] == tensor.shape[3]


def test_maps_as_wide_as_they_have_channels_are_left_as_they_are() -> None:
    images = torch.zeros(1, 3, 96, 96)
    for network in (
        build(design("convnext-mini", widths=(24, 48, 96)), 10, image_size=96),
        models.ConvNeXt([models.convnext.CNBlockConfig(24, None, 2)]),
        timm.create_model("convnext_tiny", dims=(24, 48, 48, 48), depths=(1, 1, 1, 1)),
    ):
        maps = maps_after_blocks(network.eval(), images)
        for name, tensor in outputs(network, images, list(maps)).items():
            assert maps[name].shape == tensor.shape
        first = anatomy(network).activations[0]  # inside, foreign ones have tokens
        assert works_on_tokens(network, first) == (not isinstance(network, Network))


def test_what_flows_in_is_what_was_there_before_a_module_wrote_over_it() -> None:
    network = nn.Sequential(nn.Identity(), nn.ReLU(inplace=True))
    x = torch.tensor([[-1.0, 2.0]])
    assert outputs(network, x.clone(), ["1"], inputs=True)["1"].tolist() == [[-1.0, 2.0]]
    assert outputs(network, x.clone(), ["0"])["0"].tolist() == [[-1.0, 2.0]]


def fails(subject: Subject) -> Found:
    raise RuntimeError("no\nluck")


def is_not_defined(subject: Subject) -> Found:
    raise Undefined("not for this network")


def test_a_probe_that_fails_costs_nothing_but_itself() -> None:
    bad, none = (
        Probe(name=each.__name__, title="", measure=each) for each in (fails, is_not_defined)
    )
    found = measure(nn.Identity(), torch.zeros(1, 3, 8, 8), [bad, none])
    assert (
        found["fails"].failed and found["fails"].reason == "the probe failed: RuntimeError: no luck"
    )
    assert not found["is_not_defined"].failed
    assert found["is_not_defined"].reason == "not for this network"


def returns(**found: object) -> Measurement:
    """What is measured of a network by a probe that finds this."""
    probe = Probe(name="mine", title="", measure=lambda subject: Found(value=1, **found))
    return measure(nn.Identity(), torch.zeros(1, 3, 8, 8), [probe])["mine"]


@pytest.mark.parametrize(
    "curve",
    [
        torch.ones(2, 3, requires_grad=True),
        np.ones((2, 3), np.float32),
        [torch.ones(3), np.ones(3)],
        ((np.float32(1), torch.tensor(1), 1.0), [np.int64(1)] * 3),
    ],
)
def test_curves_may_be_tensors_and_arrays(curve: object) -> None:
    found = returns(curves={"row": curve}, images=torch.tensor(1))
    assert found.curves == {"row": [[1, 1, 1]] * 2} and found.images == 1
    assert from_row(to_row("", found)) == found


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ({"curves": {"row": [object()]}}, "TypeError: a curve holds object; give numbers"),
        ({"units": {"row": torch.ones(1)}}, "TypeError"),
        ({"images": -1}, "'images' is -1"),
    ],
)
def test_what_cannot_be_kept_is_the_fault_of_the_probe(of: dict, said: str) -> None:
    found = returns(**of)
    assert found.failed and found.value is None and said in found.reason


@pytest.mark.parametrize(
    ("names", "shape", "said"),
    [
        (["feature-colapse"], (1, 3, 8, 8), "did you mean 'feature-collapse'"),
        (["nothing.py"], (1, 3, 8, 8), "nothing.py: there is no such file"),
        (["all"], (0, 3, 8, 8), "images have the shape"),
        (["all"], (1, 1, 8, 8), "images have the shape"),
    ],
)
def test_bad_input_is_refused(names: list[str], shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        measure(nn.Identity(), torch.zeros(shape), names)
