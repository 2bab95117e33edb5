"""A mixer over a range of sizes: what was asked, counted and measured. Plain data."""

from dataclasses import dataclass
from typing import Annotated, Literal

from nextify.designs.values import Positive, Within
from nextify.errors import InputError
from nextify.scaling.laws.fit import FEWEST, Exponent, exponent
from nextify.scaling.laws.mixers import Mixer

Axis = Literal["N", "D"]
AXES: tuple[Axis, ...] = ("N", "D")
Step = Literal["forward", "training"]
Part = Annotated[float, Within(1e-9)]  # more than nothing: a line is fitted to logarithms


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """By how much the process grows for a forward pass, as the system sees it.

    Attributes:
        bytes: at the peak, the input included.
        tensors: bytes of the tensors alive then.
        buffers: bytes inside the operator of the peak that are no tensors.
        operator: its name in torch.
    """

    bytes: Positive
    tensors: int
    buffers: int
    operator: str

    @property
    def objects(self) -> int:
        """Bytes of neither: mostly the objects around many small tensors."""
        return max(0, self.bytes - self.tensors - self.buffers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A mixer at one size.

    Attributes:
        tokens: rows and columns (one row for a line). width: D. batch: sequences at once.
        macs: by formula. counted: by torch's counter. unseen: of these, what the counter misses
            as the module runs.
        alive, kept: bytes by formula. alive_counted: bytes of tensors alive at the peak.
        resident: by how much the process grew; None where the system does not tell.
        seconds: median over rounds of the best of a few calls; processor time where torch has one
            thread, else by the wall clock. slowest, fastest: of the rounds.
        wall, wall_fastest, wall_slowest: the same by the wall clock.
        processor: the same as processor time of all threads together, median.
        busy: share of the time that is spent in operators with multiply-accumulates.
        bare: time of the same operators by themselves, on operands of the same shapes, as a share.
    """

    tokens: tuple[Positive, Positive]
    width: Positive
    batch: Positive
    macs: Positive
    counted: int
    unseen: int
    alive: Positive
    alive_counted: int
    kept: int
    resident: Resident | None
    seconds: Part
    fastest: Part
    slowest: Part
    wall: Part
    wall_fastest: Part
    wall_slowest: Part
    processor: float
    busy: Part
    bare: Part

    def size(self, axis: Axis) -> int:
        """N or D."""
        return self.width if axis == "D" else self.tokens[0] * self.tokens[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A mixer over sizes along one axis, all else fixed.

    Attributes:
        leading: the exponent of the term that wins along the axis, by formula.
        share: that term's part of the MACs at the smallest size, 0 to 1.
        overhead: seconds of a call at the smallest size possible: what does not scale.
        cache: bytes of the processor's last cache; 0 if unknown.
        threads: of torch.
    """

    name: str
    mixer: Mixer
    axis: Axis
    step: Step
    leading: int
    share: float
    overhead: float
    cache: int
    threads: int
    points: tuple[Point, ...]

    def __post_init__(self) -> None:
        if len(set(self.sizes)) < FEWEST:
            raise InputError(f"sizes are {self.sizes}; a line needs {FEWEST} different ones")

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(point.size(self.axis) for point in self.points)

    @property
    def overhead_share(self) -> float:
        """Of the time at the smallest size: what does not scale."""
        return self.overhead / self.points[0].seconds

    @property
    def in_range(self) -> Exponent:
        """The exponent of the exact MACs over this range."""
        return exponent(self.sizes, [point.macs for point in self.points])

    @property
    def time(self) -> Exponent:
        """The exponent of the measured time."""
        return exponent(self.sizes, [point.seconds for point in self.points])

    @property
    def alive(self) -> Exponent:
        """The exponent of the bytes alive, by formula, over this range."""
        return exponent(self.sizes, [point.alive for point in self.points])

    @property
    def products(self) -> Exponent:
        """The exponent of the time inside operators with multiply-accumulates."""
        return exponent(self.sizes, [point.busy * point.seconds for point in self.points])

    @property
    def at_even_rate(self) -> Exponent:
        """The exponent that the time would have if the same operators, by themselves, took equally
        long for each multiply-accumulate at all sizes."""
        return exponent(self.sizes, [point.macs / point.bare for point in self.points])

    @property
    def memory(self) -> Exponent | None:
        """The exponent of the measured memory, where the system tells it."""
        grown = [point.resident.bytes for point in self.points if point.resident is not None]
        return exponent(self.sizes, grown) if len(grown) == len(self.points) else None
