"""What earlier versions of probes read wrong, and how many of a study's networks that were.

A study file keeps what a probe found with the version that found it, and goes on to be read when
the probe was mended. What is known to be wrong of an earlier version is said here, by probe; of
which networks it was wrong follows from their designs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args

from nextify.blueprint import draw, specs
from nextify.costs import cost
from nextify.designs import AnyDesign, Design, Swin
from nextify.findings.scores import Fault, ProbeScore
from nextify.records.measurement import Measurement
from nextify.records.plan import Plan
from nextify.records.record import Record


@dataclass(frozen=True, slots=True)
class Misread:
    """What a version of a probe read wrong.

    Attributes:
        value: for the probe's one number, and all that it names but the next.
        stages: for `stage1` and so on.
    """

    value: tuple[Fault, ...]
    stages: tuple[Fault, ...]


_BLOCKS = Misread(("shortcuts",), ("shortcuts",))
_MAPS = Misread(("shortcuts", "Swin"), ("shortcuts", "Swin"))
_LIE = Misread((), ("shortcuts", "Swin", "one position"))
_UNITS = Misread(("Swin",), ("shortcuts", "Swin"))
MISREAD: Mapping[str, tuple[Misread, ...]] = {
    "activation-use": (_UNITS,),
    "attention-distance": (Misread(("Swin",), ("Swin",)),),
    "block-removal": (_BLOCKS,),
    "branch-ratio": (_BLOCKS,),
    "dead-units": (_UNITS,),
    "effective-receptive-field": (_MAPS,),
    "equivariance-error": (Misread(get_args(Fault), get_args(Fault)),),
    "feature-collapse": (_MAPS,),
    "feature-frequency": (_MAPS,),
    "gradient": (_BLOCKS,),
    "layer-scale": (_BLOCKS,),
    "layer-similarity": (_BLOCKS,),
    "lie-rotation": (_LIE,),
    "lie-scale": (_LIE,),
    "lie-translation": (_LIE,),
    "linear-probe": (_MAPS,),
    "mirrored-frequency": (_MAPS,),
    "signal": (_BLOCKS,),
}
"""By probe, of its version 1, 2 and so on; the one after the last is the present one."""


def faults(probe: str, version: int, part: str = "") -> tuple[Fault, ...]:
    """What this version of a probe read wrong, for its value or one of its named values.

    >>> faults("signal", 1), faults("signal", 2), faults("lie-scale", 1)
    (('shortcuts',), (), ())
    """
    since = MISREAD.get(probe, ())[max(version, 1) - 1 :]
    each = (one.stages if part.startswith("stage") else one.value for one in since)
    return tuple(dict.fromkeys(fault for some in each for fault in some))


def misread(
    plan: Plan, runs: Mapping[tuple[str, int], Record], score: ProbeScore
) -> dict[Fault, int]:
    """In how many of a study's networks a score's values may be wrong, by what was read wrong.

    Args:
        runs: as `places` finds them.
    """
    if not score.faults:
        return {}
    cells, size = {cell.name: cell for cell in plan.cells}, probed_size(plan)
    designs = {
        record.key: cells[name].design
        for (name, _), record in runs.items()
        if record.key in score.values
    }
    counts = {
        fault: sum(has(fault, design, size) for design in designs.values())
        for fault in score.faults
    }
    return {fault: count for fault, count in counts.items() if count}


def misread_in(found: Measurement, plan: Plan, cell: str) -> tuple[Fault, ...]:
    """What was read wrong of one network, that of a cell, in any of the numbers that were found."""
    size, designs = probed_size(plan), {each.name: each.design for each in plan.cells}
    parts = ("", *found.values)
    every = dict.fromkeys(one for part in parts for one in faults(found.probe, found.version, part))
    return tuple(fault for fault in every if has(fault, designs[cell], size))


def probed_size(plan: Plan) -> int:
    """The side of the images that a study's networks are probed on, in pixels."""
    return int(plan.data.get("test_image_size", plan.data["image_size"]))


@cache
def has(fault: Fault, design: AnyDesign, image_size: int) -> bool:
    """Whether networks of a design may have been read wrong so, on images of a size in pixels."""
    match fault:
        case "shortcuts":
            return isinstance(design, Design) and _has_row_of_one(design)
        case "Swin":
            return isinstance(design, Swin)
        case "one position":
            maps = cost(design, image_size).sections[1:-1]
            is_plane = isinstance(design, Design | Swin)  # a ViT's tokens lie in a line
            return is_plane and any(min(part.shape[1:]) == 1 for part in maps)


def _has_row_of_one(design: Design) -> bool:
    blueprint = draw(design)
    blocks: list[Any] = [block for stage in blueprint.stages for block in stage.blocks]
    match blueprint.stem:
        case ((_, specs.Conv(kernel=1)),):
            return True
    return any(len(block.shortcut) == 1 for block in blocks)
