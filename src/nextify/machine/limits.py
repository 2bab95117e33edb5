"""Cores and memory that this process may use, which in a container are fewer than are built in.

A container is a cgroup: a folder of files that say what its processes may take together. Version 2
of cgroups has one tree of them, version 1 one for each resource. A limit holds for all groups
below, so the smallest from a process's own group up to the root is what counts.
"""

import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")
_UNKNOWN = 8 << 30  # bytes of memory, where the system does not tell
_MEMORY = ("memory.max", "memory.high", "memory.limit_in_bytes")  # version 2, and version 1


def cores(root: Path = _ROOT) -> int:
    """Processor cores: those that the process may run on, at most as many as its quota of time
    is worth, and at least one.

    Args:
        root: of the file system that says so.
    """
    quotas = [int(quota) for group in _groups(root, "cpu") for quota in _quota(group)]
    return max(1, min([_allowed(), *quotas]))


def limit_threads(root: Path = _ROOT) -> None:
    """Let torch, imported later, compute with no more threads than there are cores, and let these
    sleep where they wait long for one another. What the user has set stays.

    Torch counts the cores that the process may run on, and knows of no quota. Its threads would
    spin for a long time: on a core that another program has, they take the time that they wait for.
    Where they sleep at once (OMP_WAIT_POLICY=passive), networks of small layers take three times as
    long on an idle machine; `benchmarks/waiting.py` measures both.
    """
    if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
        os.environ["GOMP_SPINCOUNT"] = "1000"
    if cores(root) < _allowed():
        os.environ.setdefault("OMP_NUM_THREADS", str(cores(root)))


def memory(root: Path = _ROOT) -> int:
    """Bytes of memory: of what is built in, those that the process may have.

    It is not what is free just now: a study that is resumed must not be carried out in another way
    because another program was running.

    Args:
        root: of the file system that says so.
    """
    grouped = [_numbers(group / name) for group in _groups(root, "memory") for name in _MEMORY]
    own = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    set_ = [limit for limit in own if limit != resource.RLIM_INFINITY]
    return min([_built_in(), *set_, *(limit for limits in grouped for limit in limits)])


def last_cache(root: Path = _ROOT) -> int:
    """Bytes of the last cache of a core that the process may run on; 0 where nothing tells.

    The system's configuration is asked only where Linux has no files of it: it may add up the
    caches of a whole processor, of which a core sees one.

    Args:
        root: of the file system that says so.
    """
    home = root / "sys/devices/system/cpu"
    files = (file for at in _own() for file in (home / f"cpu{at}/cache").glob("index*/size"))
    kibibytes = [int(word) for file in files if (word := _text(file).strip()[:-1]).isdecimal()]
    return 1024 * max(kibibytes) if kibibytes else _configured("SC_LEVEL3_CACHE_SIZE")


def _configured(name: str) -> int:
    try:
        return max(0, os.sysconf(name))
    except (ValueError, OSError):
        return 0


def _allowed() -> int:
    return len(_own()) or os.cpu_count() or 1


def _own() -> set[int]:
    """The cores that the process may run on, by number; none where the system does not tell."""
    return os.sched_getaffinity(0) if sys.platform == "linux" else set()


def _built_in() -> int:
    return _configured("SC_PHYS_PAGES") * _configured("SC_PAGE_SIZE") or _UNKNOWN


def _groups(root: Path, resource_name: str) -> Iterator[Path]:
    """The folders of the groups that may limit this process.

    A container often sees its own group as the root and yet reads its path from outside: what is
    not there limits nothing, and the root always counts.
    """
    home = root / "sys/fs/cgroup"
    known = _text(root / "proc/self/cgroup") or f"0::/\n1:{resource_name}:/"
    for line in known.splitlines():
        _, names, path = line.split(":", 2)
        if not names or resource_name in names.split(","):
            tree = home / resource_name if names else home
            parts = [part for part in path.split("/") if part not in ("", "..")]
            yield from (tree.joinpath(*parts[:depth]) for depth in range(len(parts) + 1))


def _quota(group: Path) -> Iterator[float]:
    """Cores that a group's quota is worth: time in a period over the period."""
    for quota in (
        _numbers(group / "cpu.max"),
        _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us"),
    ):
        if len(quota) == 2:  # without a limit it is no number, and only the period is one
            yield quota[0] / quota[1]


def _numbers(file: Path) -> list[int]:
    """The natural numbers above 0 in a file: neither "max" nor -1, which stand for no limit."""
    return [int(word) for word in _text(file).split() if word.isdecimal() and int(word) > 0]


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, ValueError):
        return ""
