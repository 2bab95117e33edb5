"""Sizes to measure at: where the leading term dominates, spaced evenly on a logarithmic axis."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import sympy as sp

from nextify.errors import InputError
from nextify.scaling.laws import limits, mixers
from nextify.scaling.laws.formulas import B, D, N, amounts, dominant, law
from nextify.scaling.laws.sweeps import Axis, Step

POINTS = 7
_SHARE = 0.9  # of the MACs that the leading term must have
MOST = {"N": 1 << 20, "D": 1 << 12}  # the search ends here
_BATCH = {"N": 1, "D": 4}  # along D each weight is then used often enough to be worth its loading


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to measure.

    Attributes:
        tokens, width: that are fixed while the other is varied.
        batch: sequences at once; None: one along N, four along D.
        step: a forward pass, or forward and backward.
        rounds: of timing. seconds: that a call at the largest size takes, about.
        memory: bytes, at the most.
    """

    tokens: int = 64
    width: int = 32
    batch: int | None = None
    step: Step = "forward"
    rounds: int = 5
    seconds: float = 0.15
    memory: int = field(default_factory=limits.usable_memory)


@dataclass(frozen=True, slots=True)
class Line:
    """A mixer along an axis, and how it is measured.

    >>> from nextify.scaling.laws.mixers import mixer
    >>> attention = Line("attention", mixer("attention"), "N", Settings())
    >>> attention.leading[1], attention.at(256)
    (2, {'tokens': 256, 'width': 32, 'batch': 1})
    """

    name: str
    mixer: mixers.Mixer
    axis: Axis
    settings: Settings

    @property
    def training(self) -> bool:
        return self.settings.step == "training"

    @property
    def step(self) -> int:
        """Sizes are multiples of this (in the plane, sides are of its root): other sizes run too,
        but would add the padding's staircase to the line."""
        return 8 * mixers.heads_of(self.mixer) if self.axis == "D" else _token_step(self.mixer)

    def at(self, size: int) -> limits.Sizes:
        """All sizes at one along the axis; tokens in the plane are a square."""
        given, plane = self.settings, mixers.in_plane(self.mixer)
        count, width = size, given.width
        if self.axis == "D":
            count, width = _square(self.mixer, given.tokens) if plane else given.tokens, size
        side = math.isqrt(count)
        batch = given.batch or _BATCH[self.axis]
        return {"tokens": (side, side) if plane else count, "width": width, "batch": batch}

    def rounded(self, size: float) -> int:
        """The nearest size that is a multiple of heads and windows (at least one of them)."""
        if self.axis == "N" and mixers.in_plane(self.mixer):
            return _square(self.mixer, size)
        return max(1, round(size / self.step)) * self.step

    def larger(self, size: int) -> int:
        """Twice a size, or what is next above it: the smallest planes cannot be doubled."""
        return next(n for factor in (2, 3, 4) if (n := self.rounded(factor * size)) > size)

    def spaced(self, least: float, most: float) -> list[int]:
        """Seven sizes with equal ratios, rounded to what the mixer divides well."""
        ratio = (most / least) ** (1 / (POINTS - 1))
        return sorted({self.rounded(least * ratio**at) for at in range(POINTS)})

    @property
    def leading(self) -> tuple[sp.Expr, int]:
        """The term of the MACs that wins along the axis, and the power of the axis in it."""
        found = law(self.mixer)
        return dominant(found.spelled_out(found.macs), N if self.axis == "N" else D)

    def leading_share(self, size: int) -> float:
        """The leading term's part of the MACs, 0 to 1; padding counts as not leading."""
        sizes = self.at(size)
        values = {B: sizes["batch"], N: mixers.count_of(sizes["tokens"]), D: sizes["width"]}
        return float(self.leading[0].subs(values)) / amounts(self.mixer, **sizes).macs

    @property
    def first(self) -> int:
        """The smallest size from which the leading term has nine tenths of the MACs.

        Raises:
            InputError: it has them nowhere in the search.
        """
        most = MOST[self.axis]
        if (share := self.leading_share(self.rounded(most))) < _SHARE:
            raise InputError(
                f"{self.name} along {self.axis}: the leading term has {share:.1%} of the MACs at "
                f"{most:,}, where sizes that are chosen end, and must have {_SHARE:.0%}; give "
                "--sizes of your own"
            )
        return self._after(lambda size: self.leading_share(size) < _SHARE)

    def beyond(self, cache: int) -> int:
        """The smallest N at which more bytes are alive than the processor's last cache holds; 0
        along D, where weights grow, too, and each is used for all tokens."""
        if self.axis == "D":
            return 0
        most = cache // limits.BYTES
        return self._after(lambda n: amounts(self.mixer, **self.at(n)).inference <= most)

    def _after(self, holds: Callable[[int], bool]) -> int:
        """The first size at which something does not hold any more."""
        most = MOST[self.axis]
        found = limits.largest(lambda size: holds(self.rounded(size)), most)
        return self.rounded(min(most, 1 + found))

    def held(self, size: int) -> int:
        """Bytes of a case that waits for its turn."""
        return limits.bytes_held(self.mixer, **self.at(size))

    def require(self, size: int, beside: int = 0) -> None:
        """Refuse a size that does not fit. `beside`: bytes of other sizes."""
        limits.require_memory(
            self.name, self.mixer, self.settings.memory, **self.at(size),
            training=self.training, axis=self.axis, beside=beside,
        )  # fmt: skip

    def fits(self, size: int) -> bool:
        """Does a size fit, with the six smaller ones?"""
        needed = limits.bytes_needed(self.mixer, training=self.training, **self.at(size))
        smaller = 2 * self.held(size)  # their ratio is 16^(1/6): 1.7 times
        return needed + smaller <= self.settings.memory


def _token_step(mixer: mixers.Mixer) -> int:
    if isinstance(mixer, mixers.WindowAttention):
        return mixer.window**2 if mixer.plane else mixer.window
    return 64 if mixers.in_plane(mixer) else 16


def _square(mixer: mixers.Mixer, count: float) -> int:
    """Tokens in the plane: the nearest square of whole steps."""
    side = math.isqrt(_token_step(mixer))
    return (max(1, round(math.sqrt(count) / side)) * side) ** 2
