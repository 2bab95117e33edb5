"""What earlier versions of probes read wrong, and what of a study's measurements is right.

A study file keeps what a probe found with the version that found it, and goes on to be read when
the probe was mended. What is known to be wrong of an earlier version is said here, by probe; of
which networks it was wrong follows from their designs, and what it found of others stands.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal, get_args

from nextify.blueprint import draw, specs
from nextify.costs import cost
from nextify.designs import AnyDesign, Design, Swin
from nextify.records.measurement import AllProbed, Measurement
from nextify.records.places import places
from nextify.records.plan import Plan
from nextify.records.record import Record

Fault = Literal["shortcuts", "Swin", "one position"]
"""What was read wrong: a block's shortcut or a stem that is one 1 x 1 convolution, which was taken
for a stage; maps of Swins of some sizes (their channels, the places of their units, what pads a
window or a mask hides); maps of one position along an axis, whose error was 1 by construction."""

REASON = (
    "an earlier version of the probe may have misread it, and nextify probe FILE measures it anew "
    "where it was kept"
)


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


def as_read_now(plan: Plan, records: Iterable[Record], probed: AllProbed) -> AllProbed:
    """What probes found of a study's runs, as their present versions would find it: without what
    earlier ones read wrong of these networks."""
    designs, size = {cell.name: cell.design for cell in plan.cells}, probed_size(plan)
    of = {record.key: designs[name] for (name, _), record in places(plan, records).items()}
    return {
        key: {
            name: _now(each, of[key], size) if key in of else each for name, each in found.items()
        }
        for key, found in probed.items()
    }


def _now(found: Measurement, design: AnyDesign, image_size: int) -> Measurement:
    present = len(MISREAD.get(found.probe, ())) + 1
    if found.version >= present:
        return found
    wrong = _misread(found, design, image_size)
    if not wrong:
        return replace(found, version=present)
    values = {part: value for part, value in found.values.items() if part not in wrong}
    right = replace(found, version=present, values=values, curves={})
    return replace(right, value=None, reason=REASON) if "" in wrong else right


def stands(found: Measurement, version: int, design: AnyDesign, image_size: int) -> bool:
    """Whether a version of the probe would find the same of a network."""
    known = found.version < version <= len(MISREAD.get(found.probe, ())) + 1
    is_right = known and not _misread(found, design, image_size)
    return not found.failed and (found.version == version or is_right)


def _misread(found: Measurement, design: AnyDesign, image_size: int) -> set[str]:
    """The numbers that may be wrong: names of values, and "" for the one that stands for all."""
    return {
        part
        for part in ("", *found.values)
        if any(has(one, design, image_size) for one in faults(found.probe, found.version, part))
    }


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
