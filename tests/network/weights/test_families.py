"""Every family, in every naming that has it: the same entries, the same outputs, there and back."""

import gc

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import nextify as nx
from network.weights.others import CLASSES, LACKING, PAIRS, on_meta, perturbed
from nextify.designs import FAMILIES
from nextify.network.weights.recognise import read_design, recognise
from nextify.network.weights.save import foreign_entries
from nextify.network.weights.source import Weights

SMALL = [
    ("resnet-18", "torchvision"),
    ("resnet-50", "timm"),
    ("convnext-atto", "official"),
    ("convnext-atto", "timm"),
    ("convnext-mini", "torchvision"),
    ("convnext-tiny", "timm"),
    ("convnext-slim", "torchvision"),
    ("convnext-iso-small", "official"),
    ("convnextv2-atto", "official"),
    ("convnextv2-atto", "timm"),
    ("convnextv2-tiny", "timm"),
]
# The largest have more weights than memory of an ordinary machine holds three times.
LARGE = [pair for pair in PAIRS if pair not in SMALL and pair[0] != "convnextv2-huge"]


@pytest.mark.parametrize("family", FAMILIES)
def test_entries_are_theirs_and_tell_the_design(family):
    network = nx.build(FAMILIES[family], CLASSES, device="meta")
    own = Weights(family, network.state_dict())
    assert read_design(own).design == FAMILIES[family]
    assert recognise(own).naming == "nextify"
    for naming in ("official", "timm", "torchvision"):
        if family in LACKING[naming]:
            with pytest.raises(nx.InputError, match="write it in the naming of nextify"):
                foreign_entries(network, naming)
            continue
        ours = foreign_entries(network, naming)
        theirs = on_meta(family, naming).state_dict()
        assert {n: (e.shape, e.dtype) for n, e in ours.items()} == {
            n: (e.shape, e.dtype) for n, e in theirs.items()
        }
        weights = Weights(family, theirs)
        found = read_design(weights)
        assert (found.design, found.classes) == (FAMILIES[family], CLASSES)
        # timm names ResNets as torchvision does.
        expected = "torchvision" if "resnet" in family else naming
        assert recognise(weights).naming == expected


def equal_outputs(ours: nn.Module, theirs: nn.Module) -> None:
    for size in ((64, 64), (96, 64)):
        images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(2))
        with torch.no_grad():
            mine, other = ours(images), theirs(images)
        assert mine.std() > 0 and mine.isfinite().all()
        error = (mine - other).norm() / other.norm()
        assert error < 1e-5, f"at {size}: relative error {error:.1e}"


def there_and_back(family, naming, tmp_path):
    theirs = perturbed(family, naming)
    network = nx.build(FAMILIES[family], CLASSES, device="meta")
    loaded = nx.load_weights(network, theirs.state_dict(), naming=naming)
    assert (loaded.naming, loaded.head_is_new) == (naming, False)
    assert loaded.entries == len(theirs.state_dict()) == len(network.state_dict())
    equal_outputs(network.eval(), theirs)
    file = tmp_path / "weights.safetensors"
    nx.save_weights(network, file, naming)
    del network
    gc.collect()
    written = load_file(file)
    for name, entry in theirs.state_dict().items():
        assert torch.equal(written[name], entry), name
    again = on_meta(family, naming)
    again.load_state_dict(written, strict=True, assign=True)
    equal_outputs(again, theirs)
    file.unlink()


@pytest.mark.parametrize(("family", "naming"), SMALL)
def test_outputs_equal_there_and_back(family, naming, tmp_path):
    there_and_back(family, naming, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "naming"), LARGE)
def test_outputs_equal_there_and_back_at_any_size(family, naming, tmp_path):
    there_and_back(family, naming, tmp_path)
