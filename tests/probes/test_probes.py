"""What holds of every probe, and of how networks are read."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from nextify.data import load, permuted
from nextify.data.subsets import with_permuted_pixels
from nextify.designs import design
from nextify.errors import InputError
from nextify.network import build
from nextify.probes import PROBES, Found, Probe, Subject, Undefined, measure
from nextify.probes.anatomy import anatomy, as_maps, outputs
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


def test_a_map_is_the_same_in_all_layouts() -> None:
    maps = torch.randn(2, 5, 6, 3)
    plane, line = maps.permute(0, 2, 3, 1), maps.flatten(2).transpose(1, 2)
    line = torch.cat([torch.randn(2, 1, 5), line], 1)  # a class token before it
    assert all(torch.equal(as_maps(each, (24, 12)), maps) for each in (maps, plane, line))


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
