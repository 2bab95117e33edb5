"""What a worker tells its supervisor, in the order in which it may."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextify.records import Outcome


@dataclass(frozen=True, slots=True)
class Ready:
    """The data is loaded; give me a run. `environment` is for records that I cannot write."""

    environment: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stopped:
    """I cannot go on, whatever the run. `detail` is a traceback, or empty if it is the input."""

    message: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Began:
    """The run is mine, and training it begins."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """So many epochs of the run are done."""

    epoch: int
    epochs: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is recorded. `seconds` from its begin; `accuracy` from 0 to 1, if it finished."""

    outcome: Outcome
    message: str
    seconds: float
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Another process is training the run."""


@dataclass(frozen=True, slots=True)
class Known:
    """The run has a record: another process has finished it."""


@dataclass(frozen=True, slots=True)
class Died:
    """The worker is gone (its supervisor says that for it). `code` as in `Process.exitcode`."""

    code: int


Message = Ready | Stopped | Began | Epoch | Ended | Elsewhere | Known | Died
