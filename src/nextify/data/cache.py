"""Image files are decoded once; what came out is kept under the cache folder and mapped from there.

It is kept by the contents of the files (`nextify.data.contents`) and by how they were read
(`Reading`): a folder that was moved or copied is not decoded again, and no file that has changed is
taken for what it was.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from nextify.data.contents import Contents, readers
from nextify.data.decoding import UnreadableImage, decode_quietly, quiet_pillow
from nextify.data.kept import Kept, Release, keep, kept_as, name_of, nothing, room
from nextify.data.telling import told

_BLOCK = 32  # files a thread reads before it reports: enough to make the report cheap


@dataclass(frozen=True)
class Reading:
    """What to read from each image file."""

    name: str  # names the result, with all settings that change it
    doing: str  # what is told while it is done
    shape: tuple[int, ...]  # of one file's result, uint8
    read: Callable[[Path, bytes], Tensor]  # of a file and its digest; raises UnreadableImage


@dataclass(frozen=True, eq=False)
class Result:
    """What was read from the files that could be read."""

    rows: Tensor  # (M, *shape) uint8
    kept: Tensor  # (M,) int64, ascending: the file of each row
    unreadable: tuple[tuple[int, str], ...]  # the other files, and why
    release: Release = nothing  # lets go of the memory of the rows


def decoded_squares(size: int) -> Reading:
    """Each image as (3, size, size) pixels, to keep in memory."""

    def read(path: Path, digest: bytes) -> Tensor:
        return decode_quietly(path, size, digest)

    return Reading(f"squares {size}", "decoding", (3, size, size), read)


def checks() -> Reading:
    """Each image decoded once to see that it can be: (1,)."""

    def read(path: Path, digest: bytes) -> Tensor:
        return decode_quietly(path, 8, digest)[0, 0, :1]

    return Reading("checks", "checking", (1,), read)


def read_once(contents: Contents, reading: Reading) -> Result:
    """The reading's result for all files: from the cache, or else read by threads and put there.

    Raises:
        ChangedImage: a file has changed since its content was looked at.
    """
    name = _name(contents, reading)
    there = kept_as(name)
    if there is None:
        made = _read(contents, reading)
        keep(name, made)
        # Mapped from the file, the rows take no memory of their own beside what is made of them.
        there = kept_as(name) or made
    unreadable = {int(at): str(why) for at, why in there.about["unreadable"]}
    every = sorted((unreadable | contents.unopened).items())
    return Result(there.tensors["rows"], there.tensors["kept"], tuple(every), there.release)


def _name(contents: Contents, reading: Reading) -> str:
    listing = contents.listing
    # What a file may be depends on its ending, too.
    endings = (os.fsencode(os.path.splitext(name)[1].lower()) for name in listing.names)  # noqa: PTH122
    rows = contents.digests.numpy()
    parts = (
        b"unopened" if index in contents.unopened else rows[index].tobytes() + ending
        for index, ending in enumerate(endings)
    )
    return name_of(reading.name, *parts)


def _read(contents: Contents, reading: Reading) -> Kept:
    """What belongs to the files' contents: why a file could not be opened does not."""
    listing = contents.listing
    rows, release = room((len(listing), *reading.shape))
    pixels = rows.numpy()  # for a small image, torch takes longer to put it there than to decode it

    def read_block(indices: Sequence[int]) -> list[tuple[int, str]]:
        unreadable = []
        for index in indices:
            try:
                read = reading.read(listing.path(index), contents.digest(index))
                pixels[index] = read.numpy()
            except UnreadableImage as error:
                unreadable.append((index, error.why))
        release()  # so that not many blocks keep their memory
        return unreadable

    opened = [index for index in range(len(listing)) if index not in contents.unopened]
    blocks = [opened[at : at + _BLOCK] for at in range(0, len(opened), _BLOCK)]
    with quiet_pillow(), ThreadPoolExecutor(readers(contents.sizes)) as pool:
        found = pool.map(read_block, blocks)  # interrupted, it calls off those not yet begun
        done = told(found, reading.doing, len(blocks), len(opened))
        unreadable = [each for block in done for each in block]
    lost = {index for index, _ in unreadable}
    kept = torch.tensor([index for index in opened if index not in lost], dtype=torch.int64)
    about = {"unreadable": unreadable}
    if len(kept) < len(listing):
        return Kept({"rows": rows[kept], "kept": kept}, about)
    return Kept({"rows": rows, "kept": kept}, about, release)
