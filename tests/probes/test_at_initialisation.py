"""Signal and gradient at initialisation, and what the doctor makes of them."""

import math
import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from nextify.designs import design
from nextify.findings.diagnosis import Symptom, diagnosis
from nextify.network import build
from nextify.probes import Measurement, measure
from nextify.report import doctor

IMAGES = torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(0))
BOTH = ["signal", "gradient"]


class Times(nn.Module):
    """factor * x, as a convolution, plus a constant."""

    def __init__(self, factor: float, constant: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.conv.weight.data = factor * torch.eye(3)[:, :, None, None]
        self.conv.bias.data.fill_(constant)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


def chain(*blocks: nn.Module) -> nn.Module:
    head = nn.Linear(3 * 64, 10)
    nn.init.normal_(head.weight, 0, 0.1, generator=torch.Generator().manual_seed(0))
    return nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(*blocks), nn.Flatten(), head)


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_chain_of_factors_has_their_powers(factor: float) -> None:
    found = measure(chain(*(Times(factor) for _ in range(6))), IMAGES, BOTH)
    assert found["signal"].value == pytest.approx(5 * math.log10(factor**2), abs=1e-5)
    assert found["gradient"].value == pytest.approx(5 * math.log10(factor), abs=1e-5)
    variances = found["signal"].curves["block"]
    assert variances[1] / variances[0] == pytest.approx(factor**2, rel=1e-5)
    assert found["signal"].values["stage1"] == found["signal"].value


def test_what_is_the_same_for_all_images_is_no_signal() -> None:
    found = measure(chain(Times(1.0), Times(0.02, 50.0)), IMAGES, BOTH)
    assert found["signal"].value == pytest.approx(math.log10(4e-4), abs=1e-4)
    assert found["signal"].curves["mean square"][1] > 1000
    assert diagnosis(found)[0].code == "images look alike"


def test_the_gradient_is_autograds() -> None:
    network = chain(Times(0.7), Times(1.3))
    labels = torch.arange(64) % 10
    found = measure(network, IMAGES, ["gradient"], labels)["gradient"]
    x = network[0](IMAGES)
    first = network[1][0](x).detach().requires_grad_()
    logits = network[3](network[1][1](first).flatten(1))
    loss = nn.functional.cross_entropy(logits, labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, first)
    norm = gradient.flatten(1).norm(dim=1).mean().item()
    assert found.curves["block"][0] == pytest.approx(norm, rel=1e-5)


def test_batch_norms_work_as_in_training() -> None:
    class Normed(Times):
        def __init__(self, factor: float) -> None:
            super().__init__(factor)
            self.norm = nn.BatchNorm2d(3)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(self.conv(x))

    network = chain(*(Normed(10.0) for _ in range(4)))
    found = measure(network, IMAGES, BOTH)
    assert found["signal"].value == pytest.approx(0, abs=0.01)  # and not 3 * log10(100)
    assert network[1][0].norm.num_batches_tracked == 0


class Bare(nn.Module):
    """x + scale * relu(conv(x)): a residual block without a norm."""

    def __init__(self, scale: float, generator: torch.Generator) -> None:
        super().__init__()
        self.conv, self.scale = nn.Conv2d(8, 8, 3, padding=1), scale
        nn.init.normal_(self.conv.weight, 0, (2 / 72) ** 0.5, generator=generator)
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.conv(x).relu()


def bare(blocks: int, scale: float = 1.0) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    stem, head = nn.Conv2d(3, 8, 1), nn.Linear(8, 10)
    for each in (stem, head):
        nn.init.normal_(each.weight, 0, 0.3, generator=generator)
        nn.init.zeros_(each.bias)
    rest = nn.AdaptiveAvgPool2d(1), nn.Flatten(), head
    return nn.Sequential(
        stem, nn.Sequential(*(Bare(scale, generator) for _ in range(blocks))), *rest
    )


def codes(network: nn.Module, images: Tensor) -> list[str]:
    return [each.code for each in diagnosis(measure(network, images, BOTH))]


def test_fifty_blocks_without_norms_explode_and_a_layer_scale_helps() -> None:
    assert codes(bare(50), IMAGES) == ["signal explodes", "gradient explodes"]
    assert codes(bare(50, scale=0.1), IMAGES) == []
    assert codes(bare(50, scale=1e-6), IMAGES) == ["blocks asleep"]


def test_weights_of_the_wrong_size_vanish_or_explode() -> None:
    def scaled(factor: float) -> nn.Module:
        class Plain(Bare):
            def forward(self, x: Tensor) -> Tensor:
                return factor * self.conv(x).relu()

        generator = torch.Generator().manual_seed(0)
        network = bare(1)
        network[1] = nn.Sequential(*(Plain(1.0, generator) for _ in range(20)))
        return network

    assert codes(scaled(0.5), IMAGES)[0] == "signal vanishes"
    assert "gradient vanishes" in codes(scaled(0.5), IMAGES)
    assert codes(scaled(2.0), IMAGES) == ["signal explodes", "gradient explodes"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet-small", []),
        ("vit-mini", []),
        ("swin-mini", []),
        ("convnext-mini", ["blocks asleep"]),  # its layer scale starts at 1e-6
    ],
)
def test_our_networks_train(name: str, expected: list[str]) -> None:
    images = torch.randn(32, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    assert codes(build(design(name), classes=10, image_size=32), images) == expected


def measured(probe: str, **curves: list[float]) -> dict[str, Measurement]:
    return {probe: Measurement(probe=probe, version=1, value=0.0, curves=curves)}


def test_the_doctor_names_the_block() -> None:
    signal = {"block": [1.0, 1e-3, 1e-5, 1e-7], "mean square": [1.0, 1e-3, 1e-5, 1e-7]}
    assert diagnosis(measured("signal", **signal)) == (Symptom("signal vanishes", 3, 4, -5.0),)
    gradient = {"block": [100.0, 40.0, 2.0, 1.0], "weights": [1.0, 1.0, 1e-5, 1e-5],
                "elsewhere": [1.0]}  # fmt: skip
    explodes, asleep = diagnosis(measured("gradient", **gradient))
    assert (explodes.code, explodes.block) == ("gradient explodes", 2)  # met first on the way back
    assert (asleep.block, asleep.amount) == (3, 2.0)
    assert diagnosis({}) == ()


def test_every_code_has_its_sentence() -> None:
    said = [
        doctor.advice([Symptom(code, 3, 9, -5.0 if "vanish" in code else 5.0)])[0]
        for code in (
            "signal vanishes", "signal explodes", "images look alike", "gradient vanishes",
            "gradient explodes", "blocks asleep",
        )
    ]  # fmt: skip
    assert len(set(said)) == 6
    assert "at block 3 of 9 the variance between images is 100,000 times smaller" in said[0]
    assert doctor.advice([]) == [doctor.WELL]


@pytest.mark.slow
def test_what_the_doctor_warns_of_trains_worse() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "will_it_train.py"))
    factors, _ = script["tables"]()
    well = [row for row in factors if row["doctor"] == "well"]
    ill = [row for row in factors if row["doctor"] != "well"]
    assert min(row["AdamW, %"] for row in well) > max(row["AdamW, %"] for row in ill)
    assert min(row["SGD, %"] for row in well) > 40
    assert sum(row["SGD, %"] < 12 for row in ill) >= 5  # which answer one class
