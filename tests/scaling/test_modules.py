"""Modules against torch's and torchvision's own, with the same weights."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models.swin_transformer import shifted_window_attention

from nextify.scaling.laws.mixers import (
    MIXERS,
    Attention,
    Convolution,
    FeedForward,
    MatrixProduct,
    Recurrence,
    WindowAttention,
    in_plane,
)
from nextify.scaling.mixers import build

from .sizes import Case, cases

WIDTH = 12


def tokens_of(count: int, batch: int = 2) -> Tensor:
    return torch.randn(batch, count, WIDTH, generator=torch.Generator().manual_seed(count))


def built(mixer, tokens) -> tuple[nn.Module, dict[str, Tensor]]:
    module = build(mixer, tokens=tokens, width=WIDTH, seed=1)
    return module, dict(module.named_parameters())


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [1, 3, 4])
def test_attention_is_torchs(heads, causal, fused):
    module, weights = built(Attention(heads=heads, causal=causal, fused=fused), 11)
    reference = nn.MultiheadAttention(WIDTH, heads, bias=False, batch_first=True)
    reference.load_state_dict({"in_proj_weight": weights["qkv"], "out_proj.weight": weights["out"]})
    x = tokens_of(11)
    mask = nn.Transformer.generate_square_subsequent_mask(11) if causal else None
    assert_same(module(x), reference(x, x, x, attn_mask=mask, need_weights=False)[0])


def test_causal_attention_takes_shorter_sequences():
    module, _ = built(Attention(causal=True), 11)
    x = tokens_of(11)
    assert_same(module(x[:, :6]), module(x)[:, :6])


def test_the_core_is_torchs_attention_without_weights():
    x = tokens_of(7)
    assert_same(build(MIXERS["attention-core"], tokens=7, width=WIDTH)(x),
                F.scaled_dot_product_attention(x, x, x))  # fmt: skip


@pytest.mark.parametrize("batch", [1, 3])
def test_recurrence_is_torchs(batch):
    module, weights = built(Recurrence(), 9)
    reference = nn.RNN(WIDTH, WIDTH, bias=False, batch_first=True)
    reference.load_state_dict({"weight_ih_l0": weights["input"], "weight_hh_l0": weights["hidden"]})
    x = tokens_of(9, batch)
    assert_same(module(x), reference(x)[0])


@pytest.mark.parametrize("kernel", [3, 5, 9])
def test_convolution_of_a_line_is_torchs(kernel):
    module, weights = built(Convolution(kernel=kernel), 10)
    x = tokens_of(10)
    expected = F.conv1d(x.mT, weights["weight"].squeeze(2), padding=kernel // 2).mT
    assert_same(module(x), expected)


@pytest.mark.parametrize("depthwise", [False, True])
def test_convolutions_of_a_plane_are_torchs(depthwise):
    module, weights = built(Convolution(kernel=5, depthwise=depthwise, plane=True), (4, 7))
    x = tokens_of(28)
    image = x.mT.reshape(2, WIDTH, 4, 7)
    if depthwise:
        first = F.conv2d(image, weights["depthwise.weight"], padding=2, groups=WIDTH)
        expected = F.conv2d(first, weights["pointwise.weight"][:, :, None, None])
    else:
        expected = F.conv2d(image, weights["weight"], padding=2)
    assert_same(module(x), expected.flatten(2).mT)


def test_products_are_torchs():
    module, weights = built(MatrixProduct(), 5)
    x = tokens_of(5)
    assert_same(module(x), x @ weights["weight"].T)
    module, weights = built(FeedForward(ratio=3), 5)
    assert_same(module(x), F.gelu(x @ weights["expand"].T) @ weights["contract"].T)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 13),
    columns=st.integers(1, 13),
    window=st.integers(1, 6),
    heads=st.sampled_from((1, 2, 3)),
    shifted=st.booleans(),
)
def test_windows_of_a_plane_are_torchvisions(rows, columns, window, heads, shifted):
    """Padding, cyclic shift and mask included; without its position bias."""
    mixer = WindowAttention(window=window, shifted=shifted, heads=heads, plane=True)
    module, weights = built(mixer, (rows, columns))
    x = tokens_of(rows * columns)
    expected = swin(
        x.view(2, rows, columns, WIDTH), weights, [window] * 2, [mixer.shift] * 2, heads
    )
    assert_same(module(x), expected.flatten(1, 2))


@settings(max_examples=30, deadline=None)
@given(count=st.integers(1, 30), window=st.integers(1, 8), shifted=st.booleans())
def test_windows_of_a_line_are_torchvisions(count, window, shifted):
    mixer = WindowAttention(window=window, shifted=shifted, heads=2)
    module, weights = built(mixer, count)
    x = tokens_of(count)
    expected = swin(x.view(2, 1, count, WIDTH), weights, [1, window], [0, mixer.shift], 2)
    assert_same(module(x), expected.flatten(1, 2))


def swin(x: Tensor, weights, window: list[int], shift: list[int], heads: int) -> Tensor:
    bias = torch.zeros(1, heads, window[0] * window[1], window[0] * window[1])
    return shifted_window_attention(x, weights["qkv"], weights["out"], bias, window, heads, shift)


CAUSAL = (Attention(causal=True), Attention(heads=3, causal=True, fused=True), Recurrence())


@pytest.mark.parametrize("mixer", CAUSAL, ids=str)
@pytest.mark.parametrize("changed", [1, 5, 9])
def test_a_later_token_never_changes_an_earlier_output(mixer, changed):
    module, _ = built(mixer, 10)
    x = tokens_of(10)
    other = x.clone()
    other[:, changed:] += 1.0
    before, after = module(x), module(other)
    assert torch.equal(before[:, :changed], after[:, :changed])
    assert (before[:, changed:] != after[:, changed:]).any(2).all()


@pytest.mark.parametrize("name", ["product", "attention-core", "attention", "fused", "mlp"])
def test_without_positions_order_means_nothing(name):
    module, _ = built(MIXERS[name], 13)
    x = tokens_of(13)
    order = torch.randperm(13, generator=torch.Generator().manual_seed(0))
    assert_same(module(x[:, order]), module(x)[:, order])


@pytest.mark.parametrize("name", ["causal", "window", "recurrence", "convolution"])
def test_where_there_are_positions_order_means_something(name):
    module, _ = built(MIXERS[name], 70)
    x = tokens_of(70)
    assert not torch.allclose(module(x.flip(1)), module(x).flip(1), rtol=1e-2, atol=1e-3)


@settings(max_examples=30, deadline=None)
@given(case=cases())
def test_gradients_are_those_of_small_differences(case: Case):
    """Along a random direction of the input and of every weight, in float64."""
    module = build(case.mixer, tokens=case.tokens, width=case.width, seed=2).double()
    draw = torch.Generator().manual_seed(3)
    x = torch.randn(case.batch, case.count, case.width, generator=draw, dtype=torch.float64)
    leaves = [x.requires_grad_(), *module.parameters()]
    ways = [torch.randn(leaf.shape, generator=draw, dtype=torch.float64) for leaf in leaves]
    into = torch.randn(x.shape, generator=draw, dtype=torch.float64)
    slopes = torch.autograd.grad((module(x) * into).sum(), leaves)
    predicted = sum(float((slope * way).sum()) for slope, way in zip(slopes, ways, strict=True))

    def at(step: float) -> float:
        with torch.no_grad():
            for leaf, way in zip(leaves, ways, strict=True):
                leaf += step * way
            value = float((module(x) * into).sum())
            for leaf, way in zip(leaves, ways, strict=True):
                leaf -= step * way
        return value

    measured = (at(1e-5) - at(-1e-5)) / 2e-5
    scale = sum(float((s * w).norm()) for s, w in zip(slopes, ways, strict=True))
    assert measured == pytest.approx(predicted, abs=1e-5 * max(1.0, scale))


@pytest.mark.parametrize("name", MIXERS)
def test_weights_come_from_the_seed_alone(name):
    tokens = (5, 6) if in_plane(MIXERS[name]) else 30
    one, again, other = (build(MIXERS[name], tokens=tokens, width=8, seed=s) for s in (0, 0, 1))
    pairs = zip(one.parameters(), again.parameters(), other.parameters(), strict=True)
    for weight, same, different in pairs:
        assert torch.equal(weight, same) and not torch.equal(weight, different)
