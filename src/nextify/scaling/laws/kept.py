"""Sweeps as objects of JSON, and back: what `scale mixers --save` keeps in its file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from nextify.scaling.laws.mixers import Mixer
from nextify.scaling.laws.sweeps import Point, Resident, Sweep
from nextify.scaling.saving import Kind, contents

VERSION = 1  # raise it with any change to what a measurement is
SWEEPS = Kind("nextify scale mixers", "sweeps")
_DIGITS = 6  # of a time or a share, which are known to two or three

_KINDS: dict[str, type[Mixer]] = {kind.__name__: kind for kind in get_args(Mixer)}


def values_of(sweep: Sweep) -> dict[str, Any]:
    """A sweep as an object of JSON.

    >>> from nextify.scaling.laws import MIXERS
    >>> values_of(Sweep(name="mlp", mixer=MIXERS["mlp"], axis="N", step="forward", leading=1,
    ...                 share=1.0, overhead=0.0, cache=0, threads=1, points=()))["mixer"]
    {'kind': 'FeedForward', 'ratio': 4}
    """
    mixer = {"kind": type(sweep.mixer).__name__, **asdict(sweep.mixer)}
    points = [_rounded(asdict(point)) for point in sweep.points]
    return _rounded({**asdict(sweep), "mixer": mixer, "points": points})


def sweep_of(values: Mapping[str, Any]) -> Sweep:
    """A sweep from such an object.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    mixer = dict(values["mixer"])
    kind = _KINDS[mixer.pop("kind")]
    points = tuple(_point(each) for each in values["points"])
    return Sweep(**{**values, "mixer": kind(**mixer), "points": points})


def read_sweeps(path: Path, option: str = "--save") -> tuple[dict[str, Any], tuple[Sweep, ...]]:
    """What a file was made with, and its sweeps. `option` names another file.

    Raises:
        InputError: it cannot be read, or is no such file.
    """
    return contents(path, SWEEPS, sweep_of, option)


def _point(values: Mapping[str, Any]) -> Point:
    resident = values["resident"]
    known = None if resident is None else Resident(**resident)
    return Point(**{**values, "tokens": tuple(values["tokens"]), "resident": known})


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
        for name, value in values.items()
    }
