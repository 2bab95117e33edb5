"""A network into a file for another runtime, which is let out only if it answers as the network.

The gate: the file, as it was written, is opened by its own runtime and answers real images, in
batches of several sizes and, where the design allows it, on images of several sizes. All of it is
done in a folder beside the place; the file goes there when it has passed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from errno import ENOSPC
from math import inf
from pathlib import Path
from shutil import rmtree
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nextify.blueprint import require_image_size
from nextify.data import Dataset, ImageFiles, Images, batches, load
from nextify.data.augment.crop import centre
from nextify.data.augment.policy import evaluation_view, normalised
from nextify.designs import Design
from nextify.errors import InputError
from nextify.experiments.intervals import Interval
from nextify.files import alone, require_name, require_place
from nextify.findings.paired import paired_loss
from nextify.network import Card, Network
from nextify.network.export.files import SUFFIXES, Exported, library, load_exported, traced, write
from nextify.network.export.int8 import quantised
from nextify.network.export.plain import CONVOLVED_FROM
from nextify.requests import DataSpec, stored_size
from nextify.training.classify import load_for, published_view, require_finite, seen_by
from nextify.training.evaluate import evaluate

AGREES = 1e-4
"""Largest difference of a logit, relative to the largest logit of its image."""
BATCHES = (1, 2, 7)
_CHECKED = 70  # images at the network's own size
_CALIBRATING = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """That a file answers as its network does.

    Attributes:
        images: that were answered, each in every size and more than once. batches: how many at
            once. sizes: of images, (height, width). difference: the largest.
        ties: images of a size whose best class is another one, of which the network's two best are
            as close as the rounding of both.
    """

    images: int
    batches: tuple[int, ...]
    sizes: tuple[tuple[int, int], ...]
    difference: float
    ties: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Rounding:
    """How numbers are rounded to 8 bits.

    Attributes:
        seen: a data set as the network sees it (`load_for`), whose training images tell the ranges
            of numbers and whose test images what it costs.
        most_loss: that the interval of the accuracy lost may reach.
        reduced: weights of 7 bits, also where this processor does not need it.
    """

    seen: Dataset
    most_loss: float = 0.005
    reduced: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Rounded:
    """What numbers of 8 bits cost, in accuracy on test images.

    Attributes:
        before, after: accuracies. loss: the 95 % interval of their difference. images: how many.
        reduced: whether weights have 7 bits.
    """

    before: float
    after: float
    loss: Interval
    images: int
    reduced: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Written:
    """An exported network that has passed.

    Attributes:
        files: that belong together, the one to name last. agreement: before any rounding.
        rounded: what 8 bits cost; None where there is no rounding.
    """

    files: tuple[Path, ...]
    agreement: Agreement
    rounded: Rounded | None


def checked_by(card: Card, spec: DataSpec) -> Tensor:
    """Images to check an exported network by, (N, 1 or 3, S, S) of 8 bits: some test images as it
    sees them; embedded ones, whatever its classes are, as many pixels a side."""
    if spec.source == DataSpec().source:
        dataset = _some(load(spec))
        assert isinstance(dataset.test, Images)
        return dataset.test.resized(card.image_size).pixels
    dataset = load_for(card, spec, any_classes=True, part=_some)
    ((pixels, _),) = batches(dataset.test, _CHECKED, generator=None, device="cpu")
    return pixels


def _some(dataset: Dataset) -> Dataset:
    """With a few test images, evenly spread."""
    return replace(dataset, test=_spread(dataset.test, _CHECKED))


def _spread(images: Images | ImageFiles, count: int) -> Images | ImageFiles:
    last = len(images) - 1
    return images.take(torch.linspace(0, last, min(count, len(images))).long())


def images_of(card: Card) -> dict[str, Any]:
    """What is done to an image before a network sees it, as far as a program has to know it.

    `mode` square: the largest centred square is resized to `resized` pixels a side; center: the
    image until its shorter side has `resized` pixels; border: its longer side, the rest filled with
    `fill`; squash: both sides. Then the middle of `size` pixels a side is cut out.
    """
    view = published_view(card)
    colours = {"mean": list(card.mean), "std": list(card.std)}
    if view is None:
        own = {"mode": "square", "resized": stored_size(card.image_size)}
        return {"size": card.image_size, **own, "interpolation": "bicubic", **colours}
    shape = {"mode": view.mode, "resized": view.shorter_side, "fill": list(view.fill)}
    return {"size": card.image_size, **shape, "interpolation": view.interpolation, **colours}


def export(
    network: Network,
    card: Card,
    path: Path,
    pixels: Tensor,
    *,
    with_preprocessing: bool = False,
    rounding: Rounding | None = None,
    part: Callable[[str, float], None] = lambda what, share: None,
) -> Written:
    """Write a network to a `.onnx`, `.xml` or `.pt2` file, if the file answers as it does; what
    `require_possible` refuses is not to be asked for.

    Args:
        pixels: images to answer, (N, 1 or 3, S, S) of 8 bits, of the network's size or larger.
        with_preprocessing: the graph takes images of 8 bits and normalises them.
        rounding: to numbers of 8 bits; None: they stay as they are.
        part: called with what is being done, and the share of all that is done.

    Raises:
        InputError: the file cannot be written so, or answers otherwise.
    """
    images = {**images_of(card), "input": "uint8" if with_preprocessing else "float32"}
    with _beside(path) as draft:
        part("tracing", 0.0)
        is_for_onnx = path.suffix == ".onnx" and rounding is None
        program = traced(
            network, card, with_colours=with_preprocessing,
            convolved_from=CONVOLVED_FROM if is_for_onnx else inf,
        )  # fmt: skip
        files = write(program, draft, card, images)
        part("checking", 0.4)
        agreement = agree(network, load_exported(draft), _views(card, pixels))
        rounded = None
        if rounding is not None:
            part("rounding to 8 bits", 0.5)
            some = list(_calibration(card, rounding.seen, images["input"]))
            reduced = quantised(draft, some, rounding.reduced)
            part("scoring", 0.7)
            rounded = _rounded(network, load_exported(draft), card, rounding.seen, reduced)
            _require_small(rounded, rounding.most_loss)
        there = tuple(path.parent / file.name for file in files)
        for place in there[1:]:  # it would read what the first one held
            place.unlink(missing_ok=True)
        for file, place in zip(files, there, strict=True):
            file.replace(place)
    return Written(files=there, agreement=agreement, rounded=rounded)


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """A place for a draft, from where it can be moved at once; what a kill has left there goes."""
    require_place(path.parent, "OUT")
    require_name(path, "OUT")
    folder = _draft_of(path)
    with alone(path, "name another OUT"):
        try:
            rmtree(folder, ignore_errors=True)
            folder.mkdir()
            yield folder / path.name
        except OSError as error:
            remedy = "free space there, or " if error.errno == ENOSPC else ""
            raise InputError(
                f"{path} cannot be written ({error.strerror}); {remedy}name another place"
            ) from error
        finally:
            rmtree(folder, ignore_errors=True)


def _draft_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.export")


def require_possible(card: Card, path: Path, *, int8: bool = False) -> None:
    """Check that a network can be written so, before images are read.

    Raises:
        InputError: it cannot; or a library is not installed.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path} has no ending that tells its format; give one of "
                         f"{', '.join(SUFFIXES)}")  # fmt: skip
    if path.is_dir():
        raise InputError(f"{path} is a folder, and a file is to be written; name another OUT")
    weights = path.with_suffix(".bin")
    ours = path.exists() or _draft_of(path).exists()  # the latter after a kill
    if path.suffix == ".xml" and weights.exists() and not ours:
        raise InputError(f"{path} would be written with {weights.name} beside it, and a file of "
                         "that name is there that belongs to none; give another name")  # fmt: skip
    if int8 and path.suffix == ".pt2":
        raise InputError("numbers of 8 bits (--int8) are for .onnx and .xml; give one of these")
    if "permuted_pixels" in card.about:
        raise InputError("the network sees images with their pixels in another order, which no "
                         "service has; train one on images as they are")  # fmt: skip
    of_onnx = ("onnx", "onnxscript", "onnxruntime")
    needed = {".onnx": of_onnx, ".xml": (*of_onnx, "openvino"), ".pt2": ()}
    for name in needed[path.suffix]:
        library(name)


