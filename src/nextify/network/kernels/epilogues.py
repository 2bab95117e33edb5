"""Triton kernels of what follows a product: GELU, and layer scale with the residual."""

import triton
import triton.language as tl


@triton.jit
def gelu(x, y, size, BLOCK: tl.constexpr):
    """y = x * P(a standard normal value < x), with the exact error function."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, at < size, 0.0).to(tl.float32)
    result = 0.5 * value * (1.0 + tl.math.erf(value * 0.7071067811865476))
    tl.store(y + at, result.to(y.dtype.element_ty), at < size)


@triton.jit
def gelu_backward(x, grad, grad_x, size, BLOCK: tl.constexpr):
    """grad_x = grad * (P(x) + x * density(x))."""
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    value = tl.load(x + at, at < size, 0.0).to(tl.float32)
    above = tl.load(grad + at, at < size, 0.0).to(tl.float32)
    below = 0.5 * (1.0 + tl.math.erf(value * 0.7071067811865476))
    density = 0.3989422804014327 * tl.exp(-0.5 * value * value)
    result = above * (below + value * density)
    tl.store(grad_x + at, result.to(grad_x.dtype.element_ty), at < size)


@triton.jit(do_not_specialize=["pixels", "image"])
def add_scaled(
    x, branch, scale, keep, y, pixels, image, channels,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y = x + branch * scale (of a channel) * keep (of an image, of `image` pixels)."""
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + pixel * 0
    mask = (channel < channels) & (pixel < pixels)
    at = pixel.to(tl.int64) * channels + channel
    factor = tl.load(scale + channel, channel < channels, 0.0).to(tl.float32)
    if keep is not None:
        factor *= tl.load(keep + pixel // image, pixel < pixels, 0.0).to(tl.float32)
    value = tl.load(x + at, mask, 0.0).to(tl.float32)
    value += tl.load(branch + at, mask, 0.0).to(tl.float32) * factor
    tl.store(y + at, value.to(y.dtype.element_ty), mask)


@triton.jit(do_not_specialize=["pixels", "image"])
def add_scaled_backward(
    branch, scale, keep, grad, grad_branch, partial, pixels, image, channels,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """The gradient of the branch, and partial[program] of (C,): sums over this program's pixels for
    the gradient of the scale."""
    local = tl.arange(0, PIXELS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < channels
    factor = tl.load(scale + channel, inside, 0.0).to(tl.float32)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for block in range(tl.program_id(0), tl.cdiv(pixels, PIXELS), tl.num_programs(0)):
        pixel = block * PIXELS + local
        mask = inside & (pixel < pixels)
        at = pixel.to(tl.int64) * channels + channel
        above = tl.load(grad + at, mask, 0.0).to(tl.float32)
        if keep is not None:
            above *= tl.load(keep + pixel // image, pixel < pixels, 0.0).to(tl.float32)
        total += above * tl.load(branch + at, mask, 0.0).to(tl.float32)
        tl.store(grad_branch + at, (above * factor).to(grad_branch.dtype.element_ty), mask)
    last = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    out = partial + tl.program_id(0) * channels + last
    tl.store(out, tl.sum(total, 0), last < channels)
