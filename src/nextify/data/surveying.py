"""Looking at a data set: what it holds, what is there twice, what tells classes and is no picture.

Two images are exact duplicates where every pixel that networks see is the same, and near ones where
they show the same shot (`nextify.data.near`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nextify.data.batches import batches
from nextify.data.dataset import Dataset, ImageFiles, Images, told_apart
from nextify.data.heads import Head, heads_of
from nextify.data.near import Near, frequencies, near_duplicates
from nextify.data.pictures import pictures
from nextify.data.telling import told
from nextify.findings.clues import Clue, clue
from nextify.findings.survey import Count, Files, Pair, Repeats, Shot, Side, Survey

Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]

_SAMPLES, _MOST_SAMPLES = 8, 600  # of a class, of all
_SHOWN = 24  # pairs that cross sides or classes, and others
_MOST_PAIRS = 100_000  # that are listed by name
_EXACT = 64  # different sizes up to which each is a value of its own
THUMBNAIL = 96  # pixels a side, about
_LEVELS = 8  # of grey, that are one colour after JPEG
_BATCH = 64


def survey(dataset: Dataset, *, loaders: int = 0) -> Survey:
    """What a data set holds, and what of it spoils studies.

    >>> from nextify.data import load
    >>> found = survey(load("embedded", train_limit=100))
    >>> found.counts["training"][:3], found.repeats.leaks["test", "training"]
    ((10, 10, 10), Count(exact=0, near=...))

    Args:
        loaders: processes that decode images that do not fit memory.
    """
    shown = _Shown(dataset)
    seen = [_seen(images, loaders) for images in shown.images]
    heads = [head for images in shown.images for head in _heads(images)]
    marks = np.concatenate([each.marks for each in seen])
    found = np.concatenate([each.found for each in seen])
    return Survey(
        name=dataset.name,
        source=dataset.source,
        classes=dataset.classes,
        counts=shown.counts(),
        image_size=dataset.image_size,
        drawn=dataset.origin.split_seed,
        unreadable=dataset.origin.unreadable,
        left_out=dataset.origin.left_out,
        outside=dataset.origin.outside,
        files=_files(heads, shown),
        repeats=_repeats(shown, marks, found),
        clues=_clues(heads, seen, shown.labels),
        samples=_samples(shown),
    )


class _Shown:
    """All images of a data set, those of each side after the other, by one index."""

    def __init__(self, dataset: Dataset) -> None:
        every: dict[Side, Images | ImageFiles | None] = {
            "training": dataset.train, "test": dataset.test, "validation": dataset.validation,
        }  # fmt: skip
        there = {name: images for name, images in every.items() if images is not None}
        self.classes, self.names, self.images = dataset.classes, tuple(there), tuple(there.values())
        self.starts = np.cumsum([0, *map(len, self.images)])
        self.labels: Indices = np.concatenate([each.labels.numpy() for each in self.images])
        self.side: Indices = np.repeat(np.arange(len(self.names)), [len(i) for i in self.images])
        self.files = [name for each in self.images for name, _ in told_apart(each)]

    def counts(self) -> dict[Side, tuple[int, ...]]:
        classes = len(self.classes)
        counts = (each.labels.bincount(minlength=classes).tolist() for each in self.images)
        return dict(zip(self.names, map(tuple, counts), strict=True))

    def thumbnail(self, index: int) -> bytes:
        side = int(self.side[index])
        return pictures(self.images[side], [index - int(self.starts[side])], THUMBNAIL)[0]

    def shot(self, index: int, *, copied: bool) -> Shot:
        name, label = self.names[self.side[index]], self.classes[self.labels[index]]
        return Shot(name, label, self.files[index], self.thumbnail(index) if copied else b"")


@dataclass(frozen=True, eq=False)
class _Seen:
    """Of images as networks see them: what tells their pixels from all others (N,) 16 bytes, their
    `frequencies` (N, 64), whether they are grey (N,), and the colour that all corners have."""

    marks: NDArray[np.void]
    found: NDArray[np.float32]
    grey: Flags
    corners: tuple[str, ...]


def _seen(images: Images | ImageFiles, loaders: int) -> _Seen:
    marks: list[bytes] = []
    found, grey, corners = [], [], list[str]()
    for pixels in _chunks(images, loaders):
        every = pixels.numpy()
        marks += [blake2b(one.tobytes(), digest_size=16).digest() for one in every]
        found.append(frequencies(pixels))
        grey.append(every.max(1) - every.min(1) <= _LEVELS)
        corners += _corners(pixels)
    flags = [each.all((1, 2)) for each in grey]
    return _Seen(
        np.frombuffer(b"".join(marks), np.dtype("V16")),
        np.concatenate(found), np.concatenate(flags), tuple(corners),
    )  # fmt: skip


def _chunks(images: Images | ImageFiles, loaders: int) -> Iterator[Tensor]:
    match images:
        case Images():
            yield from images.chunks()
        case ImageFiles():
            dealt = batches(images, _BATCH, generator=None, device="cpu", workers=loaders)
            pixels = (pixels for pixels, _ in dealt)
            yield from told(pixels, "looking at", -(-len(images) // _BATCH), len(images))


def _corners(pixels: Tensor) -> list[str]:
    """Of images (B, C, S, S): 'black', 'white' or 'plain', where all corners have one colour."""
    part = max(1, pixels.shape[-1] // 16)
    ends = torch.cat([pixels[..., :part], pixels[..., -part:]], -1)
    found = torch.cat([ends[..., :part, :], ends[..., -part:, :]], -2).flatten(2).int()
    low, high = found.amin(2), found.amax(2)
    is_one = (high - low <= _LEVELS).all(1).tolist()
    darkest, lightest = low.amin(1).tolist(), high.amax(1).tolist()
    return [
        "" if not one else "black" if most < 32 else "white" if least > 223 else "plain"
        for one, least, most in zip(is_one, darkest, lightest, strict=True)
    ]


def _heads(images: Images | ImageFiles) -> Sequence[Head]:
    files = images.contents_of_files
    return [] if files is None else heads_of(files)


def _files(heads: Sequence[Head], shown: _Shown) -> Files | None:
    if not heads:
        return None
    smallest = sorted(range(len(heads)), key=lambda at: min(heads[at][:2]))[:3]
    return Files(
        Counter((head.width, head.height) for head in heads),
        Counter(head.format for head in heads),
        Counter(head.mode for head in heads),
        tuple((shown.files[at], heads[at].width, heads[at].height) for at in smallest),
    )


def _clues(heads: Sequence[Head], seen: Sequence[_Seen], labels: Indices) -> tuple[Clue, ...]:
    """What each clue tells of the class, and all together, of those that are not all the same."""
    every: dict[str, Sequence[object]] = {
        "grey or colour": np.concatenate([each.grey for each in seen]).tolist(),
        "corners": [colour for each in seen for colour in each.corners],
    }
    if heads:
        exact = len({head[:2] for head in heads}) <= _EXACT
        every |= {
            "size": [head[:2] if exact else _about(head.width, head.height) for head in heads],
            "form": [_about(head.width / max(1, head.height)) for head in heads],
            "format": [(head.format, head.mode) for head in heads],
            "compression": [head.tables for head in heads],
            "camera": [head.camera for head in heads],
        }
    various = {name: values for name, values in every.items() if len({*values}) > 1}
    if len(various) > 1:
        various["all together"] = list(zip(*various.values(), strict=True))
    return tuple(clue(name, values, labels) for name, values in various.items())


def _about(*amounts: float) -> tuple[int, ...]:
    """Amounts to a fifth."""
    return tuple(round(4 * float(np.log2(max(amount, 1e-3)))) for amount in amounts)


def _samples(shown: _Shown) -> Mapping[str, tuple[bytes, ...]]:
    """Some training images of each class."""
    each = max(1, min(_SAMPLES, _MOST_SAMPLES // len(shown.classes)))
    draw = np.random.default_rng(0)
    samples = {}
    for label, name in list(enumerate(shown.classes))[:_MOST_SAMPLES]:
        own = np.flatnonzero((shown.labels == label) & (shown.side == 0))
        chosen = np.sort(draw.permutation(own)[:each])
        samples[name] = tuple(shown.thumbnail(int(at)) for at in chosen)
    return samples


def _repeats(shown: _Shown, marks: NDArray[np.void], found: NDArray[np.float32]) -> Repeats:
    _, first, group = np.unique(marks, return_index=True, return_inverse=True)
    near = near_duplicates(found[first])
    groups = _Groups(shown, group, near)
    names = shown.names
    pairs = [("test", "training"), ("validation", "training"), ("test", "validation")]
    leaks = {
        (one, other): groups.leak(names.index(one), names.index(other))
        for one, other in pairs if one in names and other in names
    }  # fmt: skip
    listed, is_whole = _listed(shown, first, group, near)
    return Repeats(
        leaks=leaks, crossed=groups.crossed(), within=groups.within(), pairs=listed,
        is_whole=is_whole and near.is_whole,
    )  # fmt: skip


class _Groups:
    """Images in groups of the same pixels, some of which are near duplicates of one another."""

    def __init__(self, shown: _Shown, group: Indices, near: Near) -> None:
        self.group, self.side, self.labels = group, shown.side, shown.labels
        self.count = int(group.max()) + 1
        self.one = np.concatenate([near.one, near.other])
        self.other = np.concatenate([near.other, near.one])

    def leak(self, side: int, other: int) -> Count:
        there = np.bincount(self.group[self.side == other], minlength=self.count) > 0
        own = self.group[self.side == side]
        return _count(there[own], self._beside(there)[own])

    def within(self) -> Count:
        own = self.group[self.side == 0]
        counts = np.bincount(own, minlength=self.count)
        return _count(counts[own] > 1, self._beside(counts > 0)[own])

    def crossed(self) -> Count:
        lowest, highest = np.full(self.count, len(self.labels)), np.full(self.count, -1)
        np.minimum.at(lowest, self.group, self.labels)
        np.maximum.at(highest, self.group, self.labels)
        lower, higher = lowest.copy(), highest.copy()
        np.minimum.at(lower, self.one, lowest[self.other])
        np.maximum.at(higher, self.one, highest[self.other])
        exact, near = lowest != highest, lower != higher
        return _count(exact[self.group], near[self.group])

    def _beside(self, there: Flags) -> Flags:
        """Which groups have a near duplicate in one of those groups."""
        found = np.zeros(self.count, np.bool_)
        found[self.one[there[self.other]]] = True
        return found


def _count(exact: Flags, near: Flags) -> Count:
    return Count(int(exact.sum()), int((near & ~exact).sum()))


def _listed(
    shown: _Shown, first: Indices, group: Indices, near: Near
) -> tuple[tuple[Pair, ...], bool]:
    """The pairs by name, those that are shown before the others; and whether these are all."""
    again = np.flatnonzero(first[group] != np.arange(len(group)))
    one = np.concatenate([first[group[again]], first[near.one]])
    other = np.concatenate([again, first[near.other]])
    likeness = np.concatenate([np.ones(len(again)), near.likeness])
    mirrored = np.concatenate([np.zeros(len(again), np.bool_), near.mirrored])
    leaks, crosses = (of[one] != of[other] for of in (shown.side, shown.labels))
    rank = np.lexsort((-likeness, np.arange(len(one)) >= len(again), ~leaks & ~crosses))
    of_kind = [np.flatnonzero(crosses[rank]), np.flatnonzero(leaks[rank]),
               np.flatnonzero(~leaks[rank] & ~crosses[rank])]  # fmt: skip
    copied = {int(rank[at]) for kind in of_kind for at in _spread(kind)}
    order = sorted(rank.tolist()[:_MOST_PAIRS], key=lambda at: at not in copied)
    pairs = tuple(
        Pair(
            shown.shot(int(one[at]), copied=at in copied),
            shown.shot(int(other[at]), copied=at in copied),
            at < len(again), float(likeness[at]), bool(mirrored[at]),
        )
        for at in order
    )  # fmt: skip
    return pairs, len(rank) <= _MOST_PAIRS


def _spread(places: Indices) -> Indices:
    """Some of them, from the first to the last."""
    few = min(len(places), _SHOWN)
    return places[np.linspace(0, max(0, len(places) - 1), few).astype(np.int64)]
