"""How a data set is to be loaded."""

from dataclasses import dataclass

from nextify.errors import InputError
from nextify.machine import memory


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a user may ask of any data set.

    Attributes:
        image_size: the side in pixels that the network sees; None: what suits the data set.
        test_image_size: that side for the test images; None: the same.
        split_seed: draws the test images of a folder without any, and a `train_limit`.
        skip_unreadable: leave unreadable images out and name them, instead of an error.
        train_limit: at most so many training images, drawn evenly over the classes.
        memory_limit: decoded images of more bytes than this are streamed from their files; None:
            half of the machine's memory.
    """

    image_size: int | None = None
    test_image_size: int | None = None
    split_seed: int = 0
    skip_unreadable: bool = False
    train_limit: int | None = None
    memory_limit: int | None = None

    def __post_init__(self) -> None:
        for field, least in (
            ("image_size", 1), ("test_image_size", 1), ("train_limit", 1), ("memory_limit", 0)
        ):  # fmt: skip
            value: int | None = getattr(self, field)
            if value is not None and value < least:
                raise InputError(f"{field}={value}; give a whole number of at least {least}")
        if not 0 <= self.split_seed < 2**63:
            raise InputError(f"split_seed={self.split_seed}; give a number from 0 to 2^63 - 1")

    def memory(self) -> int:
        """The memory limit in bytes.

        The default is half of what this process may have, not half of what is free just now: a
        study that is resumed must not find its images streamed because another program was running.
        """
        return memory() // 2 if self.memory_limit is None else self.memory_limit
