"""Feature collapse, against its formula written out."""

import pytest
import torch
from torch import Tensor, nn

from nextify.designs import design
from nextify.network import build
from nextify.probes import measure
from nextify.probes.kinds.feature_collapse import diversity


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def as_published(maps: Tensor) -> float:
    """The sum over all pairs, i = j too, over C^2; the mean over images."""
    total = 0.0
    for image in maps.flatten(2).double():
        for one in image:
            for other in image:
                cosine = (one @ other) / (one.norm() * other.norm())
                total += float(1 - cosine) / 2
    return total / (len(maps) * maps.shape[1] ** 2)


def test_the_published_sum_counts_each_channel_with_itself() -> None:
    maps = drawn(3, 5, 4, 4) + 0.3
    assert diversity(maps) * 4 / 5 == pytest.approx(as_published(maps), rel=1e-9)


def test_maps_whose_answer_is_known() -> None:
    one = drawn(2, 1, 4, 4)
    assert diversity(one * torch.tensor([1.0, 2, 3])[:, None, None]) == pytest.approx(0, abs=1e-7)
    assert diversity(torch.cat([one, -one], 1)) == pytest.approx(1)
    waves = torch.eye(16).view(1, 16, 4, 4)
    assert diversity(waves) == pytest.approx(0.5)
    assert diversity(torch.cat([waves[:, :3], 0 * waves[:, :1]], 1)) == pytest.approx(0.5)  # dead


@pytest.mark.parametrize(
    ("name", "is_widened"), [("convnext-mini", 1), ("vit-mini", 1), ("resnet-small", 0)]
)
def test_the_expansion_is_read_where_there_is_one(name: str, is_widened: int) -> None:
    network = build(design(name), classes=10, image_size=32, seed=0)
    found = measure(network, drawn(6, 3, 32, 32), ["feature-collapse"])["feature-collapse"]
    assert ("expanded" in found.values) == is_widened
    if is_widened:
        assert len(found.curves["expanded"]) == len(found.curves["block"])
        where = dict(network.eval().named_modules())
        heard: list[Tensor] = []
        first = next(n for n, m in where.items() if isinstance(m, nn.GELU))
        where[first].register_forward_hook(lambda _, __, out: heard.append(out))
        network(drawn(6, 3, 32, 32))
        maps = heard[0] if heard[0].ndim == 4 else heard[0].transpose(1, 2)[..., None]
        if name == "vit-mini":
            maps = maps[:, :, -64:]  # without the class token
        assert found.curves["expanded"][0] == pytest.approx(diversity(maps.detach()), rel=1e-6)


def test_batches_change_nothing() -> None:
    network = build(design("convnext-mini"), classes=10, image_size=16, seed=0)
    images = drawn(150, 3, 16, 16)
    whole, first, rest = (
        measure(network, part, ["feature-collapse"])["feature-collapse"].value
        for part in (images, images[:100], images[100:])
    )
    assert whole == pytest.approx((2 * first + rest) / 3, rel=1e-6)
