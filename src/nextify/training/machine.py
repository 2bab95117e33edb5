"""What ran the training: versions, device, memory; and the one place that sets torch's switches."""

import ctypes
import os
import platform
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torchvision

import nextify
from nextify.designs import Precision
from nextify.errors import InputError, unknown


def environment(device: torch.device | str) -> dict[str, Any]:
    """Versions and machine, for a record."""
    kind = torch.device(device).type
    name = torch.cuda.get_device_name(device) if kind == "cuda" else _processor()
    return {
        "nextify": nextify.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": name,
        "device_kind": kind,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    """The processor's name as Linux or Python tells it, with its vector instructions as torch
    uses them (they decide the bits of a result)."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        name = next(
            (li.split(":", 1)[1].strip() for li in lines if li.startswith("model name")), name
        )
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"


def default_device() -> str:
    """`"cuda"` where torch sees a GPU, else `"cpu"`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def usable_device(name: str | None = None) -> str:
    """The device of this name; without one, the default.

    Raises:
        InputError: there is no such device, or it cannot be used.
    """
    chosen = name or default_device()
    if chosen.partition(":")[0] not in ("cpu", "cuda"):
        raise unknown("device", chosen, ("cpu", "cuda"))
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device {chosen} cannot be used ({reason}); use cpu") from None
    return chosen


def default_precision(device: str) -> Precision:
    """Mixed on a GPU."""
    return "bfloat16" if torch.device(device).type == "cuda" else "float32"


@contextmanager
def deterministic(device: torch.device | str) -> Iterator[None]:
    """Inside, the same numbers give the same bits: float32 is multiplied as float32 and, on a GPU,
    no operator is chosen by its speed or sums in an order that varies. Outside all is as before.
    """
    precision = torch.get_float32_matmul_precision()
    is_on, only_warns = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    benchmarks, workspace = torch.backends.cudnn.benchmark, os.environ.get(_WORKSPACE)
    try:
        torch.set_float32_matmul_precision("highest")
        if torch.device(device).type == "cuda":
            os.environ.setdefault(_WORKSPACE, ":4096:8")
            torch.backends.cudnn.benchmark = False
            torch.use_deterministic_algorithms(True, warn_only=True)
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.benchmark = benchmarks
        torch.use_deterministic_algorithms(is_on, warn_only=only_warns)
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)


_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


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


def start_memory_watch(device: torch.device | str) -> None:
    """Forget the highest memory use so far (Linux for the CPU; elsewhere it cannot be reset)."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_memory(device: torch.device | str) -> int:
    """The highest memory use since `start_memory_watch`, in bytes: the process's on a CPU, that
    of torch's tensors on a GPU."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
