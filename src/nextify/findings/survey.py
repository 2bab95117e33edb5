"""What a set of images holds and what of it spoils studies, as values; `nextify data` shows it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from nextify.findings.clues import Clue
from nextify.findings.failures import wilson

Side = Literal["training", "test", "validation"]

_WIDE = 0.15  # half of an interval of a class's accuracy, around 90 %
_FEW = 20  # training images of a class


@dataclass(frozen=True, slots=True)
class Shot:
    """An image: its side, its class, its name in the data set, and a small copy (JPEG), where it
    is shown."""

    side: Side
    label: str
    name: str
    thumbnail: bytes = b""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of one picture. likeness: 1 where every pixel is the same (`exact`), else see
    `nextify.data.near`. mirrored: one is the mirror image of the other."""

    one: Shot
    other: Shot
    exact: bool
    likeness: float
    mirrored: bool

    @property
    def is_leak(self) -> bool:
        """Whether the two are on different sides."""
        return self.one.side != self.other.side

    @property
    def is_crossed(self) -> bool:
        """Whether the two have different classes."""
        return self.one.label != self.other.label


@dataclass(frozen=True, slots=True)
class Count:
    """Images that have an exact duplicate, and others that have a near one."""

    exact: int
    near: int

    @property
    def both(self) -> int:
        return self.exact + self.near


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """Images that are there more than once.

    Attributes:
        leaks: images of the first side with a duplicate on the second.
        crossed: images with a duplicate under another class.
        within: training images with a duplicate among the training images.
        pairs: of duplicates, those with small copies first; an exact duplicate is paired with the
            first image of its pixels only. is_whole: whether these are all.
    """

    leaks: Mapping[tuple[Side, Side], Count]
    crossed: Count
    within: Count
    pairs: tuple[Pair, ...]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Files:
    """Of images from files: how many are of each width and height, in pixels, of each format, and
    of each mode of Pillow's; and some of the smallest by name."""

    sizes: Counter[tuple[int, int]]
    formats: Counter[str]
    modes: Counter[str]
    smallest: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Survey:
    """A data set, looked at.

    Attributes:
        name, source: of the data set, and where it is from. classes: by name.
        counts: images of each class on each side. image_size: pixels a side that networks see.
        drawn: the seed that drew the test images, where the folder has no splits; else None.
        unreadable: why images cannot be read, by name.
        left_out: what a folder holds that was not taken, by reason and ending or name; see
            `nextify.data.Origin`. files: None where the images are from no files.
        clues: what tells classes though it is no picture. samples: small copies of images, by
            class. recipe, augmented: small copies of images as they are evaluated, each followed
            by what the recipe's augmentation makes of it.
    """

    name: str
    source: str
    classes: tuple[str, ...]
    counts: Mapping[Side, tuple[int, ...]]
    image_size: int
    drawn: int | None
    unreadable: Mapping[str, str]
    left_out: Mapping[tuple[str, str], int]
    outside: Mapping[str, int]
    files: Files | None
    repeats: Repeats
    clues: tuple[Clue, ...]
    samples: Mapping[str, tuple[bytes, ...]]
    recipe: str = ""
    augmented: tuple[tuple[bytes, ...], ...] = ()
    command: str = ""

    @property
    def title(self) -> str:
        """Of the page."""
        return f"The images of {self.name}"

    @property
    def few_to_test(self) -> dict[str, int]:
        """Classes whose test images tell their accuracy worse than to 15 points either way."""
        named = zip(self.classes, self.counts["test"], strict=True)
        return {name: count for name, count in named if half_around(0.9, count) > _WIDE}

    @property
    def few_to_train(self) -> dict[str, int]:
        """Classes with fewer than twenty training images."""
        named = zip(self.classes, self.counts["training"], strict=True)
        return {name: count for name, count in named if count < _FEW}


def half_around(accuracy: float, images: int) -> float:
    """Half of the 95 % interval of about such an accuracy on so many images.

    >>> round(half_around(0.9, 10), 2), round(half_around(0.9, 1000), 3)
    (0.19, 0.019)
    """
    found = wilson(round(accuracy * images), images)
    return found.half if found else 1.0
