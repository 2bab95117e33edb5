"""A training and a choice may be killed at any moment: the same command goes on, to the same bits.

Moments are drawn: the so-many-th time that a file of the answer is opened, brought to the disk,
moved or removed, or some time after the start.
"""

import csv
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from safetensors import safe_open

from living import running

from . import struck
from .conftest import PATIENCE, make_images

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")

OURS = "ours"  # the folder of the answer
TRAIN = ("train", "convnext-mini", "stem_stride=1", "batch_size=8", "epochs=3", "--recipe",
         "modern-small", "--threads", "1")  # fmt: skip
CHOOSE = ("choose", "--params", "100k", "epochs=5", "batch_size=8", "stem_stride=4",
          "warmup_epochs=0", "learning_rate=0.003", "--factors", "depthwise conv, BN to LN",
          "--seeds", "1", "--finalists", "1", "--reshaped", "0", "--final-seeds", "1",
          "--workers", "1", "--no-pilot")  # fmt: skip
VARIES = re.compile("seconds|environment|measured")
LAST = 25  # times that files are touched when all is trained
WAYS = {signal.SIGKILL: -9, signal.SIGTERM: -15, signal.SIGINT: 130}  # with their exit codes


class Struck:
    """Commands, one after the other."""

    def __init__(self, images: Path) -> None:
        self.more = ("--data", str(images), "--image-size", "16", "--output", OURS)
        self.number = 0
        self.launcher = subprocess.Popen(
            [sys.executable, struck.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    def tell(self, line: str = "") -> None:
        print(line, file=self.launcher.stdin, flush=True)

    def start(self, command: Sequence[str], where: Path, sent: int = 0, moment: int = 0) -> int:
        where.mkdir(exist_ok=True)
        asked = {"arguments": [*command, *self.more], "where": str(where), "folder": OURS}
        self.tell(json.dumps({**asked, "sent": sent, "moment": moment}))
        self.number = int(self.launcher.stdout.readline())
        assert self.number > 1, "no process, and no signal for it"
        return self.number

    def ended(self) -> int:
        """The exit code of the command, when nothing of it is left."""
        code, deadline = int(self.launcher.stdout.readline()), time.monotonic() + PATIENCE
        while running(self.number):
            assert time.monotonic() < deadline, "it left processes behind"
            time.sleep(0.005)
        self.tell()
        return code

    def finish(self, command: Sequence[str], where: Path) -> None:
        self.start(command, where)
        assert self.ended() == 0, (where / struck.LOG).read_text()

    def close(self) -> None:
        for process in running(self.number):
            os.kill(process, signal.SIGKILL)
        with self.launcher as process:
            process.kill()


@pytest.fixture
def commands(own_folder: Path) -> Iterator[Struck]:
    commands = Struck(
        make_images(own_folder / "pets", {"cat": 20, "dog": 20}, side=16, learnable=True)
    )
    yield commands
    commands.close()


def rows(study: Path) -> dict[str, Any]:
    """What a study file holds, by key; nothing, where it was killed while it was made."""
    try:
        with sqlite3.connect(study) as connection:
            connection.row_factory = sqlite3.Row
            found = {row["key"]: dict(row) for row in connection.execute("SELECT * FROM runs")}
    except sqlite3.OperationalError:
        return {}
    finally:
        connection.close()
    return found


def kept(where: Path) -> dict[str, Any]:
    """What is done and must neither get lost nor be done again."""
    found: dict[str, Any] = {}
    for study in sorted((where / OURS).glob("*.study")):
        found.update(rows(study))
    for name in ("record.json", "winner.json"):
        if (file := where / OURS / name).exists():
            found[name] = file.read_bytes()
            assert (where / OURS / "network.safetensors").exists()
    return found


def epochs(where: Path) -> float:
    """How far the training is."""
    if {"record.json", "winner.json"} & kept(where).keys():
        return float("inf")
    file = where / OURS / "checkpoint.pt"
    return torch.load(file, weights_only=True)["counters"]["epoch"] if file.exists() else 0.0


def answer(where: Path) -> dict[str, Any]:
    """All files, without what differs from time to time."""
    ours = where / OURS
    files = (file for file in ours.rglob("*") if file.is_file())
    return {str(file.relative_to(ours)): determined(file) for file in files}


def determined(file: Path) -> Any:
    match file.suffix:
        case ".json":
            return timeless(json.loads(file.read_text()))
        case ".study":
            names = ("outcome", "run", "result", "correct", "curve", "message")
            return {key: [row[name] for name in names] for key, row in rows(file).items()}
        case ".html":
            return "a page, which tells the time"
        case ".csv":
            with file.open(newline="") as lines:
                return timeless(list(csv.DictReader(lines)))
        case ".safetensors":  # whose bytes are in another order every time
            with safe_open(file, "pt") as weights:
                named = {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118
                tensors = {name: tensor.numpy().tobytes() for name, tensor in named.items()}
                return {"about": json.loads(weights.metadata()["card"]), **tensors}
    return file.read_bytes()


def timeless(values: Any) -> Any:
    if isinstance(values, list):
        return [timeless(value) for value in values]
    if isinstance(values, dict):
        fixed = {name: value for name, value in values.items() if not VARIES.search(name)}
        return {name: timeless(value) for name, value in fixed.items()}
    return values


def strike(
    commands: Struck, command: Sequence[str], where: Path, sent: int, whole: Path, random: Random
) -> bool:
    """Strike it at a random moment of its life; whether it lived so long."""
    before, reached = kept(where), epochs(where)
    touched, seconds = map(float, (whole / struck.TOUCHED).read_text().split())
    earliest = random.choice((1, max(1, int(touched) - LAST)))  # most is written at the end
    by_time, moment = random.random() < 0.25, random.randint(earliest, int(touched))
    process = commands.start(command, where, sent, 0 if by_time else moment)
    if by_time:
        time.sleep(random.uniform(0.0, seconds))
        (os.killpg if sent == signal.SIGINT else os.kill)(process, sent)
    said = commands.ended()
    assert said in (WAYS[sent], 0), (where / struck.LOG).read_text()
    assert before.items() <= kept(where).items() and reached <= epochs(where), "lost"
    return said != 0


def endure(commands: Struck, command: Sequence[str], kills: int, random: Random) -> None:
    """One answer after another, each struck until it is there, and compared with a whole one."""
    whole = Path("whole").absolute()
    commands.finish(command, whole)
    left = list(islice(cycle(WAYS), kills))
    while left:
        where = Path(f"{len(left)}").absolute()
        while left and strike(commands, command, where, left[-1], whole, random):
            left.pop()
        commands.finish(command, where)
        assert answer(where) == answer(whole)
        runs = re.findall(r"] finished  (.*, seed \d+): ", (where / struck.LOG).read_text())
        assert not runs or max(Counter(runs).values()) == 1, "trained twice"


@pytest.mark.parametrize(
    "command", [TRAIN, pytest.param(CHOOSE, marks=pytest.mark.slow)], ids=["train", "choose"]
)
def test_a_few_kills_at_random_moments(commands, command):
    endure(commands, command, 3, Random(0))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", [TRAIN, CHOOSE], ids=["train", "choose"])
def test_many_kills_at_random_moments(commands, command):
    endure(commands, command, 20, Random(1))
