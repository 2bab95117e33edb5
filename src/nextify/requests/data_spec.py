"""`DataSpec`: where images are and how they are taken in; one type for commands, workers, plans."""

from dataclasses import dataclass

from nextify.errors import InputError
from nextify.requests.options import MOST_PIXELS, SEEDS, option


@dataclass(frozen=True, kw_only=True, slots=True)
class DataSpec:
    """A data set as asked for; `nextify.data.load` loads it.

    >>> DataSpec(source="photos", image_size=96).source
    'photos'

    Attributes:
        source: `"embedded"`, a public set's name, or the path of a folder.
        image_size: the side in pixels that a network sees; None: what suits the data set.
        split_seed: draws the test images of a folder without any, a `train_limit`, held-out images.
        train_limit: at most so many training images, drawn evenly over the classes.
        skip_unreadable: leave unreadable images out and name them, instead of an error.
        test_image_size: the side of the test images; None: the same.
        memory_limit: decoded images of more bytes are streamed from their files; None: half of the
            memory that this process may use.
        hold_out: test on the validation images of a folder that has some beside test images, else
            on a fifth of the training images, and never look at the test images.
        permute_pixels: the seed of a permutation of the pixels, one for all images
            (`nextify.data.permuted`); None: as they are.
    """

    source: str = option("embedded", name="data", help="'embedded', a public data set by name, or "
                         "a folder of images (default: embedded)")  # fmt: skip
    image_size: int | None = option(None, "pixels a side", metavar="N", least=1, most=MOST_PIXELS)
    split_seed: int = option(0, "draws the test images of a folder without any",
                             metavar="S", most=SEEDS - 1)  # fmt: skip
    train_limit: int | None = option(None, "use N training images", metavar="N",
                                     least=1, most=10**9)  # fmt: skip
    skip_unreadable: bool = option(False, "leave out, and count")
    test_image_size: int | None = None
    memory_limit: int | None = None
    hold_out: bool = False
    permute_pixels: int | None = option(None, "of all images, in one order, drawn from S",
                                        metavar="S", most=SEEDS - 1)  # fmt: skip

    def __post_init__(self) -> None:
        for name, least in (
            ("image_size", 1), ("test_image_size", 1), ("train_limit", 1), ("memory_limit", 0)
        ):  # fmt: skip
            value: int | None = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name}={value}; give a whole number of at least {least}")
        for name in ("split_seed", "permute_pixels"):
            seed: int | None = getattr(self, name)
            if seed is not None and not 0 <= seed < SEEDS:
                raise InputError(f"{name}={seed}; give a number from 0 to 2^63 - 1")


def stored_size(image_size: int) -> int:
    """The side, in pixels, at which images are kept for a network that sees `image_size`.

    From 96 px on, images are kept larger by 1 / 0.875: evaluation then takes the centre, and
    training a random crop. Smaller images are kept as the network sees them.

    >>> stored_size(32), stored_size(96), stored_size(224)
    (32, 110, 256)
    """
    return image_size if image_size < 96 else round(image_size / 0.875)
