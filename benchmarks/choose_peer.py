r"""What a practitioner writes with timm and Optuna: the best network for a folder within a budget.

    python benchmarks/choose_peer.py FOLDER --params 400000 --macs 5000000 --seconds 900 \
        --test TEST --output OUT

Optuna (TPE, median pruning) searches timm's networks that keep the budget, the image size that they
see, learning rate, weight decay, label smoothing and mixup; AdamW with warmup and cosine, crops and
flips. A fifth of FOLDER's images (one folder a class) judges the trials; the best settings are
trained again on all of them. Two processes share the trials, until the processor seconds that are
given are used up. The network goes to --output and is scored on TEST; a JSON line says what was
found.
"""

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import timm
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from sklearn.model_selection import train_test_split
from timm.data import Mixup
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

# timm's networks below a million parameters that train at such sizes without their weights.
NAMES = ("test_convnext", "test_convnext2", "test_convnext3", "test_resnet", "test_efficientnet",
         "test_efficientnet_ln", "test_vit", "test_vit2", "test_mambaout", "test_byobnet",
         "lcnet_035", "lcnet_050", "mobilenetv3_small_050", "mobilenetv4_conv_small_035",
         "tinynet_e", "mnasnet_small")  # fmt: skip
SIZES = (32, 48, 64, 96)
BATCH, WORKERS, EPOCHS, WARMUP = 64, 2, 50, 5
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Settings:
    """Of one training."""

    name: str
    size: int
    rate: float
    decay: float
    smoothing: float
    mixup: float


def network(name: str, size: int, classes: int) -> nn.Module:
    image = {"img_size": size} if "vit" in name else {}
    return timm.create_model(name, num_classes=classes, **image)


def costs(name: str, size: int, classes: int) -> tuple[int, int]:
    """Parameters and multiply-accumulates."""
    made = network(name, size, classes).eval()
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        made(torch.zeros(1, 3, size, size))
    return sum(p.numel() for p in made.parameters()), counted.get_total_flops() // 2


def possible(params: int, macs: int, classes: int) -> list[tuple[str, int]]:
    """Networks and sizes that keep the budget."""
    found = []
    for name in NAMES:
        for size in SIZES:
            try:
                own = costs(name, size, classes)
            except (AssertionError, RuntimeError, ValueError):  # it does not take images so small
                continue
            if own[0] <= params and own[1] <= macs:
                found.append((name, size))
    return found


@dataclass(frozen=True)
class Images:
    """Decoded once; a little larger than they are seen."""

    pixels: list[Tensor]
    labels: Tensor

    @classmethod
    def read(cls, folder: Path, size: int) -> "Images":
        side = round(size * 1.15)
        shape = v2.Compose([v2.PILToTensor(), v2.Resize(side, antialias=True), v2.CenterCrop(side)])
        found = ImageFolder(str(folder), transform=shape)
        pixels = [image for image, _ in found]
        return cls(pixels, torch.tensor(found.targets))

    def __getitem__(self, at: list[int]) -> "Images":
        return Images([self.pixels[i] for i in at], self.labels[at])


