"""`nextify choose` beside timm and Optuna: the same images, budget and processor time.

    python benchmarks/choose.py --data FOLDER --params 400k --macs 5M --image-size 64 --within 10min

Each repeat draws training images of FOLDER anew (`--images` of them, `--unequal` times as many of
the largest class as of the smallest), and gives both sides the same. nextify goes first; the
processor time that it took in all is what `choose_peer.py` gets. Both end with one network,
trained on all images that they were given, and it is scored once, on test images that neither side
has seen, with as unequal classes. What each side said of its accuracy beforehand is beside it:
nextify's accuracy to expect with its interval, and the accuracy on held-out images of the trial
that Optuna found best, with Wilson's. Prints a table, then one JSON line, which `--output` keeps;
the same command goes on from there.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import optuna
import timm
import torch
from rich.console import Console
from rich.table import Table

from nextify.findings.failures import wilson
from nextify.machine.facts import processor
from nextify.words import read_count

PEER = Path(__file__).with_name("choose_peer.py")


def drawn(source: Path, into: Path, seed: int, images: int | None, unequal: float) -> None:
    """Copy the images of one repeat: a number of them, or as many as there are, with unequal
    classes, whose numbers fall by a constant factor from the first class to the last; without
    number and factor nine tenths of every class."""
    draw = random.Random(seed)
    folders = sorted(path for path in source.iterdir() if path.is_dir())
    files = [sorted(folder.iterdir()) for folder in folders]
    steps = [unequal ** -(at / max(1, len(folders) - 1)) for at in range(len(folders))]
    if images is not None:
        counts = [images * step / sum(steps) for step in steps]
    elif unequal > 1:
        each = min(len(own) / step for own, step in zip(files, steps, strict=True))
        counts = [each * step for step in steps]
    else:
        counts = [0.9 * len(own) for own in files]
    for folder, own, count in zip(folders, files, counts, strict=True):
        (into / folder.name).mkdir(parents=True)
        for file in draw.sample(own, min(round(count), len(own))):
            shutil.copyfile(file, into / folder.name / file.name)


def run(*command: str) -> tuple[str, float, float]:
    """What a command prints, the seconds of its processes' work, and those on the clock."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    one = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=one)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, worked, time.monotonic() - began


def ours(given: argparse.Namespace, images: Path, test: Path, folder: Path) -> dict[str, Any]:
    nextify = (sys.executable, "-m", "nextify")
    budget = ("--params", given.params, "--macs", given.macs)
    text, worked, took = run(
        *nextify, "choose", "--data", str(images), *budget, "--image-size", str(given.image_size),
        "--within", given.within, "--output", str(folder), "--json",
    )  # fmt: skip
    choice = json.loads(text)["choice"]
    best = next(each for each in choice["finalists"] if each["name"] == choice["winner"])
    answer, _, _ = run(
        *nextify, "evaluate", str(folder), "--data", str(test), "--image-size",
        str(given.image_size), "--json",
    )  # fmt: skip
    expected = choice["expected"] or {"value": None, "interval": None}
    interval = expected["interval"] or {"low": None, "high": None}
    return {
        "network": best["name"], "params": best["params"], "macs": best["macs"],
        "accuracy": json.loads(answer)["accuracy"], "stated": expected["value"],
        **interval, "worked": worked, "took": took,
    }  # fmt: skip


def theirs(
    given: argparse.Namespace, images: Path, test: Path, folder: Path, seconds: float
) -> dict[str, Any]:
    text, worked, took = run(
        sys.executable, str(PEER), str(images), "--test", str(test), "--output", str(folder),
        "--params", str(read_count("params", given.params)),
        "--macs", str(read_count("macs", given.macs)), "--seconds", str(seconds),
    )  # fmt: skip
    found = json.loads(text.splitlines()[-1])
    interval = wilson(round(found["stated"] * found["held"]), found["held"])
    assert interval is not None  # a fifth of the images are held out
    settings = found.pop("settings")
    name = f"{settings['name']} at {settings['size']}"
    return {**found, "network": name, "low": interval.low, "high": interval.high,
            "settings": settings, "worked": worked, "took": took}  # fmt: skip


def shown(rounds: list[dict[str, Any]]) -> Table:
    table = Table("repeat", "side", "network", "params", "MACs", "test %", "stated %", "held",
                  "processor s")  # fmt: skip
    for at, each in enumerate(rounds):
        for side in ("nextify", "timm + Optuna"):
            of = each[side]
            stated = "-"
            if of["low"] is not None:
                between = f"({100 * of['low']:.1f} to {100 * of['high']:.1f})"
                stated = f"{100 * of['stated']:.1f} {between}"
            held = of["low"] is not None and of["low"] <= of["accuracy"] <= of["high"]
            table.add_row(str(at), side, of["network"], f"{of['params']:,}",
                          f"{of['macs'] / 1e6:.2f}M", f"{100 * of['accuracy']:.2f}", stated,
                          "yes" if held else "no", f"{of['worked']:.0f}")  # fmt: skip
    return table


class Kept:
    """What there is of the repeats, in `--output`, with which the same command goes on."""

    def __init__(self, given: argparse.Namespace) -> None:
        names = ("params", "macs", "image_size", "within", "images", "unequal")
        self.settings = {"data": given.data.name, **{name: getattr(given, name) for name in names}}
        self.file, self.rounds = given.output, []
        if self.file and self.file.exists():
            there = json.loads(self.file.read_text())
            if any(there[name] != value for name, value in self.settings.items()):
                raise SystemExit(f"{self.file} is of other settings; give another --output")
            self.rounds = there["rounds"]

    def add(self, done: dict[str, Any]) -> None:
        """Both sides of one repeat."""
        self.rounds.append({**done, "versions": {
            "torch": torch.__version__, "timm": timm.__version__, "optuna": optuna.__version__,
            "python": platform.python_version(), "processor": processor(),
        }})  # fmt: skip
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(self.result()) + "\n")

    def result(self) -> dict[str, Any]:
        """Everything, with the median gap in points."""
        ends = [(r["nextify"]["accuracy"], r["timm + Optuna"]["accuracy"]) for r in self.rounds]
        gap = statistics.median(100 * (mine - other) for mine, other in ends)
        return {**self.settings, "rounds": self.rounds, "gap": gap}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="a folder with train/ and test/")
    parser.add_argument("--params", default="400k")
    parser.add_argument("--macs", default="5M")
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--within", default="10min")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, help="to train on (default: nine tenths)")
    parser.add_argument("--unequal", type=float, default=1.0)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    kept = Kept(given)
    for seed in range(len(kept.rounds), given.repeats):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            drawn(given.data / "train", folder / "images", seed, given.images, given.unequal)
            test = given.data / "test"
            if given.unequal > 1:
                drawn(test, folder / "test", seed, None, given.unequal)
                test = folder / "test"
            mine = ours(given, folder / "images", test, folder / "ours")
            other = theirs(given, folder / "images", test, folder / "theirs", mine["worked"])
        kept.add({"nextify": mine, "timm + Optuna": other})
        Console(stderr=True, width=160).print(shown(kept.rounds))
    Console(width=160).print(shown(kept.rounds))
    print(json.dumps(kept.result()))


if __name__ == "__main__":
    main()
