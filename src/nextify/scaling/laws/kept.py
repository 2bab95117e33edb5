"""Files of sweeps and of networks' points: what `scale mixers` and `scale networks` keep."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nextify.errors import InputError
from nextify.scaling.laws.networks import NetworkPoint
from nextify.scaling.laws.sweeps import Axis, Sweep
from nextify.scaling.saving import Kind, contents


def values_of(sweep: Sweep) -> dict[str, Any]:
    """A sweep as an object of JSON, its mixer as {'kind': 'FeedForward', 'ratio': 4}. Times and
    shares, known to two or three digits, have six."""
    mixer = {"kind": type(sweep.mixer).__name__, **asdict(sweep.mixer)}
    text = json.dumps({**asdict(sweep), "mixer": mixer})
    return dict(json.loads(text, parse_float=lambda digits: float(f"{float(digits):.6g}")))


SWEEPS = Kind("nextify scale mixers", "sweeps", Sweep, values_of)
POINTS = Kind("nextify scale networks", "points", NetworkPoint)


def sizes_in(
    path: Path, names: Collection[str], axes: Sequence[Axis]
) -> dict[tuple[str, Axis], tuple[int, ...]]:
    """The sizes at which a file has mixers along axes.

    Raises:
        InputError: no such file, or one of them is not in it.
    """
    sweeps = contents(path, SWEEPS, "--sizes-of")[1]
    there = {(sweep.name, sweep.axis): sweep.sizes for sweep in sweeps}
    wanted = [(name, axis) for axis in axes for name in names]
    for name, axis in wanted:
        if (name, axis) not in there:
            raise InputError(
                f"file {path} has no sizes of {name} over {axis}; leave it out with --only or "
                "--axis, or measure it into that file"
            )
    return {key: there[key] for key in wanted}
