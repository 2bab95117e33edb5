"""Runs on several processes, forked from one that has imported torch: that takes seconds each.

    python tests/training/launched.py FOLDER WHAT

carries out what a function here of that name says, into a folder: what came of each run, and what
each process saw, step by step.
"""

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random

import torch
from torch import Tensor

import nextify.cli.training  # noqa: F401, which the command would import in every process
from nextify.cli.main import main
from nextify.data import Dataset
from nextify.designs import Run, design
from nextify.errors import InputError
from nextify.machine import facts
from nextify.training import Settings, loop, train_in_folder, train_with_network
from nextify.training.world import together
from training.conftest import SMALL, corner_images, make_images, small_recipe

EVERYTHING = {"mixup": 0.8, "cutmix": 1.0, "randaugment": 9, "random_erasing": 0.5,
              "label_smoothing": 0.1, "stochastic_depth": 0.3, "ema_decay": 0.99,
              "gradient_clip": 0.5, "epochs": 7}  # fmt: skip
RUNS = {
    "layer": ("convnext-mini", {**EVERYTHING, "learning_rate": 1e-3, "layer_decay": 0.8}),
    "batch": ("resnet-small", {**EVERYTHING, "learning_rate": 1e-3, "batch_size": 30}),
    "parts": (
        "resnet-small",
        {**EVERYTHING, "learning_rate": 1e-3, "accumulate": 2, "patience": 1},
    ),
}
EVERY = 3  # steps between two checkpoints


def prepared(name: str) -> tuple[Run, Dataset]:
    chosen, changes = RUNS[name]
    images = corner_images()
    if "patience" in changes:
        images = replace(images, validation=make_images(16, 2))
    # Where a ReLU is at zero, as in flat parts of images, a bit decides on its gradient.
    like = {**SMALL, "activation": "gelu"}
    how = small_recipe(**changes)
    return Run(design=design(chosen, **like), recipe=how, data=images.identity()), images


