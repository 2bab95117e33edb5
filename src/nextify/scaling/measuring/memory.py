"""Memory of the process, measured: how much there is, and by how much a forward pass grows it."""

import ctypes
import os

import torch
from torch import Tensor, nn

from nextify.training.machine import peak_memory, start_memory_watch

_SPARE = 0.5  # of the memory that is built in: other programs need some


def usable_memory() -> int:
    """Bytes that a measurement takes at most if nobody says otherwise: half of what is built in."""
    return int(_SPARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))


def growth(module: nn.Module, x: Tensor) -> int | None:
    """Bytes of the activations at the peak of a forward pass, as the system sees them.

    It is the peak of the process's resident memory less what was resident before, plus the input;
    buffers inside operators are in it. What the C library keeps of freed memory is given back
    first, or it would hide the growth. None where the peak cannot be reset (not Linux).
    """
    if not _trim():
        return None
    with torch.no_grad():
        module(x)  # what a library makes once
        _trim()
        start_memory_watch("cpu")
        before = peak_memory("cpu")
        module(x)
    return peak_memory("cpu") - before + x.untyped_storage().nbytes()


def last_cache() -> int:
    """Bytes of the processor's third-level cache; 0 if the system does not tell."""
    try:
        return max(0, os.sysconf("SC_LEVEL3_CACHE_SIZE"))
    except (ValueError, OSError):
        return 0


def _trim() -> bool:
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(0)
    return trim is not None
