"""Everything that is measured on a GPU, in two calls of eight and five minutes: each prints one
table, then one JSON line.

    python benchmarks/gpu.py --data cifar10-jpeg.tar.xz --output benchmarks/gpu
    python benchmarks/gpu.py --data cifar10-jpeg.tar.xz --output benchmarks/gpu --only study,loader
    python benchmarks/gpu.py --smoke          # every line at toy sizes, on a CPU

`--data` is a folder of CIFAR-10 (JPEG) with train/ and test/, or an archive of one. Sections
(`--only kernels,convnext`) run one after another, each in a process of its own, so that one that
fails, hangs or spoils its CUDA context leaves the others as they are; what it had measured stays.
The next section's process starts and imports while one measures. After each section, everything so
far is written to a file of `--output` that is named by the card and the time; what a section
prints is in a file beside it. Everything compared is measured side by side, by turns, after a
warm-up.

The seconds of each section, on an H100 with 16 cores, are in `SECTIONS`, the most important first:
by then it stops measuring by itself, and a while later it is ended. `--seconds study=600` gives one
more; `--most-seconds` is for all together: sections that come too late are left out. The factor
study, which has to come to its end to be compared, and the loader are for the second call.
"""

import argparse
import json
import multiprocessing
import os
import platform
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from itertools import zip_longest
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from gpu_rows import SMOKE, Given, NotThere, table

from nextify.version import __version__

SPAWN = multiprocessing.get_context("spawn")
IMPORTS = 120.0  # seconds that a process may take to start
GRACE = 25.0  # seconds for a section to end that is over its time, if not half of its time is less


@dataclass(frozen=True)
class Section:
    """One part of the benchmark: a generator of rows, `function` of `module`.

    Attributes:
        seconds: that it takes on an H100 with 16 cores, as it was planned.
        images: whether it needs those of CIFAR-10, which are unpacked and decoded meanwhile.
        later: it is carried out only where it is asked for.
    """

    name: str
    seconds: float
    module: str
    function: str
    images: bool = True
    later: bool = False

    @property
    def grace(self) -> float:
        """Seconds after which it is ended that has not ended by itself."""
        return min(0.5 * self.seconds, GRACE)


SECTIONS = (
    Section("kernels", 50, "gpu_kernel_speed", "measure_speeds", images=False),
    Section("convnext", 115, "gpu_convnext", "measure_convnext", images=False),
    Section("step", 45, "gpu_training", "measure_steps"),
    Section("stack", 30, "gpu_training", "measure_stacks"),
    Section("seeds", 55, "gpu_study", "measure_seeds"),
    Section("tost", 55, "gpu_tost", "measure_equivalence"),
    Section("cifar", 85, "gpu_cifar", "measure_cifar"),
    Section("study", 240, "gpu_study", "measure_study", later=True),
    Section("loader", 35, "gpu_loader", "measure_loaders", images=False, later=True),
)
FIRST = [section.name for section in SECTIONS if not section.later]


def serve(connection: Connection, section: Section, log: Path) -> None:
    """A section's process: import, say what was imported, wait for the order, send rows."""
    multiprocessing.set_start_method(None, force=True)  # torch's loaders: as in a user's program
    os.setsid()  # so that it can be ended with all processes that it starts
    file = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    try:
        measure = getattr(import_module(section.module), section.function)
        connection.send(("ready", _versions()))
        given: Given = connection.recv()
        for each in measure(given):
            print(each, flush=True)
            connection.send(("row", each.as_dict()))
        connection.send(("end", ""))
    except (NotThere, ModuleNotFoundError) as error:
        connection.send(("end", f"not there: {error}"))
    except BaseException as error:
        text = traceback.format_exc()
        print(text, flush=True)
        lines = [line.strip() for line in text.strip().splitlines()[-6:]]
        connection.send(("end", f"failed: {type(error).__name__}: {' | '.join(lines)}"))


