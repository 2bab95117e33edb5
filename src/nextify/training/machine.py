"""The device, and the one place that sets torch's switches and the C library's."""

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Event
from typing import Any

import torch

from nextify.designs import Precision
from nextify.errors import InputError, unknown
from nextify.machine.limits import cores
from nextify.machine.ranks import Rank, rank_here


def default_device() -> str:
    """`"cuda"` where torch sees a GPU, else `"cpu"`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def usable_device(name: str | None = None) -> str:
    """The device of this name; without one, the default. Of several processes of a run on this
    machine, each has a GPU of its own.

    Raises:
        InputError: there is no such device, or it cannot be used.
    """
    chosen = name or default_device()
    if chosen.partition(":")[0] not in ("cpu", "cuda"):
        raise unknown("device", chosen, ("cpu", "cuda"))
    chosen = _own(chosen, rank_here())
    try:
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"--device {chosen} cannot be used ({reason}); use cpu") from None
    return chosen


def _own(device: str, rank: Rank) -> str:
    """A process's own device."""
    if rank.size == 1 or device == "cpu":
        return device
    if device != "cuda":
        raise InputError(f"--device {device} is one for {rank.size} processes; give --device cuda, "
                         "of which each process has its own")  # fmt: skip
    if rank.local_size > (there := torch.cuda.device_count()):
        raise InputError(f"{rank.local_size} processes are started here, where {there} GPUs are; "
                         f"start at most {there} with --nproc-per-node")  # fmt: skip
    return f"cuda:{rank.local}"


def loaders_for(device: str) -> int:
    """How many processes decode streamed images: a GPU's share of the cores, which decode for it
    alone (at most 16: no network here takes in more); two beside a processor, which trains, too."""
    if torch.device(device).type == "cpu":
        return 2
    return max(1, min(16, cores() // max(1, torch.cuda.device_count())))


def default_precision(device: str) -> Precision:
    """Mixed on a GPU."""
    return "bfloat16" if torch.device(device).type == "cuda" else "float32"


def current_card(device: torch.device | str) -> AbstractContextManager[Any]:
    """Inside, this GPU is the one that torch means where none is named: an event, a stream or
    pinned memory of another would wait for nothing of it, and take memory there."""
    if torch.device(device).type != "cuda":
        return nullcontext()
    return torch.cuda.device(device)


@contextmanager
def thread_count(threads: int | None) -> Iterator[None]:
    """So many of torch's threads inside (None: as they are); outside as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic(device: torch.device | str, same_bits: bool = True) -> Iterator[None]:
    """Inside, the same numbers give the same bits: float32 is multiplied as float32 and, on a GPU,
    no operator is chosen by its speed or sums in an order that varies. Outside all is as before.

    Args:
        same_bits: on a GPU; without, its operators are chosen by their speed, and only float32 is
            still multiplied as float32.
    """
    is_on = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmarks, workspace = torch.backends.cudnn.benchmark, os.environ.get(_WORKSPACE)
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    try:
        if torch.device(device).type == "cuda":
            torch.backends.cudnn.benchmark = not same_bits
            torch.use_deterministic_algorithms(same_bits, warn_only=True)
            # It finds errors in programs, and here costs a pass over every new tensor.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
            os.environ.setdefault(_WORKSPACE, ":4096:8")
        with _multiplied_exactly(device):
            yield
    finally:
        torch.backends.cudnn.benchmark = benchmarks
        torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
        torch.use_deterministic_algorithms(is_on, warn_only=only_warns)
        if workspace is None:
            os.environ.pop(_WORKSPACE, None)


_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"


@contextmanager
def _multiplied_exactly(device: torch.device | str) -> Iterator[None]:
    """Inside, float32 is multiplied as float32.

    Each switch is read by itself: where a program has set one of them, torch refuses to read those
    that stand for several (`allow_tf32`, `get_float32_matmul_precision`).
    """
    of: Any = torch.backends
    switches = [of.mkldnn.matmul, of.mkldnn.conv]
    if torch.device(device).type == "cuda":
        switches += [of.cuda.matmul, of.cudnn.conv]  # by default the latter rounds
    before = [(each, each.fp32_precision) for each in switches]
    rounding = [(each, value) for each, value in before if value not in ("none", "ieee")]
    try:
        for switch, _ in rounding:
            switch.fp32_precision = "ieee"
        yield
    finally:
        for switch, value in rounding:
            switch.fp32_precision = "none"  # what is set for all operators holds
            if switch.fp32_precision != value:
                switch.fp32_precision = value


_KEEPS_MEMORY = Event()


def keep_freed_memory() -> None:
    """Let the C library keep freed memory for the next tensor instead of giving it back.

    A training step makes and frees the same buffers again and again; by default glibc returns
    those above 128 KiB to the system each time, and fetching them back page by page costs more
    than the arithmetic on them. Where there is no `mallopt`, nothing is done.
    """
    if _set_malloc(mmap_threshold=1 << 30, trim_threshold=1 << 30, top_pad=64 << 20):
        _KEEPS_MEMORY.set()


def give_back_memory() -> None:
    """Undo `keep_freed_memory`, where it was called. glibc's thresholds rise by themselves until
    they are set once: these are the highest that they rise to."""
    if _KEEPS_MEMORY.is_set():
        _KEEPS_MEMORY.clear()
        _set_malloc(mmap_threshold=32 << 20, trim_threshold=64 << 20, top_pad=128 << 10)
        if (trim := of_libc("malloc_trim")) is not None:
            trim(0)


def _set_malloc(*, mmap_threshold: int, trim_threshold: int, top_pad: int) -> bool:
    """Whether there is a `mallopt`, which was called."""
    if (mallopt := of_libc("mallopt")) is None:
        return False
    for name, value in ((-3, mmap_threshold), (-1, trim_threshold), (-2, top_pad)):  # malloc.h
        mallopt(name, value)
    return True


def of_libc(name: str) -> Callable[..., int] | None:
    """A function of the C library, where it has it."""
    return getattr(ctypes.CDLL(None), name, None) if os.name == "posix" else None


@contextmanager
def plain_torch() -> Iterator[None]:
    """Whatever the caller has set of torch, a run is the same: on the CPU by default, of float32,
    with gradients, and with no other precision than its own."""
    kind, here = torch.get_default_dtype(), torch.get_default_device()
    torch.set_default_dtype(torch.float32)
    # A default device makes every operator slower.
    on_cpu = nullcontext() if here.type == "cpu" else torch.device("cpu")
    full = torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False)
    try:
        with on_cpu, torch.inference_mode(False), torch.enable_grad(), full[0], full[1]:
            yield
    finally:
        torch.set_default_dtype(kind)


@contextmanager
def as_a_guest() -> Iterator[None]:
    """Around a call in a process that is somebody else's: `plain_torch`, and afterwards malloc is
    as it was. Workers and commands, whose processes are their own, go without."""
    try:
        with plain_torch():
            yield
    finally:
        give_back_memory()
