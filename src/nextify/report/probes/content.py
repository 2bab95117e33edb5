"""All that the page of probes shows."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nextify.files import finite
from nextify.records.measurement import Curve, Measurement


@dataclass(frozen=True, kw_only=True, slots=True)
class About:
    """What is told of a probe; see `nextify.probes.Probe`."""

    name: str
    title: str
    unit: str = ""
    better: str | None = None
    source: str = ""
    version: int = 1
    curves: Mapping[str, Curve] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbedNetwork:
    """A network, and what probes found of it.

    Attributes:
        name: as it was asked for. design: in words. is_trained: no network at its initialisation.
        image_size: of the images that it sees, in pixels. knows_classes: whether its classes are
            those of the images. notes: on how it was read.
        found: by the probe's name.
    """

    name: str
    design: str
    params: int
    image_size: int
    is_trained: bool = True
    knows_classes: bool = True
    notes: tuple[str, ...] = ()
    found: Mapping[str, Measurement]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbesContent:
    """Networks beside one another.

    Attributes:
        data: name of the images. source: where they are from. images: how many were seen, of
            `of` test images. seed: of the draw, and of all draws of probes.
        command: that asks for it.
    """

    probes: tuple[About, ...]
    networks: tuple[ProbedNetwork, ...]
    data: str
    source: str
    images: int
    of: int
    seed: int
    command: str = ""

    @property
    def title(self) -> str:
        """Of the page."""
        names = [each.name for each in self.networks]
        more = f" and {len(names) - 2} more" if len(names) > 2 else ""
        return f"What probes find of {', '.join(names[:2])}{more}"

    @property
    def failures(self) -> list[tuple[str, Measurement]]:
        """Probes that failed, with the network's name."""
        every = ((each.name, found) for each in self.networks for found in each.found.values())
        return [(name, found) for name, found in every if found.failed]


def as_values(content: ProbesContent) -> list[dict[str, Any]]:
    """One object for each probe of each network, ready for JSON."""
    return [
        {"network": network.name, **finite(asdict(network.found[probe.name]))}
        for probe in content.probes
        for network in content.networks
    ]
