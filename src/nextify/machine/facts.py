"""What computed a result: versions, processor or GPU, cores and threads."""

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from nextify.machine.limits import cores
from nextify.version import __version__

_OF_TIMES = ("nextify", "torch", "system", "device", "threads")


def environment(device: str = "cpu") -> dict[str, Any]:
    """Versions and machine, for a record."""
    import torch
    import torchvision

    kind = torch.device(device).type
    return {
        "nextify": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name(device) if kind == "cuda" else processor(),
        "device_kind": kind,
        **(_of_gpu() if kind == "cuda" else {}),
        "cores": cores(),
        "threads": torch.get_num_threads(),
    }


def _of_gpu() -> dict[str, Any]:
    """The libraries that compute on a GPU, which decide a result's bits there."""
    import torch

    try:
        triton: str | None = metadata.version("triton")
    except metadata.PackageNotFoundError:
        triton = None
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
    return {"cuda": torch.version.cuda, "cudnn": cudnn, "triton": triton}


def measured_on() -> dict[str, Any]:
    """What a time on the processor depends on besides what was asked for, to keep beside it: a
    measurement that goes on elsewhere is another one."""
    machine = environment()
    return {name: machine[name] for name in _OF_TIMES}


def processor() -> str:
    """The processor's name as Linux or Python tells it, with its vector instructions as torch
    uses them (they decide the bits of a result)."""
    import torch

    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        name = next(
            (li.split(":", 1)[1].strip() for li in lines if li.startswith("model name")), name
        )
    return f"{name} ({torch.backends.cpu.get_cpu_capability()})"
