"""`bench`: how fast a design is on this machine, and how much memory it takes; and
`measure_latency` of several designs, by turns, which `fit` asks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from torch import nn

from nextify.costs import totals
from nextify.costs.spread import Spread, spread_of
from nextify.designs import AnyDesign, known_design
from nextify.errors import InputError, unknown
from nextify.measuring import reference
from nextify.measuring.clock import Effort, by_turns
from nextify.measuring.conditions import EXPORTED, Conditions, Runtime, Task
from nextify.measuring.limits import require_room
from nextify.measuring.memory import peak_memory
from nextify.measuring.reference import LIBRARIES, Library, installed
from nextify.measuring.runtimes import Way, carried_out, compiled_anew, require_installed, ways
from nextify.measuring.tasks import Call, prepared
from nextify.network import build
from nextify.training.machine import plain_torch, thread_count

OnProgress = Callable[[str, float], None]
"""Called with what is being measured and the share of all that is done, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One task, measured in a runtime.

    Attributes:
        batch_size: images in it.
        seconds: of one call. beside: of the other library's network.
        ratio: their time over ours in the same round: above 1, ours is faster.
        memory, memory_beside: peak, bytes (`nextify.measuring.memory`); None: not measured.
    """

    task: Task
    runtime: Runtime
    batch_size: int
    seconds: Spread
    beside: Spread | None = None
    ratio: Spread | None = None
    memory: int | None = None
    memory_beside: int | None = None

    @property
    def images_per_second(self) -> float:
        """At the median."""
        return self.batch_size / self.seconds.median


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A design, measured.

    Attributes:
        beside: what it was measured beside, as `("timm", "convnext_tiny")`; None: nothing.
        difference: of the outputs of both with the same weights, relative.
    """

    design: AnyDesign
    beside: tuple[Library, str] | None
    difference: float | None
    measurements: tuple[Measurement, ...]


def bench(
    design: AnyDesign | str,
    conditions: Conditions | None = None,
    *,
    beside: Library | Literal["none"] | None = None,
    training: bool = True,
    memory: bool = True,
    effort: Effort | None = None,
    on_progress: OnProgress = lambda task, share: None,
) -> Benchmark:
    """Measure latency, throughput and a training step of a design, with the peak memory of each.

    Beside it the network of the same name of another library is measured, by turns: each round
    measures both, one after the other. It has the same weights, and its outputs are compared
    before. In each of the conditions' runtimes both are measured so; there, too, outputs are
    compared before, with torch's. A training step and memory are measured where torch computes.

    >>> found = bench("convnext-atto", Conditions(image_size=32, batch_size=2), beside="none",
    ...               training=False, memory=False, effort=Effort(rounds=1))
    >>> [(one.task, one.batch_size, one.seconds.count) for one in found.measurements]
    [('latency', 1, 1), ('throughput', 2, 1)]

    Args:
        design: a design, or its name.
        beside: a library, or `"none"`; by default timm where it is installed. A design that the
            library has no name for is measured alone.
        training, memory: whether to measure a training step, and peak memory.
        effort: how long to measure.

    Raises:
        InputError: it would not fit the memory; a library or a runtime is not there, or gives
            other outputs; images are too small for the design.
    """
    chosen = known_design(design)
    conditions, effort = conditions or Conditions(), effort or Effort()
    other = _other(chosen, beside)
    require_installed(conditions.runtimes)
    measured = _measured(conditions.runtimes, training)
    weighed = [pair for pair in measured if memory and pair[1] not in EXPORTED]
    # An exported network's weights are in its file, too, and in its runtime.
    copies = 3 if set(conditions.runtimes) & {*EXPORTED} else 1
    tasks = tuple(dict.fromkeys(task for task, _ in measured))
    require_room(chosen, tasks, conditions, copies * (1 + (other is not None)))
    part = partial(_part, on_progress, len(measured) + len(weighed))
    with thread_count(conditions.threads), plain_torch():
        networks, differs = _networks(chosen, other, conditions)
        found = list(_timed(measured, networks, conditions, effort, part))
    del networks
    for at, (task, runtime) in enumerate(weighed):
        part(len(measured) + at, f"memory of {task} by {runtime}", 0.0)
        ours = peak_memory(task, chosen, conditions, runtime)
        theirs = None if other is None else peak_memory(task, other, conditions, runtime)
        where = measured.index((task, runtime))
        found[where] = replace(found[where], memory=ours, memory_beside=theirs)
    return Benchmark(chosen, other, differs, tuple(found))


Pair = tuple[Task, Runtime]


