"""Unbiased CKA: its definition, its invariances, and what it is of independent features."""

from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from nextify.probes import measure
from nextify.probes.cka import centred, cka, similarity


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hsic_by_quadruples(k: Tensor, l: Tensor) -> float:  # noqa: E741
    """The U-statistic that it is, over all four different images (Song et al. 2012, theorem 2)."""
    terms = [
        k[i, j] * l[i, j] + k[i, j] * l[q, r] - 2 * k[i, j] * l[i, q]
        for i, j, q, r in permutations(range(len(k)), 4)
    ]
    return float(torch.stack(terms).mean())


def hsic_by_formula(k: Tensor, l: Tensor) -> float:  # noqa: E741
    """Equation 3 of arXiv 2010.15327."""
    n, ones = len(k), torch.ones(len(k), dtype=k.dtype)
    k, l = (each - each.diag().diag() for each in (k, l))  # noqa: E741
    sums = k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (ones @ k @ l @ ones)
    return float(((k @ l).trace() + sums) / (n * (n - 3)))


def test_the_product_of_centred_kernels_is_the_unbiased_estimate() -> None:
    x, y = drawn(7, 3) + 1, drawn(7, 5, seed=1)
    found = float(centred(x) @ centred(y))
    assert found == pytest.approx(hsic_by_formula(x @ x.T, y @ y.T), rel=1e-9)
    assert found == pytest.approx(hsic_by_quadruples(x @ x.T, y @ y.T), rel=1e-9)


def test_another_implementation_finds_the_same() -> None:
    hsic = pytest.importorskip("cka.hsic").hsic  # pytorch-cka
    x, y = drawn(40, 30) + 1, drawn(40, 5, seed=1)
    y = y + x[:, :5]
    across, xx, yy = hsic(*((each @ each.T)[None] for each in (x, y)))
    assert cka(x, y) == pytest.approx(float(across / (xx * yy).sqrt()), rel=1e-9)


def test_independent_features_have_none_and_it_may_be_negative() -> None:
    found = [cka(drawn(500, 200, seed=s), drawn(500, 300, seed=s + 100)) for s in range(6)]
    assert all(abs(each) < 0.02 for each in found)
    assert min(found) < 0 < max(found)


def test_the_biased_form_is_far_from_zero_there() -> None:
    x, y = (drawn(50, 400, seed=seed) for seed in (0, 1))
    k, l = (each @ each.T for each in (x - x.mean(0), y - y.mean(0)))  # noqa: E741
    biased = float((k * l).sum() / (k.norm() * l.norm()))
    assert biased == pytest.approx(400 / (50 + 400), abs=0.01)  # as scripts/cka_bias.py has it
    assert abs(cka(x, y)) < 0.1


@pytest.mark.parametrize("batches", [1, 3])
def test_rotation_and_scale_change_nothing(batches: int) -> None:
    x = drawn(60, 20)
    rotation = torch.linalg.qr(drawn(20, 20, seed=1)).Q
    assert cka(x, 7 * x @ rotation + 3, batches) == pytest.approx(1, abs=1e-6)
    y = x[:, :4] + drawn(60, 4, seed=2)
    assert cka(x @ rotation, 0.1 * y - 5, batches) == pytest.approx(cka(x, y, batches), abs=1e-9)


def test_of_several_batches_each_sum_is_averaged_before_the_ratio() -> None:
    x, y = drawn(30, 4), drawn(30, 4, seed=1)
    y = y + x * torch.linspace(0, 3, 30)[:, None]  # the batches differ
    halves = list(zip(x.split(15), y.split(15), strict=True))
    sums = [
        sum(hsic_by_formula(a @ a.T, b @ b.T) for a, b in pairs)
        for pairs in (halves, [(a, a) for a, _ in halves], [(b, b) for _, b in halves])
    ]
    assert cka(x, y, 2) == pytest.approx(sums[0] / (sums[1] * sums[2]) ** 0.5)
    assert cka(x, y, 2) != pytest.approx(sum(cka(a, b) for a, b in halves) / 2, rel=1e-3)


class Block(nn.Sequential):
    pass


def plain(seed: int, blocks: int = 3) -> nn.Module:
    torch.manual_seed(seed)
    made = [Block(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU()) for _ in range(blocks)]
    return nn.Sequential(nn.Sequential(*made), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_networks_are_compared_block_by_block() -> None:
    one, other = plain(0, 3), plain(1, 2)
    images = drawn(210, 3, 8, 8).float()
    found = similarity(one, other, images)
    assert found.shape == (3, 2)
    first = [each[0][0](images).flatten(1).detach() for each in (one, other)]
    assert float(found[0, 0]) == pytest.approx(cka(*first, batches=2), rel=1e-6)
    assert torch.allclose(found, similarity(other, one, images).T)
    assert torch.allclose(similarity(one, one, images).diagonal(), torch.ones(3).double())


def test_layer_similarity_is_the_mean_over_pairs_of_blocks() -> None:
    images = drawn(40, 3, 8, 8).float()
    found = measure(plain(0), images, ["layer-similarity"])["layer-similarity"]
    (_, ab, ac), (_, _, bc), _ = found.curves["similarity"]
    assert found.value == pytest.approx((ab + ac + bc) / 3)
    assert found.values == pytest.approx({"neighbours": (ab + bc) / 2, "ends": ac})
    alone = measure(plain(0, 1), images, ["layer-similarity"])["layer-similarity"]
    assert alone.reason == "it has one block only"


def test_a_block_that_puts_out_one_thing_has_no_similarity() -> None:
    network = plain(0)
    with torch.no_grad():
        network[0][1][0].weight.zero_()
    found = measure(network, drawn(40, 3, 8, 8).float(), ["layer-similarity"])["layer-similarity"]
    assert found.value is None and "the same for all images" in found.reason
