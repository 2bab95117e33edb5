"""What `torch.save` wrote, read without running anything that the file names."""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from nextify.errors import InputError

REMEDY = "give a safetensors file, or a .pth file with nothing but tensors in it"


class ForeignObject:
    """In the place of an object that programs save beside weights: takes anything, does nothing."""

    def __init__(self, *_: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


class _Plain:
    """In the place of another kind of dictionary: a plain one."""

    def __new__(cls, *_: object) -> Any:
        return {}


class _PlainList:
    """In the place of another kind of list: a plain one."""

    def __new__(cls, *_: object) -> Any:
        return []


# What training programs save beside weights: their command line, the best score, paths, versions.
# The names are harmless, and still nothing of theirs is called: others stand in their places.
_PATHS = ("PosixPath", "WindowsPath", "Path", "PurePosixPath", "PureWindowsPath")
_NUMPY = ("dtype", "ndarray", *(f"{core}.multiarray.{function}" for core in ("core", "_core")
          for function in ("scalar", "_reconstruct")), *(f"dtypes.{kind}DType" for kind in
          ("Float64", "Float32", "Float16", "Int64", "Int32", "UInt8", "Bool", "Str")))  # fmt: skip
_OMEGACONF = ("dictconfig.DictConfig", "listconfig.ListConfig", "base.ContainerMetadata",
              "base.Metadata", *(f"nodes.{kind}Node" for kind in
              ("Any", "Integer", "Float", "String", "Boolean")))  # fmt: skip
_BESIDE = (
    "argparse.Namespace", "types.SimpleNamespace", "typing.Any", "torch.torch_version.TorchVersion",
    *(f"datetime.{name}" for name in ("datetime", "date", "timedelta", "timezone")),
    *(f"pathlib{local}.{name}" for local in ("", "._local") for name in _PATHS),
    *(f"numpy.{name}" for name in _NUMPY),
    *(f"omegaconf.{name}" for name in _OMEGACONF),
    *(f"builtins.{name}" for name in ("dict", "list", "int", "float", "str", "bool", "tuple")),
)  # fmt: skip
_DICTIONARIES = (
    "collections.defaultdict", "easydict.EasyDict", "lightning_fabric.utilities.data.AttributeDict",
    "lightning.fabric.utilities.data.AttributeDict",
    "pytorch_lightning.utilities.parsing.AttributeDict",
)  # fmt: skip
_STANDING_IN: list[Any] = [
    *((ForeignObject, name) for name in _BESIDE),
    *((_Plain, name) for name in _DICTIONARIES),
    (_PlainList, "collections.deque"),
]


def unpickled(path: Path, name: str) -> Mapping[Any, Any]:
    """The mapping in a file of `torch.save`, by torch's unpickler that knows tensors and plain
    containers only.

    Raises:
        InputError: it wants to call anything else, or is no mapping.
    """
    try:
        with warnings.catch_warnings(), torch.serialization.safe_globals(_STANDING_IN):
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted is None:
            raise
        raise InputError(
            f"weights {name} are refused: the file wants to call {wanted[1]}, and only tensors are "
            "read; if that is a network or an optimiser, saved whole, save network.state_dict() "
            "instead, best as a safetensors file"
        ) from error
    if not isinstance(found, Mapping):
        raise InputError(f"weights {name} hold a {type(found).__name__}, no entries; {REMEDY}")
    return found


def require_stored(path: Path, name: str) -> None:
    """torch packs files without compressing them: what unpacks to more than it is, is a bomb.

    Raises:
        InputError: it is one, or another archive than torch's.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    inside = [member.filename for member in members]
    if any(one.endswith("/constants.pkl") for one in inside):
        raise InputError(f"weights {name} are refused: a TorchScript program; "
                         "save the network's state_dict() instead")  # fmt: skip
    if not any(one.endswith("data.pkl") for one in inside):
        raise InputError(
            f"weights {name} are a zip archive, and none of torch's; unpack it and give the file "
            "of weights in it"
        )
    size, unpacked = path.stat().st_size, sum(member.file_size for member in members)
    if unpacked > size or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError(
            f"weights {name} are refused: a compressed file, of {size:,} bytes that unpack to "
            f"{unpacked:,}, where torch.save compresses nothing; {REMEDY}"
        )
