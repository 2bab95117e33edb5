"""Tensors that are kept in the cache folder: written whole, read only if this user wrote them.

A file carries a code made of its content and of a key that only this user can read, and so does its
name: what is damaged, or was changed or made by others, is not used. Whoever may write into another
user's home can do worse.
"""

import hmac
import json
import mmap
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from math import prod
from pathlib import Path
from secrets import token_bytes, token_hex
from tempfile import TemporaryFile
from typing import Any, BinaryIO

import torch
from torch import Tensor

from nextify.files import from_home, replace_file
from nextify.machine import cores

_VERSION = 2  # to be raised when the same file would decode to other pixels
_CHUNK = 1 << 24  # bytes that a thread hashes at once


Release = Callable[[], object]
"""Lets go of the memory of what is mapped from a file, which has it still."""


def nothing() -> None:
    """The release of what is in memory alone."""


@dataclass(frozen=True, eq=False)
class Kept:
    """Tensors by name, and plain values about them."""

    tensors: Mapping[str, Tensor]
    about: Mapping[str, Any]
    release: Release = nothing


def cache_folder() -> Path:
    """`$NEXTIFY_CACHE`, or `~/.cache/nextify`."""
    place = os.environ.get("NEXTIFY_CACHE") or "~/.cache/nextify"
    return from_home(place, "set NEXTIFY_CACHE to a folder that can be written")


def name_of(kind: str, *parts: bytes) -> str:
    """The name of the file for something that is made of these parts."""
    digest = hmac.new(_key() or b"", digestmod="sha256")
    for part in (str(_VERSION).encode(), kind.encode(), *parts):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def kept_as(name: str) -> Kept | None:
    """What is kept under a name, memory-mapped; None if there is nothing, or nothing to be trusted,
    which is a warning."""
    path = _place(name)
    if _key() is None:
        return None
    try:
        found, code = _mapped(path)
        if hmac.compare_digest(code, _code(name, found)):
            return found
    except FileNotFoundError:
        return None
    except (OSError, KeyError, TypeError, ValueError, RecursionError):
        pass
    warnings.warn(
        f"the cache file {str(path)!r} is damaged or was changed by another program; it is made "
        "again from the images",
        RuntimeWarning,
        stacklevel=3,
    )
    return None


def keep(name: str, what: Kept) -> None:
    """Keep something under a name. An unwritable cache folder is a warning."""
    path = _place(name)
    about = {"values": what.about, "code": _code(name, what)}
    try:
        if _key() is None:
            raise PermissionError(13, "no key of this user's own can be kept there")
        replace_file(path, lambda file: _write(file, what, json.dumps(about)))
    except OSError as error:
        warnings.warn(
            f"the images will be read again next time: the cache folder {str(path.parent)!r} "
            f"cannot be written ({error.args[-1]}); set NEXTIFY_CACHE to a folder that can",
            RuntimeWarning,
            stacklevel=3,
        )


def _place(name: str) -> Path:
    return cache_folder() / "images" / f"{name}.safetensors"


def _mapped(path: Path) -> tuple[Kept, str]:
    """What a file in the safetensors format holds, mapped, and the code that it carries."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    start = 8 + int.from_bytes(content[:8], "little")
    head = json.loads(content[8:start])
    about = json.loads(head.pop("__metadata__")["about"])
    tensors = {name: _tensor(content, start, **entry) for name, entry in head.items()}
    release = partial(content.madvise, mmap.MADV_DONTNEED)
    return Kept(tensors, about["values"], release), str(about["code"])


def _write(file: BinaryIO, what: Kept, about: str) -> None:
    """In the safetensors format; its own `save_file` would have all tensors in memory."""
    head: dict[str, Any] = {"__metadata__": {"about": about}}
    end = 0
    for each, tensor in _in_order(what):
        dtype = next(name for name, kind in _DTYPES.items() if kind == tensor.dtype)
        start, end = end, end + tensor.nbytes
        head[each] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, tensor in _in_order(what):
        for part in _parts(tensor):
            file.write(part.numpy().data)
            what.release()


def _in_order(what: Kept) -> list[tuple[str, Tensor]]:
    """The tensors, those of the largest numbers first, so that each is aligned."""
    return sorted(what.tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))


def _parts(tensor: Tensor) -> Sequence[Tensor]:
    """A tensor's bytes, some at a time."""
    return torch.split(tensor.contiguous().flatten().view(torch.uint8), _CHUNK)


_DTYPES = {"U8": torch.uint8, "I64": torch.int64}


def _tensor(
    content: mmap.mmap, start: int, dtype: str, shape: list[int], data_offsets: list[int]
) -> Tensor:
    if prod(shape) == 0:
        return torch.empty(shape, dtype=_DTYPES[dtype])
    offset = start + data_offsets[0]
    flat = torch.frombuffer(content, dtype=_DTYPES[dtype], count=prod(shape), offset=offset)
    return flat.reshape(shape)


def room(shape: tuple[int, ...]) -> tuple[Tensor, Release]:
    """A tensor (uint8) to be filled, mapped from a file without a name where that can be had."""
    size = prod(shape)
    try:
        if sys.platform != "linux":
            raise OSError("a disk that is full would end the process")
        folder = cache_folder() / "images"
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)
            content = mmap.mmap(file.fileno(), size)
    except OSError:
        return torch.empty(shape, dtype=torch.uint8), nothing
    rows = torch.frombuffer(content, dtype=torch.uint8).reshape(shape)
    return rows, partial(content.madvise, mmap.MADV_DONTNEED)


def _code(name: str, what: Kept) -> str:
    """The code of a content under its name."""
    code = hmac.new(_key() or b"", f"{name}\0{json.dumps(what.about)}".encode(), "sha256")
    with ThreadPoolExecutor(cores()) as pool:
        for each, tensor in _in_order(what):
            code.update(f"{each} {tensor.dtype} {tuple(tensor.shape)}".encode())
            parts = _parts(tensor)
            for at in range(0, len(parts), cores()):
                for digest in pool.map(_digest, parts[at : at + cores()]):
                    code.update(digest)
                what.release()
    return code.hexdigest()


def _digest(part: Tensor) -> bytes:
    return sha256(part.numpy().data).digest()


def _key() -> bytes | None:
    return _key_in(cache_folder())


@cache
def _key_in(folder: Path) -> bytes | None:
    """The user's key, made where there is none; None where none can be kept."""
    path = folder / f"key-{os.geteuid()}"

    def write(file: BinaryIO) -> None:
        os.fchmod(file.fileno(), 0o600)
        file.write(token_bytes(32))

    with suppress(OSError):
        if _read_key(path) is None:
            draft = path.with_name(f"{path.name}.{token_hex(8)}")
            replace_file(draft, write)
            _put(draft, path)
        return _read_key(path)
    return None


def _put(draft: Path, path: Path) -> None:
    """A new key in its place: of processes that make one at the same time, the first one's."""
    try:
        os.link(draft, path)
    except OSError:  # there is one already; or the disk knows no links
        if _read_key(path) is None:
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _read_key(path: Path) -> bytes | None:
    """The key in a file of this user's own: nobody else can make one."""
    try:
        with path.open("rb") as file:
            is_own = os.fstat(file.fileno()).st_uid == os.geteuid()
            key = file.read(33)
    except FileNotFoundError:
        return None
    return key if is_own and len(key) == 32 else None
