"""Cores and memory of containers, which are folders here: what a process may use there."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from nextify.data.image_files import memory_for
from nextify.designs import Run, design, recipe
from nextify.errors import InputError
from nextify.machine import cores, last_cache, limit_threads, memory
from nextify.requests import DataSpec
from nextify.training.memory import require_memory

GIB = 1 << 30
BUILT_IN, ALLOWED = 64 * GIB, 16
UNLIMITED_1 = "9223372036854771712"  # what version 1 says where there is no limit
OWN_2 = "0::/pod/task\n"
OWN_1 = "4:memory:/pod/task\n3:cpu,cpuacct:/pod/task\n2:freezer:/\n"

Container = Callable[..., Path]


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    """On a machine of 16 cores and 64 GiB, a file system with a process's groups."""
    pages = {"SC_PHYS_PAGES": BUILT_IN >> 12, "SC_PAGE_SIZE": 1 << 12}
    monkeypatch.setattr("os.sysconf", pages.__getitem__)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(ALLOWED)), raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: ALLOWED)
    monkeypatch.setattr("resource.getrlimit", lambda kind: (-1, -1))

    def make(own: str, files: dict[str, str]) -> Path:
        for name, text in {"proc/self/cgroup": own, **files}.items():
            place = name if name.startswith("proc") else f"sys/fs/cgroup/{name}"
            (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / place).write_text(text)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        (OWN_2, {"pod/task/cpu.max": "100000 100000\n"}, 1),
        (OWN_2, {"pod/task/cpu.max": "50000 100000\n"}, 1),
        (OWN_2, {"pod/task/cpu.max": "390000 100000\n"}, 3),
        (OWN_2, {"pod/task/cpu.max": "max 100000\n"}, ALLOWED),
        (OWN_2, {"pod/task/cpu.max": "max 100000\n", "pod/cpu.max": "200000 100000\n"}, 2),
        (OWN_2, {"pod/task/cpu.max": "400000 100000\n", "pod/cpu.max": "200000 100000\n"}, 2),
        (OWN_2, {"pod/task/cpu.max": "200000 100000\n", "pod/cpu.max": "400000 100000\n"}, 2),
        (OWN_2, {"pod/task/cpu.max": "9900000 100000\n"}, ALLOWED),
        (OWN_2, {"cpu.max": "200000 100000\n"}, 2),  # its group is the root that it sees
        (OWN_2, {"other/cpu.max": "200000 100000\n"}, ALLOWED),
        (OWN_2, {"pod/task/cpu.max": "nonsense"}, ALLOWED),
        ("0::/../../task\n", {"cpu.max": "200000 100000\n"}, 2),
        (OWN_2, {}, ALLOWED),
        ("", {"cpu.max": "200000 100000\n"}, 2),
        ("", {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        (OWN_1, {"cpu/pod/task/cpu.cfs_quota_us": "50000\n",
                 "cpu/pod/task/cpu.cfs_period_us": "100000\n"}, 1),
        (OWN_1, {"cpu/pod/task/cpu.cfs_quota_us": "-1\n",
                 "cpu/pod/task/cpu.cfs_period_us": "100000\n",
                 "cpu/pod/cpu.cfs_quota_us": "500000\n",
                 "cpu/pod/cpu.cfs_period_us": "100000\n"}, 5),
        (OWN_1, {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2),
        (OWN_1, {"cpu.max": "200000 100000\n"}, ALLOWED),  # of a tree that it has no group in
    ],
)  # fmt: skip
def test_cores(container: Container, own: str, files: dict[str, str], expected: int) -> None:
    assert cores(container(own, files)) == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        (OWN_2, {"pod/task/memory.max": f"{GIB}\n"}, GIB),
        (OWN_2, {"pod/task/memory.max": "max\n", "pod/task/memory.high": f"{GIB}\n"}, GIB),
        (OWN_2, {"pod/task/memory.max": "max\n", "pod/memory.max": f"{2 * GIB}\n"}, 2 * GIB),
        (OWN_2, {"pod/task/memory.max": f"{3 * GIB}", "pod/memory.max": f"{2 * GIB}"}, 2 * GIB),
        (OWN_2, {"pod/task/memory.max": f"{100 * GIB}\n"}, BUILT_IN),
        (OWN_2, {"memory.max": f"{GIB}\n"}, GIB),
        (OWN_2, {}, BUILT_IN),
        (OWN_1, {"memory/pod/task/memory.limit_in_bytes": f"{GIB}\n"}, GIB),
        (OWN_1, {"memory/pod/task/memory.limit_in_bytes": f"{UNLIMITED_1}\n"}, BUILT_IN),
        (OWN_1, {"memory/memory.limit_in_bytes": f"{GIB}\n"}, GIB),
    ],
)
def test_memory(container: Container, own: str, files: dict[str, str], expected: int) -> None:
    assert memory(container(own, files)) == expected


