"""Triton kernels of the depthwise convolution, stride 1, padded by half its kernel.

Maps are (N, H, W, C), contiguous, and seen as N*H rows of W pixels; taps are (k*k, C). A program
computes some rows times some channels. A thread owns a row and two channels or so, keeps all of
their taps in registers and marches along the row: each pixel that it loads meets the k taps of its
kernel row at once, in k running sums, one for each output pixel that it reaches. The sums are in
float32 whatever the type of the maps.

Taps that reach no pixel from any other (a map of two pixels under a kernel of seven) are left out:
kernels see the reachable `DOWN` x `ACROSS` taps in the middle of `SIDE` x `SIDE`.
"""

import triton
import triton.language as tl


@triton.jit
def _column(first, stride, live, DOWN: tl.constexpr):
    """A pixel of each of `DOWN` rows, `first` in the first one; zero where no row is `live`."""
    pixels = ()
    for i in tl.static_range(DOWN):
        pixels = pixels + (tl.load(first + i * stride, live[i], 0.0),)
    return pixels


@triton.jit(do_not_specialize=["rows", "height", "width"])
def convolve(
    x, taps, bias, rest, copy, y, rows, height, width, channels,
    SIDE: tl.constexpr, DOWN: tl.constexpr, ACROSS: tl.constexpr, FLIP: tl.constexpr,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """y = x convolved with the taps (`FLIP`: turned by 180 degrees, which makes it the gradient of
    the input), + bias and + rest, a map, where they are not None. With a `copy` x is written there,
    in its type."""
    UP: tl.constexpr = DOWN // 2
    BEFORE: tl.constexpr = ACROSS // 2
    local = tl.arange(0, ROWS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < channels
    weights = ()
    for t in tl.static_range(DOWN * ACROSS):
        tap = (t // ACROSS + (SIDE - DOWN) // 2) * SIDE + t % ACROSS + (SIDE - ACROSS) // 2
        if FLIP:
            tap = SIDE * SIDE - 1 - tap
        weight = tl.load(taps + tap * channels + channel, inside, 0.0)
        weights = weights + (weight.to(tl.float32),)
    start = tl.zeros((ROWS, CHANNELS), tl.float32)
    if bias is not None:
        start += tl.load(bias + channel, inside, 0.0).to(tl.float32)
    stride = width * channels
    for block in range(tl.program_id(0), tl.cdiv(rows, ROWS), tl.num_programs(0)):
        row = block * ROWS + local
        line = row % height
        exists = inside & (row < rows)
        live = ()
        for i in tl.static_range(DOWN):
            live = live + (exists & (line + (i - UP) >= 0) & (line + (i - UP) < height),)
        offset = row.to(tl.int64) * stride + channel
        sums = ()
        for _ in tl.static_range(ACROSS):
            sums = sums + (start,)
        first = x + offset - UP * stride
        ahead = _column(first, stride, live, DOWN)
        for column in range(width):
            pixels = ahead
            out = offset + (column - BEFORE) * channels
            mask = exists & (column >= BEFORE)
            if rest is not None:
                other = tl.load(rest + out, mask, 0.0)
            if copy is not None:
                at = copy + offset + column * channels
                tl.store(at, pixels[UP].to(copy.dtype.element_ty), exists)
            following = tl.minimum(column + 1, width - 1)
            ahead = _column(first + following * channels, stride, live, DOWN)
            for i in tl.static_range(DOWN):
                pixel = pixels[i].to(tl.float32)
                met = ()
                for j in tl.static_range(ACROSS):
                    met = met + (sums[j] + pixel * weights[i * ACROSS + j],)
                sums = met
            value = sums[ACROSS - 1]
            if rest is not None:
                value += other.to(tl.float32)
            tl.store(y + out, value.to(y.dtype.element_ty), mask)
            sums = (start,) + sums[: ACROSS - 1]
        for j in tl.static_range(BEFORE):  # the last outputs, which reach beyond the row
            column = width - BEFORE + j
            out = offset + column * channels
            mask = exists & (column >= 0)
            value = sums[ACROSS - 1 - j]
            if rest is not None:
                value += tl.load(rest + out, mask, 0.0).to(tl.float32)
            tl.store(y + out, value.to(y.dtype.element_ty), mask)


@triton.jit
def _totals(sums, COUNT: tl.constexpr):
    """The sums over the rows of each of so many tensors. Threads of other warps have the other
    rows; they meet once for eight tensors, not for each."""
    totals = ()
    for at in tl.static_range(0, COUNT, 8):
        low = tl.join(tl.join(sums[at], sums[at + 4]), tl.join(sums[at + 2], sums[at + 6]))
        high = tl.join(tl.join(sums[at + 1], sums[at + 5]), tl.join(sums[at + 3], sums[at + 7]))
        even, odd = tl.split(tl.sum(tl.join(low, high), 0))
        first, third = tl.split(even)
        second, fourth = tl.split(odd)
        zero, four = tl.split(first)
        two, six = tl.split(third)
        one, five = tl.split(second)
        three, seven = tl.split(fourth)
        totals = totals + (zero, one, two, three, four, five, six, seven)
    return totals


@triton.jit(do_not_specialize=["rows", "height", "width"])
def correlate(
    x, grad, partial, rows, height, width, channels,
    SIDE: tl.constexpr, DOWN: tl.constexpr, ACROSS: tl.constexpr,
    ROWS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """For the gradient of the taps, and of the bias as one more: partial[program] of (taps + 1, C),
    the sums over this program's rows of x of products with all pixels of grad that they reach."""
    UP: tl.constexpr = DOWN // 2
    BEFORE: tl.constexpr = ACROSS // 2
    local = tl.arange(0, ROWS)[:, None]
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)[None, :] + local * 0
    inside = channel < channels
    zero = tl.zeros((ROWS, CHANNELS), tl.float32)
    sums = ()
    for _ in tl.static_range(DOWN * ACROSS):
        sums = sums + (zero,)
    whole = zero
    stride = width * channels
    for block in range(tl.program_id(0), tl.cdiv(rows, ROWS), tl.num_programs(0)):
        row = block * ROWS + local
        line = row % height
        exists = inside & (row < rows)
        live = ()
        for i in tl.static_range(DOWN):  # in order of rows: the last tap meets the first
            live = live + (exists & (line + (i - UP) >= 0) & (line + (i - UP) < height),)
        offset = row.to(tl.int64) * stride + channel
        window = ()
        for _ in tl.static_range(BEFORE):
            window = window + (zero,)
        for j in tl.static_range(BEFORE):
            pixel = tl.load(x + offset + j * channels, exists & (j < width), 0.0)
            window = window + (pixel.to(tl.float32),)
        next_pixel = tl.load(x + offset + BEFORE * channels, exists & (width > BEFORE), 0.0)
        first = grad + offset - UP * stride
        next_grads = _column(first, stride, live, DOWN)
        for column in range(width):
            window = window + (next_pixel.to(tl.float32),)
            grads = next_grads
            ahead = column + 1 + BEFORE
            next_pixel = tl.load(x + offset + ahead * channels, exists & (ahead < width), 0.0)
            following = tl.minimum(column + 1, width - 1)
            next_grads = _column(first + following * channels, stride, live, DOWN)
            met = ()
            for i in tl.static_range(DOWN):
                one = grads[DOWN - 1 - i].to(tl.float32)
                for j in tl.static_range(ACROSS):
                    met = met + (sums[i * ACROSS + j] + window[j] * one,)
            sums = met
            whole += grads[UP].to(tl.float32)
            window = window[1:]
    COUNT: tl.constexpr = DOWN * ACROSS
    sums = sums + (whole,)
    for _ in tl.static_range((7 - COUNT) % 8):
        sums = sums + (zero,)
    totals = _totals(sums, COUNT + 1)
    last = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    out = partial + tl.program_id(0) * (SIDE * SIDE + 1) * channels + last
    mask = last < channels
    TOP: tl.constexpr = (SIDE - DOWN) // 2
    LEFT: tl.constexpr = (SIDE - ACROSS) // 2
    for i in tl.static_range(SIDE):
        for j in tl.static_range(SIDE):
            at = out + (i * SIDE + j) * channels
            if (i >= TOP and i < TOP + DOWN) and (j >= LEFT and j < LEFT + ACROSS):
                tl.store(at, totals[(i - TOP) * ACROSS + j - LEFT], mask)
            else:
                tl.store(at, tl.zeros((CHANNELS,), tl.float32), mask)
    tl.store(out + SIDE * SIDE * channels, totals[COUNT], mask)
