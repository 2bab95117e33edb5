"""`Probed`: what a probe found of a run's network, as a study file keeps it. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Better = Literal["higher", "lower", ""]


@dataclass(frozen=True, kw_only=True, slots=True)
class Probed:
    """What a probe found of one network; see `nextify.probes.Measurement`, whose fields these are.

    Attributes:
        better: whether more of it is better, where the probe says so.
    """

    probe: str
    version: int = 1
    unit: str = ""
    better: Better = ""
    value: float | None = None
    values: Mapping[str, float] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    failed: bool = False
    images: int = 0
    seconds: float = 0.0


AllProbed = Mapping[str, Mapping[str, Probed]]
"""By the run's key, then by the probe's name."""
