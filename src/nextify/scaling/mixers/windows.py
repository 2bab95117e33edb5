"""Where the tokens of a line or plane stand when they are cut into windows. Plain arithmetic."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """A partition into windows, after zero padding and a cyclic shift.

    Attributes:
        count: windows. size: tokens in each, padding included.
        place: for each token, where it stands among all windows' tokens.
        region: for each of these, which part of the unshifted plane it is from; None without
            shift. Tokens of a window attend to each other where it is the same.
    """

    count: int
    size: int
    place: Numbers
    region: Numbers | None


def windows(grid: tuple[int, int], window: tuple[int, int], shift: int) -> Windows:
    """Cut rows x columns into windows as torchvision's Swin does: padded at the end of each axis,
    an axis of one window is not shifted.

    >>> windows((1, 5), (1, 2), 1).place  # 1 2 | 3 4 | - 0
    array([5, 0, 1, 2, 3])
    """
    padded = tuple(-(-side // wide) * wide for side, wide in zip(grid, window, strict=True))
    shifts = [shift if whole > wide else 0 for whole, wide in zip(padded, window, strict=True)]
    order = np.arange(padded[0] * padded[1]).reshape(padded)
    order = _partition(np.roll(order, [-s for s in shifts], (0, 1)), window)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    region = _partition(_regions(padded, window, shifts), window) if any(shifts) else None
    inside = place.reshape(padded)[: grid[0], : grid[1]].ravel()
    size = window[0] * window[1]
    return Windows(len(order) // size, size, inside, region)


def _partition(values: Numbers, window: tuple[int, int]) -> Numbers:
    rows, columns = values.shape
    down, across = window
    parts = values.reshape(rows // down, down, columns // across, across)
    return parts.transpose(0, 2, 1, 3).ravel()


def _regions(padded: tuple[int, ...], window: tuple[int, int], shifts: list[int]) -> Numbers:
    """After the shift, the last `shift` rows and columns come from the opposite border."""
    wrapped = [np.arange(side) >= side - s for side, s in zip(padded, shifts, strict=True)]
    return (2 * wrapped[0][:, None] + wrapped[1][None, :]).astype(np.int64)
