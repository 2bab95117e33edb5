"""Dead units and where units live on their curve, on networks built by hand, and by depth."""

import runpy
from pathlib import Path
from statistics import mean

import pytest
import torch
from torch import Tensor, nn

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure

SCRIPT = Path(__file__).parents[2] / "scripts" / "dead_units.py"
IMAGES = torch.rand(40, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def of_eight(activation: nn.Module, low: float = -100.0) -> nn.Sequential:
    """Eight units, of which the first three are before their activation `low` for every image."""
    network = nn.Sequential(nn.Conv2d(3, 8, 1), activation)
    with torch.no_grad():
        network[0].weight.fill_(1.0)  # on images in [0, 1]
        network[0].weight[:3] = 0.0
        network[0].bias.copy_(torch.tensor([low] * 3 + [0.5] * 5))
    return network


class Last(nn.Module):
    """The same with its channels last."""

    def __init__(self, inner: nn.Sequential) -> None:
        super().__init__()
        self.linear, self.act = nn.Linear(3, 8), inner[1]
        self.linear.weight.data = inner[0].weight.data[:, :, 0, 0]
        self.linear.bias.data = inner[0].bias.data

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.linear(x.permute(0, 2, 3, 1)))


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.ReLU(inplace=True), nn.GELU(), nn.SiLU()])
def test_three_of_eight_units_are_dead(activation: nn.Module) -> None:
    network = of_eight(activation)
    for each in (network, Last(network)):
        found = measure(each, IMAGES, ["dead-units"])["dead-units"]
        assert found.value == 3 / 8 and found.curves["layer"] == [3 / 8]


def test_one_image_at_one_place_brings_a_unit_to_life() -> None:
    network = of_eight(nn.ReLU())
    network[0].weight.data[0, 0] = 1.0
    images = IMAGES.clone()
    images[33, 0, 7, 2] = 101.0
    assert measure(network, images, ["dead-units"])["dead-units"].value == 2 / 8


def test_gelu_has_no_dead_zone_but_a_slope_that_is_next_to_nothing() -> None:
    values = {-2.0: 0.0, -4.0: 3 / 8}  # where its slope is -0.085 and -0.0005
    for low, share in values.items():
        assert (
            measure(of_eight(nn.GELU(), low), IMAGES, ["dead-units"])["dead-units"].value == share
        )


class Shared(nn.Module):
    """One module that stands for two layers of other widths, as torchvision's ResNet has it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = of_eight(nn.Identity())[0], nn.Conv2d(8, 2, 1)
        self.relu = nn.ReLU(inplace=True)
        self.second.weight.data.fill_(0.0)
        self.second.bias.data = torch.tensor([-1.0, 1.0])

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.second(self.relu(self.first(x))))


def test_every_call_of_a_module_is_a_layer() -> None:
    found = measure(Shared(), IMAGES, ["dead-units"])["dead-units"]
    assert found.curves["layer"] == [3 / 8, 1 / 2] and found.value == 4 / 10


def test_where_units_live() -> None:
    found = measure(of_eight(nn.ReLU(), low=-2.0), IMAGES, ["activation-use"])["activation-use"]
    assert found.value == 3 / 8  # flat; the others are all positive, and so linear
    assert found.values["linear"] == 5 / 8
    sums = IMAGES.sum(1)
    span = (sums.max() - sums.min()).item()
    assert found.values["range"] == pytest.approx(5 / 8 * span, rel=1e-5)
    (shares,) = found.curves["histogram"]
    assert sum(shares) == pytest.approx(1) and len(shares) == len(found.curves["edges"]) + 1
    assert shares[found.curves["edges"].index(-2.0)] == 3 / 8  # the bin that ends at -2


def test_a_network_without_activation_functions_has_a_reason() -> None:
    found = measure(nn.Conv2d(3, 8, 1), IMAGES, ["dead-units", "activation-use"])
    assert all("no activation function" in each.reason for each in found.values())


def test_stages_are_those_of_the_network() -> None:
    network = build(design("swin-mini"), classes=10, image_size=32)
    found = measure(network, torch.randn(2, 3, 32, 32), ["dead-units"])["dead-units"]
    assert list(found.values) == ["stage1", "stage2"] and len(found.curves["layer"]) == 4


def test_relu_units_die_with_depth() -> None:
    # UvA's tutorial 3: over half of the last hidden layer but one, before any training.
    script = runpy.run_path(str(SCRIPT))
    seen, _ = script["images"]()
    found = [script["dead"](script["network"](seed), seen[::10]) for seed in range(2)]
    by_layer = [mean(column) for column in zip(*found, strict=True)]
    assert by_layer[0] < 2 and by_layer[8] > 45
    assert by_layer[2] < by_layer[4] < by_layer[6]


@pytest.mark.slow
def test_the_script_prints_its_tables(monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["dead_units", "--seeds", "2"])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(lines) == 11 + 14
    last_but_one = [float(cell) for cell in lines[9].strip("| ").split(" | ")]
    assert last_but_one[2] > 40  # untrained, on 10,000 images
