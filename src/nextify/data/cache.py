"""Image files are read once; what came out is kept under the cache folder and mapped from there.

A cache file is named after what was read (folder, relative names, sizes, times of change) and how
(`Reading`). It carries a checksum: a truncated or damaged one is made again, never used.
"""

import hashlib
import json
import os
import sys
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nextify.data.decoding import UnreadableImage, decode_quietly, quiet_pillow
from nextify.files import from_home, replace_file
from nextify.machine import cores

_VERSION = 1  # to be raised when the same file would decode to other pixels
_BLOCK = 32  # files a thread reads before it reports: enough to make the report cheap


@dataclass(frozen=True)
class Listing:
    """Image files: a folder and their names in it."""

    root: Path
    names: tuple[str, ...]  # relative to root, with '/' between the parts

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> Path:
        return self.root / self.names[index]


@dataclass(frozen=True)
class Reading:
    """What to read from each image file."""

    name: str  # names the result, with all settings that change it
    title: str  # for the progress bar
    shape: tuple[int, ...]  # of one file's result, uint8
    read: Callable[[Path], Tensor]  # raises UnreadableImage


@dataclass(frozen=True, eq=False)
class Result:
    """What was read from the files that could be read."""

    rows: Tensor  # (M, *shape) uint8
    kept: Tensor  # (M,) int64, ascending: the file of each row
    unreadable: tuple[tuple[int, str], ...]  # the other files, and why


def decoded_squares(size: int) -> Reading:
    """Each image as (3, size, size) pixels, to keep in memory."""
    read = partial(decode_quietly, size=size)
    return Reading(f"squares {size}", "Decoding images", (3, size, size), read)


def content_digests() -> Reading:
    """Each image decoded once to see that it can be, and the sha256 of its file, (32,)."""
    return Reading("digests", "Checking images", (32,), _checked_digest)


def _checked_digest(path: Path) -> Tensor:
    decode_quietly(path, 8)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    return torch.tensor(list(digest), dtype=torch.uint8)


def cache_folder() -> Path:
    """`$NEXTIFY_CACHE`, or `~/.cache/nextify`."""
    place = os.environ.get("NEXTIFY_CACHE") or "~/.cache/nextify"
    return from_home(place, "set NEXTIFY_CACHE to a folder that can be written")


def read_once(listing: Listing, reading: Reading) -> Result:
    """The reading's result for all files: from the cache, or else read by threads and put there.

    An unwritable cache folder is a warning.
    """
    path = cache_folder() / "images" / f"{_key(listing, reading)}.safetensors"
    result = _load(path)
    if result is None:
        decoded = _read(listing, reading)
        _save(path, decoded)
        # Mapped from the file, the rows take no memory of their own beside what is made of them.
        result = _load(path) or decoded
    return result


def _key(listing: Listing, reading: Reading) -> str:
    # The folder's place is part of the key: copies of two data sets can agree in names, sizes and
    # times (uncompressed images out of an archive) and still differ in their pixels.
    root = os.fsencode(listing.root.resolve())
    digest = hashlib.sha256(f"{_VERSION}\0{reading.name}\0".encode() + root)
    for name in map(os.fsencode, listing.names):
        digest.update(b"\0" + name + b"\0")
        try:
            # A `Path` for each of a million names would take longer than all the rest.
            status = os.stat(root + b"/" + name)  # noqa: PTH116
        except OSError:
            continue  # a broken link: reading it will say so
        digest.update(f"{status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _read(listing: Listing, reading: Reading) -> Result:
    rows = torch.empty((len(listing), *reading.shape), dtype=torch.uint8)

    def read_block(indices: range) -> dict[int, str]:
        unreadable = {}
        for index in indices:
            try:
                rows[index] = reading.read(listing.path(index))
            except UnreadableImage as error:
                unreadable[index] = error.why
        return unreadable

    blocks = [range(i, min(i + _BLOCK, len(listing))) for i in range(0, len(listing), _BLOCK)]
    console, hidden = Console(stderr=True), not sys.stderr.isatty()
    # No more threads than cores: for small images they would wait for one another.
    with quiet_pillow(), ThreadPoolExecutor(cores()) as pool:
        found = pool.map(read_block, blocks)  # interrupted, it calls off those not yet begun
        shown = track(
            found, reading.title, len(blocks), console=console, transient=True, disable=hidden
        )
        unreadable = tuple(item for done in shown for item in done.items())
    lost = {index for index, _ in unreadable}
    kept = torch.tensor([i for i in range(len(listing)) if i not in lost], dtype=torch.int64)
    return Result(rows[kept] if lost else rows, kept, unreadable)


def _load(path: Path) -> Result | None:
    """The result in a cache file, memory-mapped; None if there is no whole one."""
    try:
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["about"])
            rows, kept = file.get_tensor("rows"), file.get_tensor("kept")
        unreadable = tuple((int(index), str(why)) for index, why in about["unreadable"])
        whole = about["checksum"] == _checksum(rows, kept)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None
    return Result(rows, kept, unreadable) if whole else None


def _save(path: Path, result: Result) -> None:
    about = {"checksum": _checksum(result.rows, result.kept), "unreadable": result.unreadable}
    tensors = {"rows": result.rows, "kept": result.kept}
    try:
        # By its name, because safetensors' `save` would make a copy of all rows.
        write = partial(save_file, tensors, metadata={"about": json.dumps(about)})
        replace_file(path, lambda file: write(file.name))
    except (OSError, SafetensorError) as error:
        warnings.warn(
            f"the images will be decoded again next time: the cache folder {str(path.parent)!r} "
            f"cannot be written ({error}); set NEXTIFY_CACHE to a folder that can",
            RuntimeWarning,
            stacklevel=3,
        )


def _checksum(*tensors: Tensor) -> int:
    value = 0
    for tensor in tensors:
        value = zlib.crc32(tensor.flatten().numpy().data.cast("B"), value)
    return value
