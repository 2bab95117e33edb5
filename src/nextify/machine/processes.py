"""Starting processes: anew, with variables of their own, and so that none outlives this one.

A Ctrl-C while they start is heard a moment later, and by this process alone.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import ModuleType

SPAWN = multiprocessing.get_context("spawn")  # a fork would copy torch's threads half
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


@contextmanager
def with_variables(variables: Mapping[str, str]) -> Iterator[None]:
    """With other environment variables, which a process started now inherits: torch reads them
    when it is imported, which may be before a worker's first line."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def without_main() -> Iterator[None]:
    """A process started now does not run this one's main module again, as it would to have what
    that defines: a script may be without a guard, or come from standard input. Nothing that it is
    given may be defined there; `pickle` raises an error then, and no process is started."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def is_starting() -> bool:
    """Whether this is a process that runs its parent's main module again, before its own work."""
    return getattr(multiprocessing.current_process(), "_inheriting", False)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """A process started now inherits a blocked SIGINT: a Ctrl-C while it starts does not reach it.

    For this process the signal is not lost, it comes a moment later. Blocking alone would not hold
    it back: the system hands it to any other thread (numpy's, say), and Python's handler then still
    runs in this one, in the middle of the start.
    """
    resource_tracker.ensure_running()  # multiprocessing starts it on first use, and unblocks SIGINT
    heard: list[int] = []
    with _handler(lambda number, _: heard.append(number)):
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if heard:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def _handler(handle: Callable[[int, object], None]) -> Iterator[None]:
    """With another handler of SIGINT, where there can be one: in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)


def end_with_parent(parent: int) -> None:
    """Make the system kill this process when the process with the id `parent` ends.

    Linux does it itself, at once. Elsewhere a thread waits for the parent's end.
    """
    if not _kernel_will_kill():
        threading.Thread(target=_wait_for_parent, daemon=True).start()
    if os.getppid() != parent:  # it ended before the kernel was told
        os._exit(1)


def _kernel_will_kill() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    # Sent when the *thread* ends that started this process; `execute` ends its workers before.
    return bool(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) == 0)


def _wait_for_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # not sys.exit: that would end the thread only
