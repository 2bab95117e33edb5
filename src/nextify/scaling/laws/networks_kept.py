"""Measured networks as objects of JSON, and back: what `scale networks --save` keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.costs.spread import Spread
from nextify.scaling.laws.networks import NetworkPoint
from nextify.scaling.laws.sweeps import Resident
from nextify.scaling.saving import Kind, contents, load, save

_VERSION = 1  # raise it with any change to what a measurement is
POINTS = Kind("nextify scale networks", "points")


def load_points(path: Path, settings: Mapping[str, Any]) -> tuple[NetworkPoint, ...]:
    """The points in a file; none if there is no such file.

    Raises:
        InputError: it cannot be read, is of something else or of other settings.
    """
    return load(path, POINTS, _made_with(settings), _point)


def read_points(path: Path) -> tuple[dict[str, Any], tuple[NetworkPoint, ...]]:
    """What a file was made with, and its points.

    Raises:
        InputError: it cannot be read, or is of something else.
    """
    return contents(path, POINTS, _point)


def save_points(path: Path, settings: Mapping[str, Any], points: Sequence[NetworkPoint]) -> None:
    """Write all points, at once: a reader never sees half a file.

    Raises:
        InputError: it cannot be written.
    """
    save(path, POINTS, _made_with(settings), [asdict(each) for each in points])


def _made_with(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": _VERSION, **settings}


def _point(values: Mapping[str, Any]) -> NetworkPoint:
    resident, seconds = values["resident"], values["seconds"]
    return NetworkPoint(
        **{
            **values,
            "resident": None if resident is None else Resident(**resident),
            "seconds": None if seconds is None else Spread(**seconds),
        }
    )
