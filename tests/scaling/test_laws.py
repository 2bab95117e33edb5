"""Formulas against counts that owe nothing to them, and against plain numbers."""

import math
import re

import pytest
import sympy as sp
import torch
from hypothesis import example, given, settings
from sympy import Symbol
from torch.nn.attention import SDPBackend, sdpa_kernel

from nextify.errors import InputError
from nextify.scaling.laws.formulas import D, N, amounts, law
from nextify.scaling.laws.limits import bytes_held, bytes_needed, require_memory
from nextify.scaling.laws.mixers import (
    MIXERS,
    Attention,
    Convolution,
    FeedForward,
    MatrixProduct,
    Recurrence,
    WindowAttention,
    in_plane,
    mixer,
)
from nextify.scaling.laws.ranges import Line, Settings
from nextify.scaling.measuring.count import (
    MacCount,
    alive_during,
    count_alive,
    count_macs,
    longest_chain,
)
from nextify.scaling.measuring.timing import Recorder, forward, training_step
from nextify.scaling.mixers import build

from .kept import count_kept
from .sizes import Case, cases


@settings(max_examples=60, deadline=None)
@given(case=cases())
@example(case=Case(WindowAttention(window=1, shifted=True), 2, 13, 6))  # windows that do not move
@example(case=Case(WindowAttention(window=5, shifted=True), 2, 4, 6))  # one window
@example(case=Case(WindowAttention(window=3, shifted=True, plane=True), 1, (3, 4), 6))
def test_every_formula_is_what_is_counted(case: Case):
    found = amounts(case.mixer, batch=case.batch, tokens=case.tokens, width=case.width)
    module = build(case.mixer, tokens=case.tokens, width=case.width)
    x = torch.zeros(case.batch, case.count, case.width)
    assert module(x).shape == x.shape
    assert found.macs == count_macs(module, x).macs > 0
    assert 4 * found.fixed == sum(each.nbytes for each in module.buffers())
    assert found.parameters == sum(weight.numel() for weight in module.parameters())
    assert 4 * found.inference == count_alive(module, x)
    assert 4 * found.kept == count_kept(module, x)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        assert found.sequential == longest_chain(lambda: module(x))


def test_fused_attention_is_never_counted_as_nothing():
    plain, fused = (build(Attention(heads=2, fused=f), tokens=9, width=8) for f in (False, True))
    x = torch.zeros(2, 9, 8)
    products = 2 * 2 * 9**2 * 8
    assert count_macs(plain, x) == MacCount(4 * 2 * 9 * 8**2 + products, unseen=0)
    assert count_macs(fused, x) == MacCount(4 * 2 * 9 * 8**2 + products, unseen=products)


def test_what_cannot_be_counted_is_no_zero():
    with pytest.raises(RuntimeError, match="sees no multiply-accumulate in Identity"):
        count_macs(torch.nn.Identity(), torch.zeros(2, 3, 4))


SMALL = [(name, axis) for name in MIXERS for axis in ("N", "D")]


@pytest.mark.parametrize(("name", "axis"), SMALL)
@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
def test_a_limit_covers_what_is_alive_and_is_no_more_than_thrice_that(name, axis, training):
    """Counted: weights, masks, places, all tensors of a step that are alive at once, and operands
    of the products by themselves. A convolution's buffer is two copies of its weights
    (tests/scaling/test_measuring.py)."""
    one, (side, width) = MIXERS[name], {"N": (28, 32), "D": (8, 256)}[axis]
    tokens = (side, side) if in_plane(one) else side**2
    module = build(one, tokens=tokens, width=width)
    x = torch.zeros(2, side**2, width)
    held = sum(t.untyped_storage().nbytes() for t in (*module.parameters(), *module.buffers()))

    def step() -> None:
        made = training_step(module, x) if training else forward(module, x, watched=True)
        made()

    alive = alive_during(step, x.untyped_storage().nbytes())
    with Recorder() as recorded:
        step()
    own = sum(each.untyped_storage().nbytes() for each in recorded.operands.values())
    buffers = 2 * held if isinstance(one, Convolution) and not one.depthwise else 0
    used = max(alive) + held + buffers + own
    sizes = {"batch": 2, "tokens": tokens, "width": width}
    limit = bytes_needed(one, **sizes, training=training)
    fixed = bytes_needed(one, batch=1, tokens=(1, 1) if in_plane(one) else 1, width=4)
    assert used <= limit
    if not isinstance(one, Recurrence):  # of which objects are most at so few values
        assert limit - fixed <= 3 * used
    assert bytes_held(one, **sizes) >= held + x.nbytes