def test_limits_of_the_process_itself(container, monkeypatch):
    monkeypatch.setattr("resource.getrlimit", lambda kind: (3 * GIB, -1))
    assert memory(container(OWN_2, {})) == 3 * GIB
    assert memory(container(OWN_2, {"memory.max": f"{GIB}"})) == GIB


def test_a_system_that_does_not_tell(container, monkeypatch, tmp_path):
    def unknown(name: str) -> int:
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr("os.sysconf", unknown)
    assert memory(tmp_path / "nothing") == 8 * GIB
    assert cores(tmp_path / "nothing") == ALLOWED


def test_this_machine():
    assert 1 <= cores() <= (os.cpu_count() or 1)
    assert 0 < memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def small(container: Container) -> Path:
    """A container with a core's time and 1 GiB."""
    return container(
        OWN_2,
        {"pod/task/cpu.max": "100000 100000\n", "pod/task/memory.max": f"{GIB}\n"},
    )


def test_what_would_not_fit_a_container_is_refused(small, monkeypatch):
    monkeypatch.setattr("nextify.training.memory.memory", partial(memory, small))
    monkeypatch.setattr("nextify.data.image_files.memory", partial(memory, small))
    assert memory_for(DataSpec()) == GIB // 2
    run = Run(
        design=design("convnext-tiny"),
        recipe=recipe("modern", batch_size=64),
        data={"image_size": 224, "classes": 10},
    )
    with pytest.raises(InputError, match=r"this machine has 1\.0 GiB; set batch_size="):
        require_memory(run)


@pytest.mark.parametrize(
    ("told", "spins"),
    [({}, "1000"), ({"OMP_WAIT_POLICY": "active"}, None), ({"GOMP_SPINCOUNT": "7"}, "7")],
)
def test_threads_that_wait_long_sleep_unless_told_otherwise(monkeypatch, told, spins):
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    limit_threads()
    assert os.environ.get("GOMP_SPINCOUNT") == spins


@pytest.mark.parametrize("entrance", ["nextify.cli.main", "nextify"])
def test_what_torch_reads_is_set_before_it_is_imported(entrance):
    code = (
        f"import os, sys, {entrance}; assert 'torch' not in sys.modules\n"
        "import importlib.abc\n"
        "class Watch(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'torch': print(os.environ.get('GOMP_SPINCOUNT')); os._exit(0)\n"
        "sys.meta_path.insert(0, Watch())\n"
        + ("nextify.cli.main.main(['bench', 'resnet18'])" if "cli" in entrance else "import torch")
    )
    told = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    free = {name: value for name, value in os.environ.items() if name not in told}
    command = [sys.executable, "-u", "-c", code]
    assert subprocess.check_output(command, env=free, text=True) == "1000\n"


def test_threads_are_as_many_as_a_quota_is_worth(small, monkeypatch):
    monkeypatch.setenv("OMP_WAIT_POLICY", "passive")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    limit_threads(small)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    monkeypatch.delenv("OMP_NUM_THREADS")
    limit_threads(small)
    assert os.environ["OMP_NUM_THREADS"] == "1"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="quotas are Linux's")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one thread anyway")
def test_torch_keeps_to_them(small):
    code = (
        "import os, sys; from pathlib import Path; from nextify.machine import limit_threads; "
        "os.environ.pop('OMP_NUM_THREADS', None)  # of a quota here\n"
        "limit_threads(Path(sys.argv[1])); import torch; print(torch.get_num_threads())"
    )
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    free = {name: value for name, value in os.environ.items() if name not in names}
    said = subprocess.check_output([sys.executable, "-c", code, str(small)], env=free, text=True)
    assert said == "1\n"


CACHES = {
    "cpu0/cache/index2": "1024K\n", "cpu0/cache/index3": "16384K\n",
    "cpu1/cache/index3": "32768K\n", "cpu7/cache/index3": "98304K\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "configured", "expected"),
    [
        (CACHES, 320 << 20, 32 << 20),  # of the cores 0 and 1, and not of a whole processor
        ({"cpu0/cache/index3": "unknown\n"}, 8 << 20, 8 << 20),
        ({}, 8 << 20, 8 << 20),
        ({}, -1, 0),
        ({}, None, 0),
    ],
)
def test_the_last_cache_is_that_of_a_core(tmp_path, monkeypatch, files, configured, expected):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1}, raising=False)
    monkeypatch.setattr("os.sysconf", configure(configured))
    for name, text in files.items():
        folder = tmp_path / "sys/devices/system/cpu" / name
        folder.mkdir(parents=True)
        (folder / "size").write_text(text)
    assert last_cache(tmp_path) == expected


def configure(value: int | None) -> Callable[[str], int]:
    """The system's configuration, which has a size of the cache or does not know of it."""

    def ask(name: str) -> int:
        if value is None or name != "SC_LEVEL3_CACHE_SIZE":
            raise ValueError(name)
        return value

    return ask