def train(
    of: Settings, images: Images, classes: int, seed: int, after: Callable[[int, nn.Module], None]
) -> nn.Module:
    """Train one network.

    Args:
        after: is called with the epoch's number and the network after each epoch.
    """
    torch.manual_seed(seed)
    made = network(of.name, of.size, classes).to(memory_format=torch.channels_last)
    optimiser = create_optimizer_v2(made, opt="adamw", lr=of.rate, weight_decay=of.decay)
    schedule = CosineLRScheduler(
        optimiser, EPOCHS, lr_min=1e-6, warmup_t=WARMUP, warmup_lr_init=1e-6
    )
    augment = v2.Compose([v2.RandomResizedCrop(of.size, (0.35, 1.0), antialias=True),
                          v2.RandomHorizontalFlip()])  # fmt: skip
    ready = v2.Compose([v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    mix = None
    if of.mixup:
        mix = Mixup(mixup_alpha=of.mixup, label_smoothing=of.smoothing, num_classes=classes)
    criterion = (
        SoftTargetCrossEntropy() if mix else nn.CrossEntropyLoss(None, label_smoothing=of.smoothing)
    )
    for epoch in range(EPOCHS):
        made.train()
        schedule.step(epoch)
        order = torch.randperm(len(images.labels))
        for at in order.split(BATCH):
            if len(at) % 2:
                at = at[:-1]  # mixup pairs them
            if not len(at):
                continue
            batch = ready(torch.stack([augment(images.pixels[i]) for i in at.tolist()]))
            target = images.labels[at]
            if mix:
                batch, target = mix(batch, target)
            loss = criterion(made(batch.contiguous(memory_format=torch.channels_last)), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        after(epoch, made)
    return made


@torch.no_grad()
def right(made: nn.Module, images: Images, size: int) -> Tensor:
    """Which images are answered rightly."""
    side = round(size * 1.15)
    shape = [v2.CenterCrop(side), v2.Resize(size, antialias=True)]
    ready = v2.Compose([*shape, v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)])
    made.eval()
    answers = [
        made(ready(torch.stack(part))).argmax(1)
        for part in (images.pixels[i : i + 256] for i in range(0, len(images.labels), 256))
    ]
    return torch.cat(answers) == images.labels


class _Over(Exception):
    """The time is used up."""


def search(
    folder: Path, journal: Path, pairs: list[tuple[str, int]], seconds: float, worker: int
) -> None:
    """One process's part of the search: so many seconds of its own, with what its longest trial
    takes kept back for the training at the end."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    classes = len(ImageFolder(str(folder)).classes)
    read: dict[int, Images] = {}
    longest = 0.0

    def objective(trial: optuna.Trial) -> float:
        nonlocal longest
        name, size = pairs[trial.suggest_categorical("network", list(range(len(pairs))))]
        of = Settings(
            name=name, size=size,
            rate=trial.suggest_float("rate", 3e-4, 1e-2, log=True),
            decay=trial.suggest_float("decay", 1e-3, 0.2, log=True),
            smoothing=trial.suggest_categorical("smoothing", [0.0, 0.1]),
            mixup=trial.suggest_categorical("mixup", [0.0, 0.2]),
        )  # fmt: skip
        if size not in read:
            read[size] = Images.read(folder, size)
        images, labels = read[size], read[size].labels
        fit, judge = train_test_split(
            range(len(labels)), test_size=0.2, random_state=0, stratify=labels
        )
        seen, held = images[list(fit)], images[list(judge)]
        began, best = time.process_time(), 0.0

        def after(epoch: int, made: nn.Module) -> None:
            nonlocal best, longest
            now = time.process_time()
            longest = max(longest, (now - began) * EPOCHS / (epoch + 1) if epoch > 4 else 0.0)
            if now > seconds - 0.7 * longest:
                raise _Over
            if epoch % 5 == 4:
                best = float(right(made, held, size).float().mean())
                trial.report(best, epoch)
                if trial.should_prune():
                    raise optuna.TrialPruned

        train(of, seen, classes, trial.number, after)
        trial.set_user_attr("settings", asdict(of))
        trial.set_user_attr("held", len(held.labels))
        return best

    study = optuna.load_study(
        study_name="peer", storage=JournalStorage(JournalFileBackend(str(journal))),
        sampler=optuna.samplers.TPESampler(seed=worker, constant_liar=True),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=9),
    )  # fmt: skip
    with suppress(_Over):
        study.optimize(objective)


def find(folder: Path, params: int, macs: int, seconds: float, output: Path) -> dict[str, Any]:
    """Search, then train the best settings on all images."""
    torch.set_num_threads(1)
    classes = len(ImageFolder(str(folder)).classes)
    pairs = possible(params, macs, classes)
    if not pairs:
        raise SystemExit(f"none of {', '.join(NAMES)} keeps {params:,} parameters, {macs:,} MACs")
    journal = output / "trials.journal"
    optuna.create_study(
        study_name="peer", storage=JournalStorage(JournalFileBackend(str(journal))),
        direction="maximize",
    )  # fmt: skip
    context = multiprocessing.get_context("spawn")
    share = seconds / WORKERS
    workers = [
        context.Process(target=search, args=(folder, journal, pairs, share, worker))
        for worker in range(WORKERS)
    ]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    study = optuna.load_study(
        study_name="peer", storage=JournalStorage(JournalFileBackend(str(journal)))
    )
    best = study.best_trial
    of = Settings(**best.user_attrs["settings"])
    images = Images.read(folder, of.size)
    made = train(of, images, classes, 0, lambda *_: None)
    torch.save(made.state_dict(), output / "network.pth")
    own = costs(of.name, of.size, classes)
    states = [trial.state.name for trial in study.trials]
    return {
        "settings": asdict(of), "stated": best.value, "held": best.user_attrs["held"],
        "params": own[0], "macs": own[1], "networks": len(pairs),
        "complete": states.count("COMPLETE"), "pruned": states.count("PRUNED"),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--params", type=int, required=True)
    parser.add_argument("--macs", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True, help="of the processor")
    parser.add_argument("--test", type=Path, required=True, help="looked at once, at the end")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()
    given.output.mkdir(parents=True, exist_ok=True)
    found = find(given.folder, given.params, given.macs, given.seconds, given.output)
    of = Settings(**found["settings"])
    tested = Images.read(given.test, of.size)
    made = network(of.name, of.size, len(ImageFolder(str(given.folder)).classes))
    made.load_state_dict(torch.load(given.output / "network.pth", weights_only=True))
    correct = right(made, tested, of.size)
    print(json.dumps({**found, "accuracy": float(correct.float().mean()), "test": len(correct)}))


if __name__ == "__main__":
    main()
