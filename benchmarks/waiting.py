"""Images a second in training with threads that spin and with threads that sleep while they wait.

    python benchmarks/waiting.py

A ConvNeXt of the small path on 28 pixels, and on 96, in processes of its own, one after another: by
torch's default (libgomp's threads spin), sleeping at once, after a while (nextify's), and by
one thread; on the machine as it is, and beside programs that keep one or two cores busy. Medians
over rounds with their range, the load of the machine, then one JSON line.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager

POLICIES = {
    "spinning": {"OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "300000"},  # libgomp's default
    "sleeping": {"OMP_WAIT_POLICY": "passive"},
    "a while": {"GOMP_SPINCOUNT": "1000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
TRAIN = """
import sys
from nextify import design, recipe
from nextify.data import load
from nextify.requests import DataSpec
from nextify.designs import Run
from nextify.training import train
size, images = int(sys.argv[1]), int(sys.argv[2])
data = load(DataSpec(image_size=size, train_limit=images))
how = recipe("modern-small", epochs=1, batch_size=64)
run = Run(design=design("convnext-mini"), recipe=how, data=data.identity())
print(train(run, data).measured.images_per_second)
"""


@contextmanager
def busy(cores):
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(cores)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def measured(policy, size, images):
    names = {name for values in POLICIES.values() for name in values} | {"MKL_NUM_THREADS"}
    free = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", TRAIN, str(size), str(images)]
    return float(subprocess.check_output(command, env=free | POLICIES[policy], text=True))


CASES = (  # pixels, cores kept busy, images: some seconds each
    (28, 0, 6000), (28, 1, 1500), (28, 2, 1000), (96, 0, 500), (96, 1, 130),
)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found = {(size, cores, policy): [] for size, cores, _ in CASES for policy in POLICIES}
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for _ in range(rounds):
        for size, cores, images in CASES:
            with busy(cores):
                for policy in POLICIES:
                    found[size, cores, policy].append(measured(policy, size, images))
                    print(".", end="", file=sys.stderr, flush=True)
    for (size, cores, policy), values in found.items():
        middle, low, high = statistics.median(values), min(values), max(values)
        print(f"{size} px, {cores} busy, {policy:10}  {middle:7.0f} ({low:.0f} to {high:.0f})")
    print(json.dumps({" ".join(map(str, case)): values for case, values in found.items()}))


if __name__ == "__main__":
    main()
