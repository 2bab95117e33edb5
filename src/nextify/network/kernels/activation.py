"""Triton kernels of GELU, x times the normal distribution at x: maps are (pixels, C)."""

import triton
import triton.language as tl


@triton.jit
def _normal(x):
    """The normal distribution at x, and its density: to 1e-7, by formula 26.2.17 of Abramowitz and
    Stegun, Handbook of Mathematical Functions (1964): one exponential serves both."""
    density = 0.3989422804 * tl.exp(-0.5 * x * x)
    t = 1.0 / (1.0 + 0.2316419 * tl.abs(x))
    series = 0.319381530 + t * (
        -0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))
    )
    tail = density * t * series
    return tl.where(x >= 0, 1.0 - tail, tail), density


@triton.jit
def gelu(x, y, count, COUNT: tl.constexpr):
    """y = x times the normal distribution at x, of so many values."""
    at = tl.program_id(0).to(tl.int64) * COUNT + tl.arange(0, COUNT)
    value = tl.load(x + at, at < count, 0.0).to(tl.float32)
    below, _ = _normal(value)
    tl.store(y + at, (value * below).to(y.dtype.element_ty), at < count)


@triton.jit(do_not_specialize=["pixels"])
def gelu_backward(
    x, grad, partial, pixels, channels, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):  # fmt: skip
    """The gradient of x in place of that of its GELU, and partial[program] of (C,): its sums over
    this program's pixels, for the gradient of a bias in x."""
    local = tl.arange(0, PIXELS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < channels
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for block in range(tl.program_id(0), tl.cdiv(pixels, PIXELS), tl.num_programs(0)):
        pixel = block * PIXELS + local
        mask = inside & (pixel < pixels)
        at = pixel.to(tl.int64) * channels + channel
        value = tl.load(x + at, mask, 0.0).to(tl.float32)
        above = tl.load(grad + at, mask, 0.0).to(tl.float32)
        below, density = _normal(value)
        slope = above * (below + value * density)
        total += slope
        tl.store(grad + at, slope.to(grad.dtype.element_ty), mask)
    last = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    out = partial + tl.program_id(0) * channels + last
    tl.store(out, tl.sum(total, 0), last < channels)
