"""Memory in use: this process's on a processor, that of torch's tensors on a GPU."""

import resource
import sys
from pathlib import Path

_PROCESS = Path("/proc/self")


def in_use(device: str) -> int:
    """Bytes in use now."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.memory_allocated(device)
    return _resident("VmRSS")


def peak(device: str) -> int:
    """The highest use since `forget_peak`, in bytes."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    return _resident("VmHWM")


def forget_peak(device: str) -> None:
    """Forget the highest use so far (of a process on Linux; elsewhere it cannot be reset)."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        (_PROCESS / "clear_refs").write_text("5")
    except OSError:
        return


def _resident(name: str) -> int:
    """Bytes of a line of Linux's status; elsewhere the highest use so far, for both."""
    status = _PROCESS / "status"
    if status.exists():
        lines = (line.split() for line in status.read_text().splitlines())
        return next(int(words[1]) * 1024 for words in lines if words[0] == f"{name}:")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
