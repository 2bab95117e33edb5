"""Triton kernels of layer normalisation over the channels of a pixel: maps are (pixels, C)."""

import triton
import triton.language as tl


@triton.jit
def normalise_rows(x, inside, channels, eps):
    """(x - mean) / sqrt(variance + eps) of each row; x is float32, and zero where not `inside`."""
    mean = tl.sum(x, 1)[:, None] / channels
    centred = tl.where(inside, x - mean, 0.0)
    variance = tl.sum(centred * centred, 1)[:, None] / channels
    return centred * tl.rsqrt(variance + eps)


@triton.jit(do_not_specialize=["pixels"])
def normalise(
    x, scale, shift, z, eps, pixels, channels, PIXELS: tl.constexpr, CHANNELS: tl.constexpr
):
    """z = normalised x * scale + shift."""
    pixel = tl.program_id(0) * PIXELS + tl.arange(0, PIXELS)[:, None]
    channel = tl.arange(0, CHANNELS)[None, :] + pixel * 0
    inside = channel < channels
    mask = inside & (pixel < pixels)
    at = pixel.to(tl.int64) * channels + channel
    value = normalise_rows(tl.load(x + at, mask, 0.0).to(tl.float32), inside, channels, eps)
    gain = tl.load(scale + channel, inside, 0.0).to(tl.float32)
    lift = tl.load(shift + channel, inside, 0.0).to(tl.float32)
    tl.store(z + at, (value * gain + lift).to(z.dtype.element_ty), mask)


@triton.jit(do_not_specialize=["pixels"])
def normalise_backward(
    x, scale, grad, grad_x, partial, eps, pixels, channels,
    PIXELS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """The gradient of x, and partial[program] of (2, C): sums over this program's pixels for the
    gradients of scale and shift. The statistics are worked out again: x is at hand."""
    local = tl.arange(0, PIXELS)[:, None]
    channel = tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < channels
    gain = tl.load(scale + channel, inside, 0.0).to(tl.float32)
    grad_scale = tl.zeros((PIXELS, CHANNELS), tl.float32)
    grad_shift = tl.zeros((PIXELS, CHANNELS), tl.float32)
    for block in range(tl.program_id(0), tl.cdiv(pixels, PIXELS), tl.num_programs(0)):
        pixel = block * PIXELS + local
        mask = inside & (pixel < pixels)
        at = pixel.to(tl.int64) * channels + channel
        value = tl.load(x + at, mask, 0.0).to(tl.float32)
        above = tl.load(grad + at, mask, 0.0).to(tl.float32)
        mean = tl.sum(value, 1)[:, None] / channels
        centred = tl.where(inside, value - mean, 0.0)
        rate = tl.rsqrt(tl.sum(centred * centred, 1)[:, None] / channels + eps)
        unit = centred * rate
        grad_scale += above * unit
        grad_shift += above
        inner = above * gain
        along = tl.sum(inner * unit, 1)[:, None] / channels
        below = (inner - tl.sum(inner, 1)[:, None] / channels - unit * along) * rate
        tl.store(grad_x + at, below.to(grad_x.dtype.element_ty), mask)
    last = tl.arange(0, CHANNELS)
    out = partial + tl.program_id(0) * 2 * channels + last
    tl.store(out, tl.sum(grad_scale, 0), last < channels)
    tl.store(out + channels, tl.sum(grad_shift, 0), last < channels)
