"""`Measurement`: what a probe found, and how a study file keeps it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from nextify.designs.values import Amount, Count, from_values
from nextify.files import parse_json
from nextify.records.rows import text


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
        better: "higher" or "lower", where that can be said at all.
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
    better: str = ""
    failed: bool = False
    images: Count = 0
    seconds: Amount = 0.0


AllProbed = Mapping[str, Mapping[str, Measurement]]
"""What probes found of runs: by the run's key, then by the probe's name (`Store.measurements`)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """How one of a measurement's curves is to be read; it belongs to the probe, no file keeps it.

    Attributes:
        title: what it is. unit: of its numbers; None: the probe's.
        over: what its places are, with their unit. at: the name of the curve that holds them (of a
            map the edges of its columns); empty: they are counted from 1.
        rows: what the rows of a list of rows are ("block"), which makes it a map; empty: rows are
            several numbers of one place.
        is_log: whether its numbers go over powers of ten.
    """

    title: str
    over: str = "block"
    at: str = ""
    unit: str | None = None
    rows: str = ""
    is_log: bool = False


def to_row(key: str, found: Measurement) -> tuple[str, str, int, str]:
    """The columns of a study file for what was found of the network of a run, all but the digest:
    key, probe, version, and the rest as JSON without what is at its default."""
    blank = asdict(Measurement(probe=found.probe, version=found.version))
    said = {name: value for name, value in asdict(found).items() if value != blank[name]}
    return key, found.probe, found.version, text(said)


def from_row(row: Sequence[Any]) -> Measurement:
    """What `to_row` described. Fields that only newer versions have are left out.

    Raises:
        ValueError, TypeError: the row is another version's.
    """
    _, probe, version, told = row
    values = {**parse_json(told), "probe": probe, "version": version}
    return from_values(Measurement, values, grows=(Measurement,))