def forked(size: int, work: Callable[[], int | None], output: Path) -> list[int]:
    """Exit codes of so many processes that do the same; of fewer than two, without torchrun's
    variables. What they say goes into a file each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = []
    for rank in range(size):
        here = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size,
                "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}  # fmt: skip
        found.append(begun(work, output / f"said-{rank}", here if size > 1 else {}))
    return ended(found)


def begun(work: Callable[[], int | None], said: Path, here: Mapping[str, object]) -> int:
    """The number of a process that does something, with these variables."""
    if process := os.fork():
        return process
    os.environ.update({name: str(value) for name, value in here.items()})
    file = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    code = 1
    try:
        code = work() or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def ended(processes: Iterable[int]) -> list[int]:
    return [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]


def trained(name: str, folder: Path, kill_at: int | None = None) -> int:
    """A run in a folder; killed after a step."""
    run, dataset = prepared(name)

    def stop(step: int, steps: int) -> None:
        if step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    with together("cpu") as world:
        part = world.part(run.recipe.batch_size, run.recipe.accumulate).tolist()
        log = folder / f"seen-{world.rank.number}-of-{world.size}"
        usual, loop.step_of = (
            loop.step_of,
            lambda *given: Logged(usual(*given), given[0], log, part),
        )
        every = None if kill_at is None else EVERY
        train_in_folder(run, dataset, folder, device="cpu", checkpoint_steps=every, on_step=stop,
                        world=world)  # fmt: skip
    return 0


class Logged:
    """A step that keeps what it was given: of each place in the batch a digest."""

    def __init__(self, step: loop.Step, state: loop.State, log: Path, part: list[int]) -> None:
        self.step, self.state, self.log, self.part = step, state, log, part

    def __call__(self, images: Tensor, targets: Tensor) -> Tensor:
        loss = self.step(images, targets)
        pairs = zip(images.contiguous(), targets, strict=True)
        seen = [sha256(a.numpy().tobytes() + b.numpy().tobytes()).hexdigest()[:16]
                for a, b in pairs]  # fmt: skip
        with self.log.open("a") as file:
            line = [self.state.step, loss.item(), dict(zip(self.part, seen, strict=True))]
            print(json.dumps(line), file=file)
        return loss


def carry_out(name: str, folder: Path, *legs: tuple[int, int | None]) -> None:
    """A run in a folder: legs by so many processes, killed after a step or not."""
    folder.mkdir(parents=True)
    for size, kill_at in legs:
        codes = forked(size, lambda at=kill_at: trained(name, folder, at), folder)
        expected = 0 if kill_at is None else -signal.SIGKILL
        assert codes == [expected] * size, (folder, codes, kill_at)


def ordinary(folder: Path) -> None:
    """Whole runs, some that were killed, and what is refused: side by side, since processes wait
    for one another."""
    kills = sorted(Random(1).sample(range(1, 56), 3))
    runs = {
        "layer": {"1": [(1, None)], "2": [(2, None)], "4": [(4, None)],
                  "2-killed": [*((2, at) for at in kills), (2, None)]},
        "batch": {"1": [(1, None)], "2": [(2, None)], "4-2-1": [(4, 18), (2, 37), (1, None)]},
        "parts": {"1": [(1, None)], "2": [(2, None)]},
    }  # fmt: skip
    folder.mkdir()

    def all_of(name: str) -> None:
        for which, legs in runs[name].items():
            carry_out(name, folder / f"{name}-{which}", *legs)

    works = {name: partial(all_of, name) for name in runs} | {"refused": partial(refused, folder)}
    codes = ended([begun(work, folder / f"said-{name}", {}) for name, work in works.items()])
    assert not any(codes), [(folder / f"said-{name}").read_text() for name in works]


def slow(folder: Path) -> None:
    """Runs that were killed at ten random steps."""
    for name, size in (("layer", 1), ("layer", 2), ("layer", 4), ("batch", 1), ("batch", 4)):
        carry_out(name, folder / f"{name}-{size}", (size, None))
        kills = sorted(Random(size).sample(range(1, 56), 10))
        legs = [(size, at) for at in kills]
        carry_out(name, folder / f"{name}-{size}-killed", *legs, (size, None))


def refused(folder: Path) -> None:
    """Commands that end with one line each: exit codes, and what each process said."""
    found = {}
    for name in REFUSED:
        output = folder / name
        output.mkdir()
        codes = forked(2, partial(_refused, name), output)
        found[name] = [codes, [(output / f"said-{rank}").read_text() for rank in (0, 1)]]
    (folder / "refused.json").write_text(json.dumps(found))


TRAIN = ["train", "convnext-mini", "--recipe", "modern-small", "--train-limit", "64",
         "--output", os.devnull]  # fmt: skip
REFUSED = {
    "unknown": [["train", "convnext-min"]] * 2,
    "study": [["study", "small"]] * 2,
    "device": [[*TRAIN, "--device", "cuda:1"]] * 2,
    "images": [[*TRAIN, "batch_size=32"], [*TRAIN[:-3], "32", "--output", "here", "batch_size=32"]],
    "recipe": [[*TRAIN, "batch_size=32"], [*TRAIN, "batch_size=16"]],
    "version": [[*TRAIN, "batch_size=32"]] * 2,
    "batch": [[*TRAIN, "batch_size=3"]] * 2,
    "folder": [[*TRAIN, "batch_size=32"]] * 2,
    "one": [TRAIN, [*TRAIN, "--data", "/nowhere"]],
    "port": [TRAIN] * 2,
    "death": [],
    "own": [],
}


def _refused(name: str) -> int:
    rank = int(os.environ["RANK"])
    if name == "version" and rank == 1:
        facts.__version__ = "0.0.1"
    if name == "port":
        if rank == 1:
            return 2
        taken = socket.create_server(("127.0.0.1", 0))
        os.environ["MASTER_PORT"] = str(taken.getsockname()[1])
    if name not in ("death", "own"):
        return main(REFUSED[name][rank])
    return _ended(name, rank)


def _ended(name: str, rank: int) -> int:
    """One of two processes ends in the middle of a run."""

    def end(step: int, steps: int) -> None:
        if step == 5 and rank == 1:
            if name == "own":
                raise InputError("image 5 is damaged")
            os.kill(os.getpid(), signal.SIGKILL)

    run, dataset = prepared("batch")
    try:
        with together("cpu") as world:
            settings = Settings(on_step=end, world=world)
            train_with_network(replace(run, processes=2), dataset, settings)
    except InputError as error:
        if rank == 0:
            print(f"nextify: {error}")
        return 2
    return 0


def torchrun(folder: Path) -> None:
    """What torchrun starts: a run that dies once, with the folder's name in it."""
    first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
    name = "layer" if "layer" in folder.name else "batch"
    folder.mkdir(parents=True, exist_ok=True)
    trained(name, folder, 23 if first and "restarted" in folder.name else None)


if __name__ == "__main__":
    torch.set_num_threads(1)
    work = {"ordinary": ordinary, "slow": slow, "torchrun": torchrun}[sys.argv[2]]
    work(Path(sys.argv[1]))
