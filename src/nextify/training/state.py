"""Everything that changes while a run trains, and its way to disk and back."""

import hashlib
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from nextify.data import Dataset
from nextify.designs import Recipe, Run
from nextify.designs.run import content_key, last_stages, require_batch
from nextify.errors import InputError, is_of_gpu, is_out_of_memory
from nextify.files import write_whole
from nextify.network import Network, build, initialise
from nextify.records import EpochPoint
from nextify.training.ema import EpochAverage, WeightAverage, effective_decay
from nextify.training.initial import InitialWeights, put_into
from nextify.training.optimizer import make_optimizer
from nextify.training.world import ALONE, World

FORMAT = 1
WITHIN = 2  # of checkpoints within an epoch, which versions from before these cannot go on from


def generator_for(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own for each purpose, derived from the run's seed, so that a change of
    one (say, more augmentation) leaves the draws of the others as they were."""
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "big"))


@dataclass
class State:
    """What changes while a run trains. `epoch` and `step` count what is done.

    Attributes:
        average, of_epochs: of the weights, over steps or the last epochs; at most one is there.
        losses: of the steps of an epoch that has begun. drawn_from: the states that generators had
            when it began: of those that feed the steps, some of which may be ahead of them.
        processes: that carried it out, one number after another. since: when `seconds` was
            counted, by this process's clock.
    """

    network: Network
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    generators: dict[str, torch.Generator]
    steps_per_epoch: int
    epoch: int = 0
    step: int = 0
    curve: list[EpochPoint] = field(default_factory=list)
    best_accuracy: float = -1.0
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    of_epochs: EpochAverage | None = None
    losses: list[Tensor] = field(default_factory=list)
    drawn_from: dict[str, Tensor] = field(default_factory=dict)
    processes: list[int] = field(default_factory=lambda: [1])
    since: float = 0.0

    @property
    def averaged(self) -> Network | None:
        """The average of the weights, if there is one."""
        average = self.average or self.of_epochs
        return None if average is None else average.network  # type: ignore[return-value]

    @property
    def judged(self) -> Network:
        """The network that is evaluated and kept: the average where there is one."""
        return self.network if self.averaged is None else self.averaged

    @property
    def tensors(self) -> list[Tensor]:
        """All weights and statistics."""
        networks = (self.network, self.judged)
        return [entry for each in networks for entry in (*each.parameters(), *each.buffers())]

    def begin_epoch(self) -> int:
        """Begin an epoch, or go on with it; how many of its steps are done."""
        if not self.losses:
            fed = (name for name in self.generators if name != "drop")  # which steps draw from
            self.drawn_from = {name: self.generators[name].get_state() for name in fed}
        self.since = time.perf_counter()
        return len(self.losses)

    def count_seconds(self) -> None:
        """Count the time of training since this was called, or the epoch began."""
        now = time.perf_counter()
        self.seconds += now - self.since
        self.since = now

    def end_epoch(self) -> None:
        """An epoch more is done."""
        self.epoch += 1
        self.losses, self.drawn_from = [], {}


def start(
    run: Run, dataset: Dataset, device: torch.device | str, initial: InitialWeights | None = None
) -> State:
    """The state before the first step.

    Args:
        initial: the weights that the run names, if it starts from any.

    Raises:
        InputError: if a batch is larger than the training set, or the weights are not the run's.
    """
    recipe = run.recipe
    network = fresh_network(run, dataset, device, initial)
    steps_per_epoch = len(dataset.train) // recipe.batch_size
    generators = fresh_generators(run, device)
    average = average_of(network, recipe, steps_per_epoch)
    first = recipe.epochs - recipe.average_epochs + 1
    of_epochs = EpochAverage(network, first) if recipe.average_epochs > 0 else None
    network.use_generator(generators["drop"])
    optimizer = make_optimizer(network, recipe)
    return State(network, optimizer, average, generators, steps_per_epoch, of_epochs=of_epochs)


def fresh_network(
    run: Run, dataset: Dataset, device: torch.device | str, initial: InitialWeights | None = None
) -> Network:
    """The network of `start`, with its initial weights."""
    recipe = run.recipe
    require_batch(recipe, len(dataset.train))
    classes, size = len(dataset.classes), dataset.image_size
    dropped = recipe.stochastic_depth
    network = build(
        run.design, classes, image_size=size, stochastic_depth=dropped, device="meta"
    ).float()  # whatever is set around it
    network = network.to_empty(device="cpu").to(memory_format=torch.channels_last)
    weights = generator_for(run.seed, "weights")
    scheme = "trunc_normal" if recipe.weight_init == "pretrained" else recipe.weight_init
    initialise(network, scheme, weights, recipe.head_init_scale)
    put_into(network, initial, run)
    return trainable(network.to(device), recipe)


def fresh_generators(run: Run, device: torch.device | str) -> dict[str, torch.Generator]:
    """A run's generators, by purpose, before the first step."""
    generators = {name: generator_for(run.seed, name) for name in ("order", "augment", "mix")}
    return generators | {"drop": generator_for(run.seed, "drop", device)}


def average_of(network: Network, recipe: Recipe, steps_per_epoch: int) -> WeightAverage | None:
    """The moving average of a network's weights that a recipe asks for."""
    if recipe.ema_decay == 0:
        return None
    decay = effective_decay(recipe.ema_decay, recipe.epochs * steps_per_epoch)
    return WeightAverage(network, decay)


def trainable(network: Network, recipe: Recipe) -> Network:
    """The network in training mode; frozen parts without gradients and in evaluation mode, so
    that their batch norms keep their statistics and none of their blocks is dropped."""
    network.train()
    if (last := last_stages(recipe)) is not None:
        stages = list(network.stages.children())
        frozen = stages[: len(stages) - last] if last else [network.stages]
        for part in (network.stem, *frozen):
            part.eval().requires_grad_(False)
    return network


def save(state: State, run: Run, path: Path) -> None:
    """Write a checkpoint from which `restore` goes on bit for bit. Atomic: a kill at any moment
    leaves the old checkpoint or the new one."""
    values = {
        "format": WITHIN if state.losses else FORMAT,
        "run": run.key,
        "content": content_key(run.as_dict()),
        "network": state.network.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "average": None if state.averaged is None else state.averaged.state_dict(),
        "generators": {name: g.get_state() for name, g in state.generators.items()}
        | state.drawn_from,
        "losses": torch.stack(state.losses) if state.losses else None,
        "processes": state.processes,
        "curve": [asdict(point) for point in state.curve],
        "counters": {name: getattr(state, name) for name in _COUNTERS},
    }
    remedy = "free space there or choose another folder with --output"
    write_whole(path, lambda file: _dump(values, file), what="checkpoint", remedy=remedy)


class Unreadable(InputError):
    """A checkpoint that is damaged, or another version's."""


class _Summed:
    """A file that is written, with the SHA-256 of what was."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.sum = hashlib.sha256()

    def write(self, content: bytes) -> int:
        self.sum.update(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()


# Behind what torch writes and checks no sum of: this and 64 hexadecimal digits.
_MARK = b"\nsha256 "


def _dump(values: dict[str, Any], file: BinaryIO) -> None:
    summed = _Summed(file)
    try:
        torch.save(values, summed)  # type: ignore[arg-type]
        file.write(_MARK + summed.sum.hexdigest().encode())
    except RuntimeError as error:  # torch's own, on top of a full disk's and of an interrupt
        if isinstance(error.__context__, OSError | KeyboardInterrupt):
            raise error.__context__ from None
        raise


_COUNTERS = ("epoch", "step", "best_accuracy", "seconds", "evaluation_seconds")


def restore(state: State, run: Run, path: Path, world: World = ALONE) -> None:
    """Set a fresh state to that of a checkpoint, which the first of several processes reads.

    Raises:
        Unreadable: if the file is no checkpoint, or is damaged. InputError: if it is another run's,
            one begun on another kind of device, or cannot be read now.
    """
    values = world.by_first(lambda: _kept(run, path))
    if values is None:
        return
    try:
        _fill(state, values)
    except _OtherDevice as error:
        raise InputError(
            f"checkpoint {path} was begun on a {error}; go on there, or choose another folder "
            "with --output"
        ) from None
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if is_of_gpu(error) or is_out_of_memory(error):
            raise
        raise _unreadable(path, f"is damaged ({type(error).__name__})") from error


def _kept(run: Run, path: Path) -> dict[str, Any] | None:
    """What a checkpoint of a run holds; None if there is none."""
    if not path.exists():
        return None
    values = _read(path)
    if run.key != values.get("run") and content_key(run.as_dict()) != values.get("content"):
        raise InputError(
            f"checkpoint {path} belongs to another run (other design, recipe, weights, data, "
            "precision or seed); use the same arguments, or another folder with --output"
        )
    return values


class _OtherDevice(Exception):
    """Generators of the processor and of a GPU draw otherwise, and cannot go on from each other."""


_OF_A_GPU = 16  # bytes of a generator's state


def _fill(state: State, values: dict[str, Any]) -> None:
    begun, here = (
        len(drop) == _OF_A_GPU
        for drop in (values["generators"]["drop"], state.generators["drop"].get_state())
    )
    if begun != here:
        raise _OtherDevice("GPU" if begun else "CPU")
    state.network.load_state_dict(values["network"])
    state.optimizer.load_state_dict(values["optimizer"])
    for group in state.optimizer.param_groups:
        group.setdefault("lr_scale", 1.0)  # in checkpoints from before there were others
    if state.averaged is not None:
        state.averaged.load_state_dict(values["average"])
    for name, generator in state.generators.items():
        generator.set_state(values["generators"][name])
    state.curve = [EpochPoint(**point) for point in values["curve"]]
    for name in _COUNTERS:
        setattr(state, name, values["counters"][name])
    if (losses := values.get("losses")) is not None:
        state.losses = list(losses.to(next(state.network.parameters()).device))
        state.drawn_from = {n: kept for n, kept in values["generators"].items() if n != "drop"}
    before = values.get("processes", [1])
    state.processes = before if before[-1:] == state.processes else before + state.processes


def _read(path: Path) -> dict[str, Any]:
    try:
        _require_sum(path)
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Unreadable:
        raise
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError(
            f"checkpoint {path} cannot be read ({why}); mend that, or delete it to start again"
        ) from error
    except Exception as error:  # torch raises many kinds for damaged files
        if is_out_of_memory(error):
            raise
        raise _unreadable(path, f"cannot be read ({type(error).__name__})") from error
    if not isinstance(values, dict) or values.get("format") not in (FORMAT, WITHIN):
        raise _unreadable(path, "is none of this version")
    return values


def _unreadable(path: Path, why: str) -> Unreadable:
    return Unreadable(f"checkpoint {path} {why}; delete it to start again")


def _require_sum(path: Path) -> None:
    """Check that a checkpoint is as it was written; those from before sums were kept pass."""
    length = path.stat().st_size - len(_MARK) - 64
    with path.open("rb") as file:
        file.seek(max(length, 0))
        mark, told = file.read(len(_MARK)), file.read()
        if mark != _MARK:
            return
        file.seek(0)
        found = hashlib.sha256()
        while length > 0 and (part := file.read(min(length, 1 << 20))):
            found.update(part)
            length -= len(part)
    if found.hexdigest().encode() != told:
        raise _unreadable(path, "is damaged")
