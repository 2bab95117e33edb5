"""Trained models' outcomes in a file, so that an experiment that was stopped goes on. No torch."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.errors import InputError
from nextify.scaling.sequence.results import Outcome
from nextify.scaling.sequence.settings import Settings
from nextify.scaling.sequence.text import SHA256

_VERSION = 1  # raise it with any change to what a training computes


def load(path: Path, settings: Settings) -> tuple[Outcome, ...]:
    """The outcomes in a file; none if there is no such file.

    Raises:
        InputError: it cannot be read, or is of other settings or another text.
    """
    if not path.exists():
        return ()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(_outcome(values) for values in content["outcomes"])
    except OSError as error:
        raise InputError(
            f"file {path} cannot be read ({error.strerror}); name another with --save"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"file {path} holds no outcomes of `nextify scale sequence`; name another with --save"
        ) from error
    if content.get("made_with") != _made_with(settings):
        raise InputError(
            f"file {path} was made with other settings or by another version of nextify; name "
            "another with --save"
        )
    return found


def save(path: Path, settings: Settings, outcomes: Sequence[Outcome]) -> None:
    """Write all outcomes, at once: a reader never sees half a file.

    Raises:
        InputError: it cannot be written.
    """
    content = {"made_with": _made_with(settings), "outcomes": [asdict(each) for each in outcomes]}
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise InputError(
            f"file {path} cannot be written ({error.strerror}); name another with --save"
        ) from error


def _made_with(settings: Settings) -> dict[str, Any]:
    return {"version": _VERSION, "text": SHA256, **asdict(settings)}


def _outcome(values: dict[str, Any]) -> Outcome:
    return Outcome(**{**values, "curve": tuple(values["curve"]), "said": tuple(values["said"])})
