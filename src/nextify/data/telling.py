"""While many image files are read: on a terminal a bar, else a line at first and one a minute."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

from nextify.machine.lines import Lines, is_quiet
from nextify.words import duration

_LONG = 2.0  # seconds: what takes no longer is not spoken of

Block = TypeVar("Block")


def told(done: Iterable[Block], doing: str, blocks: int, images: int) -> Iterator[Block]:
    """The blocks as they are done, all of about the same number of images."""
    if blocks and not is_quiet() and sys.stderr is not None and sys.stderr.isatty():
        title = f"{doing.capitalize()} images"
        yield from track(done, title, blocks, console=Console(stderr=True), transient=True)
        return
    lines, began, is_told = Lines(), time.monotonic(), False
    for number, block in enumerate(done, 1):
        yield block
        elapsed = time.monotonic() - began
        if not is_told and elapsed > _LONG and number < blocks:
            is_told = True
            lines.say(f"{doing} {images:,} images; about {duration(elapsed * blocks / number)}")
        lines.tell(f"{number / blocks:.0%} of {images:,} images", number / blocks)