@pytest.mark.parametrize(
    ("axis", "sizes", "said"),
    [
        ("D", {"tokens": 64, "width": 1 << 15}, r"; width ([\d,]+) would fit, or more memory"),
        ("N", {"tokens": 1 << 20, "width": 64}, r"; ([\d,]+) tokens would fit, or more memory"),
        ("D", {"tokens": 1 << 16, "width": 64}, r"; ([\d,]+) tokens would fit"),
        ("N", {"tokens": 16, "width": 1 << 15}, r"; width ([\d,]+) would fit"),
    ],
)
def test_a_refusal_names_the_largest_size_that_fits(axis, sizes, said):
    one, limit = Attention(heads=4), 1 << 30
    with pytest.raises(InputError, match=said) as refusal:
        require_memory("multi-head", one, limit, axis=axis, **sizes)
    (found,) = re.findall(said, str(refusal.value))
    changed, step = ("width", 4) if "width (" in said else ("tokens", 1)
    fitting = int(found.replace(",", ""))
    assert bytes_needed(one, **{**sizes, changed: fitting}) <= limit
    assert bytes_needed(one, **{**sizes, changed: fitting + step}) > limit


def test_a_refusal_names_the_batch_where_nothing_else_helps():
    with pytest.raises(InputError, match=r"; batch 91 would fit, or more memory"):
        require_memory("mlp", FeedForward(), 3 << 20, batch=1 << 16, tokens=1, width=8 * 16)


def test_what_other_sizes_hold_counts():
    sizes = {"tokens": 64, "width": 256}
    limit = bytes_needed(FeedForward(), **sizes)
    require_memory("mlp", FeedForward(), limit, **sizes)
    with pytest.raises(InputError, match=r"\(with 1 B of the other sizes\)"):
        require_memory("mlp", FeedForward(), limit, **sizes, beside=1)


K = Symbol("k", positive=True, integer=True)
WIDE = Symbol("w", positive=True, integer=True)
TEXTBOOK = [  # the first three: "Attention Is All You Need", Table 1, with n = N, d = D
    ("attention-core", N**2 * D, 1),
    ("recurrence", N * D**2, N),
    ("convolution", K * N * D**2, N / K),
    ("product", N * D**2, sp.oo),
    ("attention", N**2 * D + N * D**2, 1),
    ("separable", K * N * D + N * D**2, N / K),
    ("window", N * WIDE * D + N * D**2, sp.oo),
]


@pytest.mark.parametrize(("name", "leading", "path"), TEXTBOOK)
def test_the_textbooks_table(name, leading, path):
    found = law(mixer(name))
    assert sp.expand(found.leading - leading) == 0
    assert found.path_leading == path
    assert found.sequential.has(N) == (name == "recurrence")


POWERS = {"product": (1, 2), "attention-core": (2, 1), "attention": (2, 2), "fused": (2, 2),
          "window": (1, 2), "shifted-window-2d": (1, 2), "recurrence": (1, 2),
          "convolution": (1, 2), "separable-2d": (1, 2), "mlp": (1, 2)}  # fmt: skip


@pytest.mark.parametrize("name", POWERS)
def test_the_powers_that_win(name):
    lines = (Line(name, MIXERS[name], axis, Settings()) for axis in ("N", "D"))
    assert tuple(line.leading[1] for line in lines) == POWERS[name]


