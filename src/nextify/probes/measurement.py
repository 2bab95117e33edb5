"""`Measurement`: what a probe found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """What a probe found of one network.

    Attributes:
        probe, version: the probe's.
        unit: of `value`, and of every one of `values` that `units` does not name.
        value: the one number that stands for all; None where the probe is not defined.
        values: named numbers, such as one a stage (`stage1` ...). Each is finite.
        units: of those of `values` that are not of `unit`.
        curves: what there is to look at, by name: a list of numbers, or of rows of numbers.
        reason: why there is no value; empty where there is one.
        failed: whether that is an error of the probe, and not the nature of the network.
        images: how many images it was measured on.
        seconds: that it took.
    """

    probe: str
    version: int
    unit: str = ""
    value: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    failed: bool = False
    images: int = 0
    seconds: float = 0.0
