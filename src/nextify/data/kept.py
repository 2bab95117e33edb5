"""Tensors that are kept in the cache folder: written whole, read only if this user wrote them.

A file carries a code made of its content and of a key that only this user can read, and so does its
name: what is damaged, or was changed or made by others, is not used. Whoever may write into another
user's home can do worse.
"""

import hmac
import json
import os
import warnings
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Any, BinaryIO

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from nextify.files import replace_file
from nextify.machine import cores

_VERSION = 2  # to be raised when the same file would decode to other pixels
_CHUNK = 1 << 24  # bytes that a thread hashes at once


@dataclass(frozen=True, eq=False)
class Kept:
    """Tensors by name, and plain values about them."""

    tensors: Mapping[str, Tensor]
    about: Mapping[str, Any]


def cache_folder() -> Path:
    """`$NEXTIFY_CACHE`, or `~/.cache/nextify`."""
    given = os.environ.get("NEXTIFY_CACHE")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "nextify"


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
        with safe_open(path, "pt") as file:
            about = json.loads(file.metadata()["about"])
            tensors = {each: file.get_tensor(each) for each in file.keys()}  # noqa: SIM118
        found = Kept(tensors, about["values"])
        if hmac.compare_digest(str(about["code"]), _code(name, found)):
            return found
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
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
        # By its name, because safetensors' `save` would make a copy of all rows.
        write = partial(save_file, dict(what.tensors), metadata={"about": json.dumps(about)})
        replace_file(path, lambda file: write(file.name))
    except (OSError, SafetensorError) as error:
        warnings.warn(
            f"the images will be read again next time: the cache folder {str(path.parent)!r} "
            f"cannot be written ({error.args[-1]}); set NEXTIFY_CACHE to a folder that can",
            RuntimeWarning,
            stacklevel=3,
        )


def _place(name: str) -> Path:
    return cache_folder() / "images" / f"{name}.safetensors"


def _code(name: str, what: Kept) -> str:
    """The code of a content under its name."""
    code = hmac.new(_key() or b"", f"{name}\0{json.dumps(what.about)}".encode(), "sha256")
    for each, tensor in sorted(what.tensors.items()):
        data = tensor.contiguous().flatten().numpy().data.cast("B")
        chunks = [data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK)]
        code.update(f"{each} {tensor.dtype} {tuple(tensor.shape)}".encode())
        with ThreadPoolExecutor(cores()) as pool:
            for digest in pool.map(lambda chunk: sha256(chunk).digest(), chunks):
                code.update(digest)
    return code.hexdigest()


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
            replace_file(path, write)
        return _read_key(path)  # which another process may have made at the same time
    return None


def _read_key(path: Path) -> bytes | None:
    """The key in a file of this user's own: nobody else can make one."""
    try:
        with path.open("rb") as file:
            is_own = os.fstat(file.fileno()).st_uid == os.geteuid()
            key = file.read(33)
    except FileNotFoundError:
        return None
    return key if is_own and len(key) == 32 else None