def _measured(runtimes: tuple[Runtime, ...], training: bool) -> list[Pair]:
    """Each task in all runtimes that carry it out."""
    tasks: tuple[Task, ...] = ("latency", "throughput")
    found = [(task, runtime) for task in tasks for runtime in runtimes]
    trains: list[Pair] = [("training", one) for one in runtimes if one not in EXPORTED]
    return found + trains if training else found


def _other(
    design: AnyDesign, beside: Library | Literal["none"] | None
) -> tuple[Library, str] | None:
    if beside is not None and beside not in (*LIBRARIES, "none"):
        raise unknown("library to measure beside", beside, (*LIBRARIES, "none"))
    if beside == "none" or (beside is None and installed("timm") is None):
        return None
    library: Library = beside or "timm"
    if installed(library) is None:
        raise InputError(f"{library} is not installed; install it (pip install {library}), or "
                         "measure beside none")  # fmt: skip
    name = reference.their_name(design, library)
    return None if name is None else (library, name)


def _networks(
    design: AnyDesign, other: tuple[Library, str] | None, conditions: Conditions
) -> tuple[list[nn.Module], float | None]:
    """Ours and, with the same weights, theirs; the difference of their outputs."""
    ours = reference.build_ours(design, conditions)
    if other is None:
        return [ours], None
    library, name = other
    theirs = reference.build_theirs(library, name, conditions)
    reference.same_weights(ours, theirs, library)
    return [ours, theirs], reference.difference(ours, theirs, conditions)


def _part(on_progress: OnProgress, parts: int, at: int, what: str, share: float) -> None:
    """Tell of a share of one of so many parts."""
    on_progress(what, (at + share) / parts)


def _timed(
    measured: list[Pair],
    networks: list[nn.Module],
    conditions: Conditions,
    effort: Effort,
    part: Callable[[int, str, float], None],
) -> Iterator[Measurement]:
    known = [ways(network, conditions.sides) for network in networks]
    for at, (task, runtime) in enumerate(measured):
        what = f"{task} by {runtime}"
        part(at, what, 0.0)
        each = [(network, way[runtime]) for network, way in zip(networks, known, strict=True)]
        # A small network's weights stay in the cache when it alone answers image by image.
        own = replace(effort, untimed=1) if task == "latency" else effort
        with compiled_anew(runtime):
            calls = _calls((task, runtime), each, conditions)
            ours, *others = by_turns(calls, own, partial(part, at, what))
        del calls  # and with them what a runtime holds
        one = Measurement(task, runtime, conditions.batch_of(task), spread_of(ours))
        for theirs in others:
            ratio = spread_of([a / b for a, b in zip(theirs, ours, strict=True)])
            one = replace(one, beside=spread_of(theirs), ratio=ratio)
        yield one


def _calls(pair: Pair, each: list[tuple[nn.Module, Way]], conditions: Conditions) -> list[Call]:
    task, runtime = pair
    if runtime in EXPORTED:
        conditions = replace(conditions, memory_format="contiguous")
    made = [carried_out(network, runtime, way, task, conditions) for network, way in each]
    return [prepared(task, one, conditions, runtime) for one in made]


QUICK = Effort(seconds=0.5, least=7, most=50, untimed=1)


def measure_latency(
    designs: Sequence[AnyDesign | str] | AnyDesign | str,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
    *,
    batch_size: int = 1,
    threads: int | None = None,
    device: str = "cpu",
    effort: Effort = QUICK,
) -> tuple[Spread, ...]:
    """Seconds that each design takes to answer a batch, in evaluation mode and float32.

    All are measured by turns. Before every timed call there is one that is not, so that a network
    finds its own weights in the cache.

    >>> measure_latency(["convnext-atto"], 32, effort=Effort(rounds=2))[0].count
    2

    Args:
        designs: designs, or their names; one may stand alone.
    """
    conditions = Conditions(
        image_size=image_size,
        classes=classes,
        batch_size=batch_size,
        threads=threads,
        device=device,
    )
    several = [designs] if isinstance(designs, str | AnyDesign) else designs
    chosen = [known_design(one) for one in several]
    if not chosen:
        raise InputError("there are no designs to measure; give at least one")
    params = [totals(one, image_size, classes).params for one in chosen]
    for one, own in zip(chosen, params, strict=True):
        require_room(one, ("throughput",), conditions, others=sum(params) - own)
    with thread_count(threads), plain_torch():
        networks = [build(one, classes, image_size=image_size, device=device) for one in chosen]
        calls = [prepared("throughput", network, conditions) for network in networks]
        return tuple(map(spread_of, by_turns(calls, effort)))