def _views(card: Card, pixels: Tensor) -> Iterator[Tensor]:
    """Images as the network sees them, normalised: of its own size, and where the design allows it
    some of them of a larger and of a smaller one."""
    pixels = centre(pixels, card.image_size)
    few = pixels[: BATCHES[-1]].float()
    others = (F.interpolate(few, size).byte() for size in _other_sizes(card))
    for each in (pixels, *others):
        yield normalised(each, card.mean, card.std)


def _other_sizes(card: Card) -> list[tuple[int, int]]:
    """(height, width): a larger one, and a smaller one that is not square."""
    if not isinstance(card.design, Design):
        return []
    side, found = card.image_size, [(card.image_size * 5 // 4 + 1,) * 2]
    try:
        require_image_size(card.design, 3 * side // 4)
        found.append((3 * side // 4, side))
    except InputError:
        found.append((side, 3 * side // 2))
    return found


@torch.inference_mode()
def agree(network: Network, exported: Exported, views: Iterator[Tensor]) -> Agreement:
    """That an exported network gives the logits of its network for images, of each size first one,
    then two, then all, batch after batch.

    Raises:
        InputError: it does not, in one image, or the network's own are no finite numbers.
    """
    worst, images = 0.0, 0
    ties: set[tuple[tuple[int, int], int]] = set()
    batches: set[int] = set()
    sizes: list[tuple[int, int]] = []
    for view in views:
        sizes.append((view.shape[2], view.shape[3]))
        images = max(images, len(view))
        for start, batch in _in_batches(view):
            difference, tied = _compared(network, exported, batch)
            worst = max(worst, difference)
            ties |= {(sizes[-1], start + at) for at in tied}
            batches.add(len(batch))
    return Agreement(images=images, batches=tuple(sorted(batches)), sizes=tuple(sizes),
                     difference=worst, ties=len(ties))  # fmt: skip


def _in_batches(images: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Of all sizes in turn, each with the place of its first image."""
    *first, last = BATCHES
    yield from ((0, images[:size]) for size in first)
    for start in range(0, len(images), last):
        yield start, images[start : start + last]


def _compared(network: Network, exported: Exported, batch: Tensor) -> tuple[float, list[int]]:
    """The largest difference of logits for a batch, and the images that are ties."""
    where = f"in a batch of {len(batch)} of {batch.shape[2]} x {batch.shape[3]} pixels"
    ours = network(batch)
    require_finite(ours)
    try:
        theirs = exported(batch)
    except Exception as error:  # whatever a runtime raises
        raise _refused(f"it fails {where} ({' '.join(str(error).split())[:160]})") from error
    scale = ours.abs().amax(1).clamp(min=torch.finfo(ours.dtype).tiny)
    difference = ((ours - theirs).abs().amax(1) / scale).amax().item()
    if not difference <= AGREES:
        raise _refused(f"its logits differ by {difference:.1e} {where}, relative to the "
                       f"largest of an image, and may by {AGREES:.0e}")  # fmt: skip
    answer = theirs.argmax(1)
    gaps = (ours.amax(1) - ours.gather(1, answer[:, None])[:, 0]) / scale
    if gaps.amax() > AGREES:
        raise _refused(f"it answers with another class {where}")
    return difference, (answer != ours.argmax(1)).nonzero()[:, 0].tolist()


def _refused(why: str) -> InputError:
    return InputError(f"the exported network is refused, and not written: {why}; write another "
                      "format, and please report it")  # fmt: skip


def _calibration(card: Card, seen: Dataset, kind: str) -> Iterator[Tensor]:
    """Training images as the exported network takes them, batch after batch."""
    some = seen_by(card, _spread(seen.train, _CALIBRATING))
    for pixels, _ in batches(some, 8, generator=None, device="cpu"):
        if kind == "uint8":
            yield centre(pixels, card.image_size).expand(-1, 3, -1, -1)
        else:
            yield evaluation_view(pixels, card.image_size, card.mean, card.std)


def _rounded(
    network: Network, exported: Exported, card: Card, seen: Dataset, reduced: bool
) -> Rounded:
    own = replace(seen, mean=card.mean, std=card.std)
    found = [evaluate(one, own, seen.test) for one in (network, exported)]
    before, after = (scores.correct.numpy() for scores in found)
    return Rounded(
        before=found[0].accuracy,
        after=found[1].accuracy,
        loss=paired_loss(before, after),
        images=len(before),
        reduced=reduced,
    )


def _require_small(found: Rounded, most: float) -> None:
    if found.loss.high > most:
        low, high, limit = (100 * value for value in (found.loss.low, found.loss.high, most))
        raise InputError(
            f"the network of 8 bits is refused, and not written: it loses "
            f"{100 * (found.before - found.after):.2f} points of accuracy ({low:.2f} to {high:.2f} "
            f"on {found.images:,} test images, 95 %), where {limit:g} is allowed; give more test "
            "images, which narrow the interval, or allow more with --most-loss, or leave out --int8"
        )
