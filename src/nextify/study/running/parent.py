"""A worker does not outlive the process that started it, even one that was killed with SIGKILL."""

import ctypes
import multiprocessing
import os
import signal
import sys
import threading

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


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
