"""What each probe costs, beside the training of the run whose network it is measured on.

    python benchmarks/probes.py --data cifar10-jpeg [--probes all] [--epochs 12]

`--data` is a folder of 32 x 32 images; 10,000 of them train a design of each kind at its default
recipe, as a study's worker does: one process with one thread. Every probe is then measured on the
final network and the images that studies probe on. Training is timed over `--train-epochs` epochs,
and a run of `--epochs` is that many times as long. Seconds are the processor's, so that other work
on the machine counts little. A share is of the whole run: the default set is to take at most 20 %
together. Prints a table a design, then one JSON line.
"""

import argparse
import json
import platform
import statistics
import time

import torch

import nextify as nx
from nextify.cli.show import print_table
from nextify.data import load
from nextify.designs import Run, recipe
from nextify.probes import measure, probes_named
from nextify.probes.images import SEED, as_seen_to_probe, drawn_to_probe
from nextify.training.loop import train_for_probes

DESIGNS = ("resnet-small", "convnext-mini", "vit-mini", "swin-mini")


def measured(name: str, asked: argparse.Namespace) -> dict[str, object]:
    """Seconds of a run and of each probe on its network."""
    images = load(asked.data, image_size=32, train_limit=asked.train_limit)
    how = recipe("modern-small", epochs=asked.train_epochs)
    run = Run(design=nx.design(name), recipe=how, data=images.identity())
    began = time.process_time()
    record, state = train_for_probes(run, images)
    took = time.process_time() - began
    state.judged.use_generator(None)
    told = record.measured
    assert told is not None
    training = took * told.seconds / (told.seconds + told.evaluation_seconds)
    found = {}
    seen, labels = as_seen_to_probe(drawn_to_probe(images))
    for probe in probes_named(asked.probes.split(",")):
        seconds = []
        for _ in range(asked.rounds):
            began = time.process_time()
            one = measure(state.judged, seen, [probe], labels, SEED)[probe.name]
            seconds.append(time.process_time() - began)
        found[probe.name] = {"seconds": statistics.median(seconds), "value": one.value,
                             "reason": one.reason}  # fmt: skip
    return {
        "run_seconds": training * asked.epochs / asked.train_epochs,
        "images": len(seen),
        "probes": found,
    }


def show(name: str, found: dict, default: set[str]) -> None:
    """A row a probe, the dearest first, and the sum of the default set."""
    whole = found["run_seconds"]
    rows = sorted(found["probes"].items(), key=lambda row: -row[1]["seconds"])
    table = [
        [probe, "yes" if probe in default else "no", f"{one['seconds']:.2f}",
         f"{one['seconds'] / whole:.1%}", one["reason"]]
        for probe, one in rows
    ]  # fmt: skip
    total = sum(one["seconds"] for probe, one in rows if probe in default)
    print(f"\n{name}: a run takes {whole:.0f} s; probed on {found['images']} images")
    print_table(["probe", "default", "seconds", "share of a run", "no value, since"], table)
    print(f"default set: {total:.1f} s, {total / whole:.1%} of a run")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", default="embedded")
    parser.add_argument("--probes", default="all")
    parser.add_argument("--designs", nargs="+", default=DESIGNS)
    parser.add_argument("--train-limit", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--train-epochs", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    default = {probe.name for probe in probes_named(["default"])}
    found = {name: measured(name, asked) for name in asked.designs}
    for name, one in found.items():
        show(name, one, default)
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    print(json.dumps({**versions, "machine": platform.machine(), **vars(asked), "found": found}))


if __name__ == "__main__":
    main()
