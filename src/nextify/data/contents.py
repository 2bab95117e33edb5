"""Who image files are: the SHA-256 of each, read once and remembered as long as nothing changes.

What is remembered belongs to a stamp of the file: its size, its times (of its content and of its
inode, which no program sets) and its inode. Copying, unpacking or syncing an image over another of
the same size and time changes one of them. File systems without a time of change show the same time
twice: there, parts of the content belong to the stamp. A file that was written a moment ago is
hashed again next time: the clocks of file systems are coarse.
"""

import os
import stat
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nextify.data.decoding import UnreadableImage, file_digest
from nextify.data.kept import Kept, keep, kept_as, name_of
from nextify.data.telling import told
from nextify.machine import cores

_SETTLED = 3 * 10**9  # nanoseconds: longer than a tick of any file system's clock
_PART = 4096  # bytes looked at at the start, in the middle and at the end
_BLOCK = 64  # files a thread takes at once
_SMALL = 4096  # bytes of a file, on average: a JPEG of some 90 pixels a side


@dataclass(frozen=True)
class Listing:
    """Image files: a folder and their names in it."""

    root: Path
    names: tuple[str, ...]  # relative to root, with '/' between the parts

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> Path:
        return self.root / self.names[index]


@dataclass(frozen=True, eq=False)
class Contents:
    """The files of a listing by their contents."""

    listing: Listing
    digests: Tensor  # (N, 32) uint8: SHA-256
    sizes: Tensor  # (N,) int64: bytes
    unopened: dict[int, str]  # files that cannot be opened, and why

    def digest(self, index: int) -> bytes:
        return bytes(self.digests.numpy()[index])

    def take(self, indices: Tensor) -> "Contents":
        """The files of these (M,) indices, all of which can be opened."""
        names = tuple(self.listing.names[index] for index in indices.tolist())
        listing = Listing(self.listing.root, names)
        return Contents(listing, self.digests[indices], self.sizes[indices], {})


def contents_of(listing: Listing) -> Contents:
    """The contents of all files, of which only those are read that may have changed."""
    name = name_of(
        "contents", os.fsencode(listing.root.resolve()), *map(os.fsencode, listing.names)
    )
    stamps = _stamps(listing)
    there, digests = torch.zeros_like(stamps), torch.zeros((len(stamps), 32), dtype=torch.uint8)
    if known := kept_as(name):
        there, digests = known.tensors["stamps"], known.tensors["digests"].clone()
    changed = (there != stamps).any(dim=1)
    indices = changed.nonzero().flatten()
    unopened = _hash(listing, indices.tolist(), digests, readers(stamps[indices, 0]))
    settled = stamps[:, 1:3].amax(dim=1) < time.time_ns() - _SETTLED
    settled[list(unopened)] = False
    if bool((settled & changed).any()):
        keep(name, Kept({"stamps": stamps * settled[:, None], "digests": digests}, {}))
    return Contents(listing, digests, stamps[:, 0], unopened)


def readers(sizes: Tensor) -> int:
    """How many threads read files of these sizes: no more than cores, and one where they are small.

    Of a small image most of the work is Python's, which one thread does at a time: more of them
    would spend as long again on waiting for one another.
    """
    return 1 if sizes.sum() <= _SMALL * len(sizes) else cores()


def _hash(
    listing: Listing, indices: Sequence[int], digests: Tensor, threads: int
) -> dict[int, str]:
    """Fill in the digests of some files; those that cannot be opened, and why."""

    rows = digests.numpy()

    def of_block(block: Sequence[int]) -> dict[int, str]:
        unopened = {}
        for index in block:
            try:
                rows[index] = np.frombuffer(file_digest(listing.path(index)), np.uint8)
            except UnreadableImage as error:
                unopened[index] = error.why
        return unopened

    blocks = [indices[at : at + _BLOCK] for at in range(0, len(indices), _BLOCK)]
    with ThreadPoolExecutor(threads) as pool:
        done = told(pool.map(of_block, blocks), "reading", len(blocks), len(indices))
        return {index: why for block in done for index, why in block.items()}


def _stamps(listing: Listing) -> Tensor:
    """(N, 5) int64: size, time of content, time of change, inode, parts of the content; no stamp
    of a file is 0, which stands for none."""
    root = os.fsencode(listing.root) + b"/"
    rows = [_stamp(root + os.fsencode(name)) for name in listing.names]
    return torch.tensor(rows, dtype=torch.int64).reshape(-1, 5)


def _stamp(path: bytes) -> tuple[int, int, int, int, int]:
    with suppress(OSError):
        # A `Path` for each of a million names would take longer than all the rest.
        status = os.stat(path)  # noqa: PTH116
        if stat.S_ISREG(status.st_mode):
            times = status.st_mtime_ns, status.st_ctime_ns
            parts = _parts(path, status.st_size) if times[0] == times[1] else 0
            return status.st_size, *times, status.st_ino % 2**63, parts
    return -1, -1, -1, -1, -1  # no file, or a broken link: reading it will say so


def _parts(path: bytes, size: int) -> int:
    digest = sha256()
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        for at in {0, max(0, size // 2 - _PART // 2), max(0, size - _PART)}:
            digest.update(os.pread(file.fileno(), _PART, at))
    return int.from_bytes(digest.digest()[:7], "big")
