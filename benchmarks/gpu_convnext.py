"""ConvNeXt-T at 224 pixels in bfloat16 by autocast: ours beside timm's and torchvision's.

Same weights, same batch, channels_last, cuDNN's benchmark and TF32 on for all, AdamW fused.
Outputs are compared in float32, and the losses of the first training steps in bfloat16, before
anything is timed. All contestants of a task are timed by turns, a step each. At most four
compilations, of which the two of our own network only where time is left.
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import replace
from statistics import median

import torch
from gpu_rows import Given, Row, ratios, row
from torch import nn

import nextify as nx
from nextify.measuring import Conditions, reference
from nextify.measuring.clock import Effort, by_turns
from nextify.measuring.conditions import Task
from nextify.measuring.runtimes import Compiled
from nextify.measuring.tasks import Call, Work, captured, wait, work

TASKS: tuple[tuple[Task, int, float, float], ...] = (
    ("training", 128, 2.0, 1.4),  # goals over timm eager, and over timm compiled
    ("throughput", 256, 1.9, 1.3),
)
STEPS = 5
FOR_OURS_COMPILED = 40.0  # seconds that have to be left


def measure_convnext(given: Given) -> Iterator[Row]:
    """Images a second of every contestant, and ratios to ours."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    at = Conditions(device=given.device, precision="bfloat16")
    if given.smoke:
        at = replace(at, image_size=32, classes=10)
    found: dict[str, nn.Module] = {"nextify": reference.build_ours(nx.design("convnext-tiny"), at)}
    for library in reference.LIBRARIES:
        name = reference.their_name(nx.design("convnext-tiny"), library)
        found[library] = reference.build_theirs(library, str(name), at)
        reference.same_weights(found["nextify"], found[library], library)  # type: ignore[arg-type]
        differs = reference.difference(found["nextify"], found[library], at)
        yield row(f"outputs beside {library}'s", "relative", differs, at_most=1e-3,
                  about="float32 (TF32), one image")  # fmt: skip
    ours: dict[Task, list[float]] = {}
    for task, batch, over_eager, over_compiled in TASKS:
        there = replace(at, batch_size=2 if given.smoke else batch)
        if task == "training":
            yield from losses(found, there)
        times: dict[str, tuple[float, ...]] = {}
        yield from race(given, task, found, there, times)
        best = min(("eager", "captured"), key=lambda how: median(times[f"nextify, {how}"]))
        ours[task] = list(times[f"nextify, {best}"])
        for other, goal in (("eager", over_eager), ("compiled", over_compiled)):
            yield row(f"{task}: nextify, {best} over timm, {other}", "times",
                      ratios(times[f"timm, {other}"], ours[task]), at_least=goal)  # fmt: skip
        yield row(f"{task}: nextify, {best} over torchvision, eager", "times",
                  ratios(times["torchvision, eager"], ours[task]))  # fmt: skip
    for task, batch, *_ in TASKS:
        if given.left > FOR_OURS_COMPILED or given.smoke:
            there = replace(at, batch_size=2 if given.smoke else batch)
            yield from ours_compiled(given, task, found["nextify"], there)


def losses(found: dict[str, nn.Module], at: Conditions) -> Iterator[Row]:
    """The largest difference of the first steps' losses, relative, to ours."""
    steps = {}
    for name, network in found.items():
        step = work("training", copy.deepcopy(network), at)
        steps[name] = [float(step()) for _ in range(STEPS)]
    for name in reference.LIBRARIES:
        differ = [abs(a - b) / b for a, b in zip(steps["nextify"], steps[name], strict=True)]
        about = f"bfloat16; ours {steps['nextify']}, theirs {steps[name]}"
        yield row(f"losses of {STEPS} steps beside {name}'s", "relative", max(differ), at_most=0.02,
                  about=about)  # fmt: skip


def race(
    given: Given,
    task: Task,
    found: dict[str, nn.Module],
    at: Conditions,
    times: dict[str, tuple[float, ...]],
) -> Iterator[Row]:
    """Time all contestants but ours compiled, by turns."""
    calls: dict[str, Call] = {}
    for name, network in found.items():
        calls[f"{name}, eager"] = waiting(work(task, copy.deepcopy(network), at), at)
    ours = work(task, copy.deepcopy(found["nextify"]), at)
    calls["nextify, captured"] = waiting(graph_of(ours, at), at)
    compiled = Compiled(copy.deepcopy(found["timm"]))
    calls["timm, compiled"] = waiting(work(task, compiled, at), at)
    yield from first_call(f"{task}: timm", calls["timm, compiled"])
    taken = by_turns(list(calls.values()), effort(given))
    for name, each in zip(calls, taken, strict=True):
        times[name] = each
        yield rate(f"{task}: {name}", each, at)


def ours_compiled(given: Given, task: Task, network: nn.Module, at: Conditions) -> Iterator[Row]:
    """Ours by torch.compile beside ours in a graph."""
    graph = waiting(graph_of(work(task, copy.deepcopy(network), at), at), at)
    compiled = waiting(work(task, Compiled(copy.deepcopy(network)), at), at)
    yield from first_call(f"{task}: nextify", compiled)
    slower, faster = by_turns([compiled, graph], effort(given))
    yield rate(f"{task}: nextify, compiled", slower, at)
    yield row(f"{task}: nextify, captured over compiled", "times", ratios(slower, faster))


def first_call(name: str, call: Call) -> Iterator[Row]:
    """The seconds of a compilation."""
    began = time.perf_counter()
    call()
    yield row(f"{name}, torch.compile", "s", time.perf_counter() - began)


def waiting(once: Work, at: Conditions) -> Call:
    """A call that waits for the device."""

    def call() -> None:
        once()
        wait(at.device)

    return call


def graph_of(once: Work, at: Conditions) -> Work:
    """The same as a CUDA graph, replayed; on a CPU as it is."""
    return once if at.device == "cpu" else captured(once, at.device)


def effort(given: Given) -> Effort:
    """How long each contestant is timed."""
    return Effort(rounds=1, warm_up=0) if given.smoke else Effort(seconds=1.5, warm_up=4, most=60)


def rate(name: str, times: tuple[float, ...], at: Conditions) -> Row:
    """Images a second."""
    return row(name, "images/s", [at.batch_size / each for each in times],
               about=f"batches of {at.batch_size}")  # fmt: skip
