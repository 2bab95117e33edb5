"""A latency as a budget: what a network takes to answer one image, measured here, once."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nextify.costs.spread import Spread
from nextify.designs import AnyDesign
from nextify.designs.values import from_values, read_value
from nextify.files import read_json, write_json

THREADS = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Measures networks by their names and keeps what it found: what was left out once stays so.

    Attributes:
        allowed: seconds, for the median of the rounds. size: see `size_of`.
        file: where it is kept; None: nowhere. on_measured: told of each network that is measured.
        known: what was measured, by name.
    """

    allowed: float
    size: Mapping[str, Any]
    file: Path | None = None
    on_measured: Callable[[str, Spread], None] = lambda name, took: None
    known: dict[str, Spread] = field(default_factory=dict)

    def __post_init__(self) -> None:
        kept = read_json(self.file) if self.file else None
        if kept is not None:
            found = read_value(Mapping[str, Any], kept.get("seconds"), "seconds")
            self.known.update({name: from_values(Spread, each) for name, each in found.items()})

    def keeps(self, name: str, design: AnyDesign) -> bool:
        """Whether a network answers in time."""
        self.measure({name: design})
        return self.known[name].median <= self.allowed

    def measure(self, networks: Mapping[str, AnyDesign]) -> None:
        """Measure those that are not known, by turns; one design once, whatever its weights."""
        fresh = {name: each for name, each in networks.items() if name not in self.known}
        if not fresh:
            return
        from nextify.measuring import measure_latency  # which imports torch

        designs = list(dict.fromkeys(fresh.values()))
        took = dict(zip(designs, measure_latency(designs, **self.size, threads=THREADS),
                        strict=True))  # fmt: skip
        for name, design in fresh.items():
            self.known[name] = took[design]
            self.on_measured(name, took[design])
        if self.file is not None:
            values = {each: asdict(spread) for each, spread in self.known.items()}
            write_json(self.file, {"threads": THREADS, "seconds": values})
