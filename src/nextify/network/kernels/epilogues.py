"""Triton kernels of layer scale, drop and residual: maps are (pixels, C), `image` pixels each."""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["pixels", "image"])
def add_scaled(
    x, branch, scale, keep, y, pixels, image, channels, copies,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y = x + branch * scale (of a channel) * keep (of an image and a copy: one of so many equal
    blocks of channels)."""
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + pixel * 0
    mask = (channel < channels) & (pixel < pixels)
    at = pixel.to(tl.int64) * channels + channel
    factor = tl.load(scale + channel, channel < channels, 0.0).to(tl.float32)
    if keep is not None:
        of = pixel // image * copies + channel // (channels // copies)
        factor *= tl.load(keep + of, mask, 0.0).to(tl.float32)
    value = tl.load(x + at, mask, 0.0).to(tl.float32)
    value += tl.load(branch + at, mask, 0.0).to(tl.float32) * factor
    tl.store(y + at, value.to(y.dtype.element_ty), mask)


@triton.jit(do_not_specialize=["pixels", "image"])
def add_scaled_backward(
    branch, scale, keep, grad, grad_branch, partial, pixels, image, channels, copies,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """The gradient of the branch, and partial[program] of (2, C): sums over this program's pixels
    for the gradient of the scale, and of the gradient of the branch."""
    local = tl.arange(0, PIXELS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < channels
    factor = tl.load(scale + channel, inside, 0.0).to(tl.float32)
    total = tl.zeros((PIXELS, CHANNELS), tl.float32)
    whole = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for block in range(tl.program_id(0), tl.cdiv(pixels, PIXELS), tl.num_programs(0)):
        pixel = block * PIXELS + local
        mask = inside & (pixel < pixels)
        at = pixel.to(tl.int64) * channels + channel
        above = tl.load(grad + at, mask, 0.0).to(tl.float32)
        if keep is not None:
            of = pixel // image * copies + channel // (channels // copies)
            above *= tl.load(keep + of, mask, 0.0).to(tl.float32)
        total += above * tl.load(branch + at, mask, 0.0).to(tl.float32)
        below = above * factor
        whole += below
        tl.store(grad_branch + at, below.to(grad_branch.dtype.element_ty), mask)
    last = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    out = partial + tl.program_id(0) * 2 * channels + last
    tl.store(out, tl.sum(total, 0), last < channels)
    tl.store(out + channels, tl.sum(whole, 0), last < channels)