def test_laws_in_plain_numbers():
    n, d = 196, 96
    sizes = {"batch": 2, "tokens": n, "width": d}
    assert amounts(MatrixProduct(), **sizes).macs == 2 * n * d * d
    assert amounts(Attention(projected=False), **sizes).macs == 2 * 2 * n * n * d
    assert amounts(Attention(heads=3), **sizes).macs == 2 * (4 * n * d * d + 2 * n * n * d)
    assert amounts(FeedForward(), **sizes).macs == 2 * 8 * n * d * d
    assert amounts(Recurrence(), **sizes).sequential == n
    separable = Convolution(kernel=7, depthwise=True, plane=True)
    assert amounts(separable, tokens=(14, 14), width=d).macs == n * d * (49 + d)
    padded = amounts(WindowAttention(window=7, plane=True), tokens=(15, 8), width=d)
    assert padded.macs == 4 * (21 * 14) * d * d + 2 * (21 * 14) * 49 * d


def test_windows_of_one_token_never_meet_in_the_textbooks_way_either():
    assert law(mixer("shifted-window window=1")).path_leading == sp.oo


def reach(name_or_mixer, tokens, layers: int) -> int:
    """Layers until every token has reached every other, told from gradients; 0 if never."""
    count = tokens if isinstance(tokens, int) else tokens[0] * tokens[1]
    reached = torch.eye(count, dtype=torch.bool)
    for layer in range(layers):
        one = name_or_mixer
        if isinstance(one, WindowAttention) and layer % 2 == 0:
            one = WindowAttention(window=one.window, plane=one.plane)
        module = build(one, tokens=tokens, width=2).double()
        x = torch.randn(1, count, 2, dtype=torch.float64)
        slopes = torch.autograd.functional.jacobian(module, x).abs().sum((0, 2, 3, 5)) > 0
        reached = (slopes.float() @ reached.float()) > 0
        if reached.all():
            return layer + 1
    return 0


PATHS = [
    (Attention(), 9),
    (Convolution(kernel=3), 12),
    (Convolution(kernel=5), 13),
    (Convolution(kernel=5, plane=True), (3, 8)),
    (Convolution(kernel=3, depthwise=True, plane=True), (6, 3)),
    (WindowAttention(window=4, shifted=True), 4),
    (WindowAttention(window=4, shifted=True), 16),
    (WindowAttention(window=2, shifted=True), 12),
    (WindowAttention(window=2, shifted=True, plane=True), (4, 8)),
    (WindowAttention(window=4), 12),
    (WindowAttention(window=1, shifted=True), 5),
    (WindowAttention(window=1, shifted=True), 1),
    (WindowAttention(window=1, shifted=True, plane=True), (2, 3)),
    (FeedForward(), 3),
    (MatrixProduct(), 3),
]


@pytest.mark.parametrize(("one", "tokens"), PATHS, ids=str)
def test_paths_are_as_long_as_gradients_need(one, tokens):
    path = amounts(one, tokens=tokens, width=2).path
    assert reach(one, tokens, 12) == (0 if math.isinf(path) else path)


REFUSED = [
    (lambda: mixer("attentoin"), "did you mean 'attention'"),
    (lambda: Convolution(kernel=4), "kernel is 4; it must be odd"),
    (lambda: Convolution(kernel=1), "kernel is 1"),
    (lambda: WindowAttention(window=0), "window is 0"),
    (lambda: Attention(heads=0), "heads is 0"),
    (lambda: Attention(projected=False, causal=True), "set it to True for"),
    (lambda: FeedForward(ratio=0), "ratio is 0"),
    (lambda: amounts(Attention(heads=3), tokens=4, width=8), "multiple of the 3 attention heads"),
    (lambda: Attention(heads=1.5), "heads is 1.5; it must be a whole number"),
    (lambda: amounts(Attention(), tokens=0, width=8), "tokens is 0"),
    (lambda: amounts(Convolution(kernel=3, plane=True), tokens=9, width=8), "needs \\(rows"),
]


@pytest.mark.parametrize(("make", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_what_is_no_mixer_is_refused(make, said):
    with pytest.raises(InputError, match=said):
        make()


def test_the_plane_is_told():
    assert [name for name in MIXERS if in_plane(MIXERS[name])] == [
        "window-2d", "shifted-window-2d", "convolution-2d", "separable-2d"
    ]  # fmt: skip