def _versions() -> dict[str, Any]:
    """Of what is installed; CUDA's of the torch that is imported."""
    found: dict[str, Any] = {"python": platform.python_version(), "nextify": __version__}
    for name in ("torch", "torchvision", "timm", "triton", "Pillow"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    if torch := sys.modules.get("torch"):
        found |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return found


@dataclass(frozen=True)
class Process:
    """A section's process, and the pipe to it."""

    section: Section
    process: BaseProcess
    connection: Connection

    @staticmethod
    def of(section: Section, logs: Path) -> "Process":
        """Start it; it waits for its order."""
        ours, theirs = SPAWN.Pipe()
        log = logs / f"{section.name}.log"
        process = SPAWN.Process(target=serve, args=(theirs, section, log), daemon=False)
        process.start()
        theirs.close()
        return Process(section, process, ours)

    def carry_out(self, given: Given) -> dict[str, Any]:
        """Its rows, how long it took, and what went wrong."""
        rows: list[dict[str, Any]] = []
        found: dict[str, Any] = {"rows": rows, "about": {}}
        kind, value = self._next(IMPORTS)
        if kind == "ready":
            found["about"] = value
            self.connection.send(given)
            while True:
                kind, value = self._next(given.left + self.section.grace)
                if kind != "row":
                    break
                rows.append(value)
        self.end()
        return {**found, "problem": value}

    def _next(self, seconds: float) -> tuple[str, Any]:
        try:
            if self.connection.poll(max(0.0, seconds)):
                message: tuple[str, Any] = self.connection.recv()
                return message
            return "end", "ended: it took too long"
        except (EOFError, OSError):
            self.process.join(5.0)
            return "end", f"its process died (exit code {self.process.exitcode})"

    def end(self) -> None:
        """With all processes that it started."""
        with suppress(ProcessLookupError):  # a process that has not begun is in no group of its own
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.kill()
        self.process.join()
        self.connection.close()


def run(
    chosen: list[Section], given: Given, images: Future[Path | None], kept: "Kept", most: float
) -> None:
    """Carry out sections, one after another."""
    last = time.monotonic() + most
    following = Process.of(chosen[0], kept.logs)
    for section, after in zip_longest(chosen, chosen[1:]):
        folder = images.result() if section.images else None
        now, began = following, time.monotonic()
        if after is not None:
            following = Process.of(after, kept.logs)
        until = min(began + (SMOKE if given.smoke else section.seconds), last)
        if until - began < section.seconds / 2 and not given.smoke:
            now.end()
            found = {"rows": [], "about": {}, "problem": "left out: no time is left"}
        else:
            found = now.carry_out(replace(given, folder=folder, until=until))
        kept.add(section, found, time.monotonic() - began)


@dataclass
class Kept:
    """The results so far, and the file that they are in."""

    file: Path
    values: dict[str, Any]

    @property
    def logs(self) -> Path:
        """The folder of what sections print."""
        return self.file.with_suffix("")

    def add(self, section: Section, found: dict[str, Any], seconds: float) -> None:
        """Take in a section's result, and write all."""
        about, problem = found.pop("about"), found["problem"]
        said = f"{seconds:.0f} s of {section.seconds:.0f}" + f"; {problem}" * bool(problem)
        self.values["versions"] |= about
        self.values["sections"][section.name] = {**found, "seconds": seconds, "said": said}
        self.file.write_text(json.dumps(self.values, indent=1) + "\n")
        print(f"{section.name}: {said}", flush=True)


def card() -> dict[str, str]:
    """The first GPU, as its driver tells it."""
    asked = "name,driver_version,memory.total"
    line = ["nvidia-smi", f"--query-gpu={asked}", "--format=csv,noheader"]
    try:
        told = subprocess.run(line, capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return {}
    values = [value.strip() for value in told.splitlines()[0].split(",")]
    return dict(zip(("card", "driver", "memory"), values, strict=True))


def unpacked(data: Path | None, scratch: Path) -> Path | None:
    """The folder of images, decoded once into nextify's cache; of an archive, unpacked."""
    if data is None:
        return None
    if not data.is_dir():
        with tarfile.open(data) as archive:
            archive.extractall(scratch / "unpacked", filter="data")
        data = next(path.parent for path in sorted((scratch / "unpacked").rglob("train")))
    code = f"from nextify.data import load; load({str(data)!r}, image_size=32)"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=sys.stderr)
    return data


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    names = [section.name for section in SECTIONS]
    parser.add_argument("--data", type=Path, help="folder of CIFAR-10 (JPEG), or an archive of one")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/gpu"), metavar="DIR")
    parser.add_argument("--only", metavar="NAME,...", help="by default " + ", ".join(FIRST))
    parser.add_argument("--seconds", nargs="*", default=[], metavar="NAME=SECONDS")
    parser.add_argument("--most-seconds", type=float, default=450.0)
    parser.add_argument("--smoke", action="store_true", help="toy sizes, on a CPU")
    chosen = parser.parse_args()
    chosen.only = chosen.only or ",".join(names if chosen.smoke else FIRST)
    if unknown := set(chosen.only.split(",")) - set(names):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if chosen.data is None and not chosen.smoke:
        parser.error("give --data, a folder of CIFAR-10 (JPEG) or an archive of one, or --smoke")
    return chosen


def main() -> int:
    """Print the table and the JSON line; 1 if a section failed."""
    chosen = options()
    longer = dict(one.split("=") for one in chosen.seconds)
    sections = [
        replace(one, seconds=float(longer.get(one.name, one.seconds)))
        for one in SECTIONS
        if one.name in chosen.only.split(",")
    ]
    if chosen.smoke:
        os.environ["TORCH_COMPILE_DISABLE"] = "1"  # it takes a minute and needs a compiler
    began = datetime.now(UTC)
    about = {"date": began.isoformat(timespec="seconds"), **card(), "cores": os.cpu_count()}
    name = about.get("card", "cpu").replace(" ", "-").lower()
    file = chosen.output / f"{name}-{began:%Y%m%d-%H%M%S}.json"
    kept = Kept(file, {**about, "smoke": chosen.smoke, "versions": {}, "sections": {}})
    kept.logs.mkdir(parents=True, exist_ok=True)
    device = "cuda" if "card" in about and not chosen.smoke else "cpu"
    with tempfile.TemporaryDirectory(prefix="gpu-") as name, ThreadPoolExecutor(1) as beside:
        os.environ.setdefault("NEXTIFY_CACHE", str(Path(name, "cache")))
        given = Given(device=device, smoke=chosen.smoke, folder=None, output=kept.logs,
                      scratch=Path(name))  # fmt: skip
        images = beside.submit(unpacked, chosen.data, given.scratch)
        run(sections, given, images, kept, 3600.0 if chosen.smoke else chosen.most_seconds)
    print(table(kept.values["sections"]))
    print(json.dumps(kept.values))
    found = kept.values["sections"].values()
    return int(any("failed" in each["said"] or "died" in each["said"] for each in found))


if __name__ == "__main__":
    raise SystemExit(main())
