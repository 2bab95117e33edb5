"""What a worker tells its supervisor, in the order in which it may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nextify.records import Measurement, Record


@dataclass(frozen=True, slots=True)
class Ready:
    """The data is loaded; give me runs.

    Attributes:
        environment: for records that I cannot make.
        at_work: keys of the runs that I am at already, in their order: a supervisor that is gone
            gave me these.
    """

    environment: Mapping[str, Any]
    at_work: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stopped:
    """I cannot go on, whatever the run. `detail` is a traceback, or empty if it is the input."""

    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Began:
    """Training the runs that I was given begins."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """So many epochs of these runs are done."""

    epoch: int
    epochs: int


@dataclass(frozen=True, slots=True)
class Done:
    """The first of these runs that I have said nothing of is over; give me others when all are.
    What `Train` may return, too.

    Attributes:
        artefacts: files of the run by name, as their bytes or as a path that the supervisor can
            read; it moves them to `<study>.artefacts/<key>/<name>`.
        measurements: what probes found of the network. weights: the network as a file, to be kept.
    """

    record: Record
    artefacts: Mapping[str, bytes | Path] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()
    weights: bytes | None = None


@dataclass(frozen=True, slots=True)
class Died:
    """The worker is gone: its crew says that for it, or it ends because its GPU has failed it, and
    says so.

    Attributes:
        how: in words, of a run's failure.
        with_machine: its whole machine is gone, which says nothing of the runs that it was at:
            others take them.
    """

    how: str
    with_machine: bool = False


Message = Ready | Stopped | Began | Epoch | Done | Died
