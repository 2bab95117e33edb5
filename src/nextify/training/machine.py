"""The device, and the one place that sets torch's switches and the C library's."""

import ctypes
import os

import torch


def default_device() -> str:
    """`"cuda"` where torch sees a GPU, else `"cpu"`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def be_deterministic(device: torch.device | str) -> None:
    """On a GPU, use only operators that give the same bits every time. A CPU's always do."""
    if torch.device(device).type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = False
        torch.use_deterministic_algorithms(True, warn_only=True)


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next tensor instead of giving it back.

    A training step makes and frees the same buffers again and again; by default glibc returns
    those above 128 KiB to the system each time, and fetching them back page by page costs more
    than the arithmetic on them. Where there is no `mallopt`, nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if os.name == "posix" else None
    if mallopt is not None:
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
        mallopt(mmap_threshold, 1 << 30)
        mallopt(trim_threshold, 1 << 30)
        mallopt(top_pad, 64 << 20)
