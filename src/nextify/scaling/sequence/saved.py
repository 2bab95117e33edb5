"""Trained models' outcomes in a file, so that an experiment that was stopped goes on. No torch."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.scaling import saving
from nextify.scaling.sequence.results import Outcome
from nextify.scaling.sequence.settings import Settings
from nextify.scaling.sequence.text import SHA256

_VERSION = 1  # raise it with any change to what a training computes
_KIND = saving.Kind("nextify scale sequence", "outcomes")


def load(path: Path, settings: Settings) -> tuple[Outcome, ...]:
    """The outcomes in a file; none if there is no such file.

    Raises:
        InputError: it cannot be read, or is of other settings or another text.
    """
    return saving.load(path, _KIND, _made_with(settings), _outcome)


def save(path: Path, settings: Settings, outcomes: Sequence[Outcome]) -> None:
    """Write all outcomes, at once: a reader never sees half a file.

    Raises:
        InputError: it cannot be written.
    """
    saving.save(path, _KIND, _made_with(settings), [asdict(each) for each in outcomes])


def _made_with(settings: Settings) -> dict[str, Any]:
    return {"version": _VERSION, "text": SHA256, **asdict(settings)}


def _outcome(values: dict[str, Any]) -> Outcome:
    return Outcome(**{**values, "curve": tuple(values["curve"]), "said": tuple(values["said"])})
