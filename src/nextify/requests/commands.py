"""What can be asked for: a frozen, typed request per command, named like it.

A docstring is what `--help` says of the command.
"""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, get_args

from nextify.errors import InputError
from nextify.requests.data_spec import DataSpec
from nextify.requests.options import MOST_PIXELS, SEEDS, Pixels, option, positional
from nextify.words import in_short

Naming = Literal["nextify", "official", "timm", "torchvision", "transformers"]
Screening = Literal["leave-one-out", "add-one-in", "resolution-4", "resolution-5", "full",
                    "permutations"]  # fmt: skip
Kind = Literal["path", Screening, "augmented"]
Matched = Literal["macs", "params"]
Precision = Literal["float32", "bfloat16"]
Recipes = Literal["modern", "modern-small"]
AnyRecipes = Literal["modern", "modern-small", "finetune", "finetune-small"]
Metric = Literal["accuracy", "nll", "logit-accuracy", "balanced-accuracy", "macro-f1"]
Matrix = Literal["simultaneous", "false-discoveries"]


def _changes() -> Any:
    return positional((), "fields to change, as epochs=20 (--epochs 20 is the same)",
                      metavar="FIELD=VALUE", many="*", fields=True)  # fmt: skip


def _group(kind: type) -> Any:
    return field(default_factory=kind)


def _precision() -> Any:
    return option(None, "default: bfloat16 on a GPU, else float32")


def _threads(help: str = "processor threads", default: int | None = None, needs: str = "") -> Any:
    return option(default, help, metavar="N", least=1, most=1024, local=True, needs=needs)


def _weights(help: str) -> Any:
    return option(None, help, metavar="SOURCE")


def _design() -> Any:
    return positional(..., "name of a design (`nextify designs` lists them)")


def _factors() -> Any:
    return option(None, "default: eight groups of choices; 'recipe' is one too",
                  metavar="CHOICE+CHOICE,...")  # fmt: skip


def _recipe() -> Any:
    return option(None, "by name (default: what suits the number of images)", metavar="NAME")


def _path_recipe() -> Any:
    return option(None, "modern or modern-small; its classic one before (default: what suits the "
                  "number of images)", metavar="NAME")  # fmt: skip


def _matched() -> Any:
    return option(None, "rescale widths so that all networks cost the same")


def _workers() -> Any:
    return option(None, "default: one per core, or 1 to 4 per GPU", metavar="N",
                  least=1, most=1024, local=True)  # fmt: skip


def _cluster() -> Any:
    return option(None, "train on a cluster of Ray: HOST:PORT of its head node, auto (the one that "
                  "runs on this machine), or local (one of its own)", metavar="ADDRESS",
                  local=True)  # fmt: skip


def _cores_per_run() -> Any:
    return option(1, "of a cluster's node, that a run takes; it computes on one (default: 1)",
                  metavar="N", least=1, most=1024, local=True, needs="cluster")  # fmt: skip


def _copies() -> Any:
    return option(None, "networks of one design trained at once in a stack, at most (default: 8 on "
                  "a GPU, 1 on a CPU)", metavar="N", least=1, most=64)  # fmt: skip


def _retry() -> Any:
    return option(False, "run again what failed", local=True)


def _margin(help: str) -> Any:
    return option(None, f"{help}: points of accuracy, or another score's units", metavar="POINTS",
                  most=100, such_as="a size above 0, as 0.5")  # fmt: skip


def _plan() -> Any:
    return option(False, "show the plan, and train nothing", local=True)


def _no_pilot() -> Any:
    return option(False, "time nothing before the start", local=True)


def _study_probes() -> Any:
    return option(None, "measured of every network at the end of its run: names, default, all, or "
                  "files of your own", metavar="NAME,...")  # fmt: skip


def _keep_weights() -> Any:
    return option(False, "keep every network beside the study, for probes later", local=True)


def _hold_out() -> Any:
    return option(False, "test on a fifth of the training images, to choose by")


def _many_of(help: str, metavar: str) -> Any:
    return option(None, help, metavar=metavar, least=1, most=1 << 20)


def _rounds(help: str, default: int | None = None) -> Any:
    return option(default, help, metavar="N", least=1, most=1000)


def _memory() -> Any:
    return option(None, "at the most, as 4GiB (default: half of the machine's)", metavar="BYTES")


def _save(help: str) -> Any:
    return option(None, help, metavar="FILE", local=True)


def _figure(help: str) -> Any:
    return option(None, help, metavar="DIR", local=True)


def _device(needs: str = "") -> Any:
    return option(None, "cpu or cuda (default: a GPU where there is one)", local=True, needs=needs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """What costs are counted for."""

    image_size: Pixels | None = option(None, "pixels; one side, or HxW", metavar="N[xM]")
    classes: int | None = option(None, "outputs of the classifier", metavar="N",
                                 least=1, most=10**9)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Budgets:
    """At most so much of each; see `nextify.fitting.budgets_of`."""

    params: str | None = option(None, "at most so many, as 12M", metavar="N")
    macs: str | None = option(None, "multiply-accumulates, at most so many, as 2.2G", metavar="N")
    activation_memory: str | None = option(
        None, "kept in training for one image, as 200MB or 190MiB", metavar="BYTES"
    )
    like: str | None = option(None, "budgets that are not given are what this design costs",
                              metavar="DESIGN")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """By what one network is trained or judged."""

    device: str | None = _device()
    precision: Precision | None = _precision()
    threads: int | None = _threads()
    loaders: int | None = option(
        None, "processes that decode images that do not fit memory (default: 2; for a GPU its "
        "share of the cores)", metavar="N", most=1024, local=True,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """The steps from ResNet to ConvNeXt, with their costs."""

    name: str = positional(..., "resnet50, resnet200 or small")
    changes: tuple[str, ...] = _changes()
    sizes: Sizes = _group(Sizes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Designs:
    """All named designs, with their costs."""

    sizes: Sizes = _group(Sizes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Parameters, MACs and memory of a design."""

    design: str = _design()
    changes: tuple[str, ...] = _changes()
    sizes: Sizes = _group(Sizes)
    layers: bool = option(False, "per layer, not only per stage")


@dataclass(frozen=True, kw_only=True, slots=True)
class Show:
    """The layers of a design."""

    design: str = _design()
    changes: tuple[str, ...] = _changes()
    sizes: Sizes = _group(Sizes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A training recipe, field by field."""

    name: str | None = positional(None, "such as modern, modern-small or finetune", many="?")
    changes: tuple[str, ...] = _changes()


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """Designs that use a budget best."""

    budgets: Budgets = _group(Budgets)
    latency: str | None = option(None, "measured here, for one image, as 20ms", metavar="TIME")
    base: str = option("convnext-tiny", "all but depths and widths (default: convnext-tiny)",
                       metavar="DESIGN")  # fmt: skip
    free: str | None = option(None, "fields to choose besides depths and widths, as kernel_size",
                              metavar="FIELD,...")  # fmt: skip
    multiple_of: int = option(1, "all widths are multiples of N (default: 1)", metavar="N",
                              least=1, most=2048)  # fmt: skip
    count: int = option(5, "designs to print (default: 5)", metavar="N", least=1, most=1000)
    threads: int | None = _threads("processor threads, for --latency", needs="latency")
    device: str | None = _device(needs="latency")
    sizes: Sizes = _group(Sizes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """Time and memory of designs on this machine."""

    designs: tuple[str, ...] = positional(
        ..., "designs by name, and fields to change in all of them, as kernel_size=5 "
        "(--kernel-size 5 is the same)", metavar="NAME|FIELD=VALUE", many="+", fields=True,
    )  # fmt: skip
    beside: Literal["timm", "torchvision", "none"] | None = option(
        None, "timm, torchvision or none (default: timm if it is there)", metavar="LIBRARY"
    )
    batch_size: int = option(16, "of throughput and training (default: 16)", metavar="N",
                             least=1, most=1 << 20)  # fmt: skip
    training: bool = option(True, "measure a training step (default: yes)")
    memory: bool = option(True, "measure peak memory (default: yes)")
    runtimes: str = option("torch", "of torch, compile, onnxruntime, openvino, graph (a GPU's) "
                           "(default: torch)", metavar="NAME,...")  # fmt: skip
    memory_format: Literal["channels_last", "contiguous"] = option(
        "channels_last", "of the network beside (default: channels_last)", metavar="FORMAT"
    )
    seconds: float = option(3.0, "for each network and measurement (default: 3)", metavar="S",
                            most=86_400, such_as="seconds, as 3 or 0.5")  # fmt: skip
    repeats: int | None = option(None, "rounds, instead of --seconds", metavar="N",
                                 least=1, most=1_000_000)  # fmt: skip
    precision: Precision = option("float32", "default: float32")
    threads: int | None = _threads()
    device: str | None = _device()
    sizes: Sizes = _group(Sizes)


def _test_size() -> Any:
    return option(None, "pixels a side of the test images, where another", metavar="N",
                  least=1, most=MOST_PIXELS)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Train:
    """Train one network, from scratch or from weights."""

    design: str | None = positional(None, "name of a design (default: that of --weights)",
                                    many="?")  # fmt: skip
    changes: tuple[str, ...] = _changes()
    weights: str | None = _weights("to start from: a file, a folder, or hf:OWNER/NAME")
    new_head: bool = option(False, "draw the classifier anew in any case")
    data: DataSpec = _group(DataSpec)
    recipe: str | None = _recipe()
    seed: int = option(0, "default: 0", most=SEEDS - 1)
    output: str | None = option(None, "where the network goes (default: runs/...)", metavar="DIR",
                                local=True)  # fmt: skip
    log: Literal["csv", "tensorboard"] | None = option(
        None, "each epoch's loss, accuracy, learning rate and images/s, in the folder: csv or "
        "tensorboard", metavar="FORM", local=True,
    )  # fmt: skip
    checkpoint_steps: int | None = option(None, "keep a checkpoint every so many steps, too",
                                          metavar="N", least=1, most=10**9, local=True)  # fmt: skip
    machine: Machine = _group(Machine)
    test_image_size: int | None = _test_size()


def _network() -> Any:
    return positional(..., "a network file, the folder that train made, or an exported network")


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluate:
    """Score a trained network on test images."""

    network: str = _network()
    calibrate: bool = option(
        False, "fit one temperature for its probabilities on val/, else on half of the test "
        "images, and keep it with the network: no answer changes",
    )  # fmt: skip
    report: str | None = option(None, "write a page, figures and tables there", metavar="DIR",
                                local=True)  # fmt: skip
    data: DataSpec = _group(DataSpec)
    test_image_size: str | None = option(None, "pixels a side of the test images, where another; "
                                         "several for a table", metavar="N,...")  # fmt: skip
    machine: Machine = _group(Machine)

    @property
    def test_sizes(self) -> tuple[int, ...]:
        """The sizes of the test images that are asked for, from the smallest, in pixels a side.

        Raises:
            InputError: they are none.
        """
        text = self.test_image_size
        if text is None:
            return ()
        parts = text.replace(" ", "").split(",")
        fine = all(part.isascii() and part.isdigit() and len(part) < 9 for part in parts)
        if not fine or not all(1 <= int(part) <= MOST_PIXELS for part in parts):
            raise InputError(
                f"test_image_size is {in_short(text)}; give pixels from 1 to {MOST_PIXELS:,}, as "
                "128, or several, as 96,128,160"
            )
        return tuple(sorted({int(part) for part in parts}))


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """What a set of images holds, and what of it spoils studies."""

    source: str = positional(..., "a folder of images, 'embedded', or a public data set by name")
    image_size: int | None = option(None, "pixels a side, as networks are to see", metavar="N",
                                    least=1, most=MOST_PIXELS)  # fmt: skip
    split_seed: int = option(0, "draws the test images of a folder without any",
                             metavar="S", most=SEEDS - 1)  # fmt: skip
    recipe: str | None = option(None, "whose augmentation is shown (default: what suits the number "
                                "of images)", metavar="NAME")  # fmt: skip
    report: str | None = option(None, "write a page, figures and tables there", metavar="DIR",
                                local=True)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Predict:
    """Classify images."""

    network: str = _network()
    images: tuple[str, ...] = positional(..., "image files or folders of them", many="+")
    top: int = option(3, "classes an image (default: 3)", metavar="N", least=1, most=10**6)
    skip_unreadable: bool = option(False, "leave out, and count")
    device: str | None = _device()


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """What networks are like, side by side: receptive fields, dead units and more."""

    networks: tuple[str, ...] = positional(
        ..., "folders that train made, files of weights in any naming, with --untrained names of "
        "designs, fields to change after each; or one study file with kept networks",
        metavar="NETWORK|FIELD=VALUE", many="+", fields=True,
    )  # fmt: skip
    probes: str | None = option(None, "names, default, all, or files of your own, as "
                                "feature-collapse,mine.py (default: default)",
                                metavar="NAME,...")  # fmt: skip
    data: DataSpec = _group(DataSpec)
    images: int | None = option(None, "test images, drawn by --seed (default: 500; of over 64 "
                                "pixels fewer)", metavar="N",
                                least=1, most=10**6)  # fmt: skip
    seed: int = option(0, "default: 0", most=SEEDS - 1)
    untrained: bool = option(False, "designs by name, at initialisation")
    design: str | None = option(None, "that weights are of (default: told from their shapes)",
                                metavar="NAME")  # fmt: skip
    report: str | None = option(None, "write a page, figures and tables there", metavar="DIR",
                                local=True)  # fmt: skip
    workers: int | None = _workers()
    threads: int | None = _threads()
    device: str | None = _device()


@dataclass(frozen=True, kw_only=True, slots=True)
class Experiment:
    """Which subsets of a path's choices are trained."""

    experiment: Kind = option(
        "path", f"{', '.join(get_args(Kind))} (default: path)", metavar="KIND"
    )
    factors: str | None = _factors()
    matched: Matched | None = _matched()
    target: str | None = option(None, "that cost, as 4M (default: the geometric mean)",
                                metavar="N")  # fmt: skip
    rates: str | None = option(
        None, "learning rates to cross with the rest, relative: 0.5,1,2", metavar="X,..."
    )
    cross: str | None = option(
        None, "what may suit one side: initialisation, rate, rate=0.5:2, pixels, or none (default: "
        "the first two, of a new resolution-5)", metavar="NAME,...",
    )  # fmt: skip
    tune_rate: str | None = option(
        None, "every network at its best of these multiples of the rate, chosen on held-out "
        "images: 0.25,0.5,1,2", metavar="X,...",
    )  # fmt: skip
    end_seeds: int | None = option(None, "more runs of the end cells (default: 4; 1 each where "
                                   "something is crossed)", metavar="N", most=1000)  # fmt: skip
    orders: int = option(8, "sampled orders, for permutations (default: 8)", metavar="N",
                         least=1, most=10_000, needs="experiment permutations")  # fmt: skip
    fold_over: str | None = option(
        None, "add reversed cells to an experiment: 'all', or a factor", metavar="FACTOR"
    )
    add_cells: int | None = option(None, "add the N cells that tell most to an experiment",
                                   metavar="N", least=1, most=8192)  # fmt: skip
    score: Metric | None = option(None, "primary, settled before the runs: "
                                  f"{', '.join(get_args(Metric))} (default: accuracy)",
                                  metavar="SCORE")  # fmt: skip
    margin: float | None = _margin("smallest effect that matters")
    looks: int | None = option(
        None, "looks at the verdicts, settled before the runs; the command stops at each "
        "(default: as many as will be)", metavar="N", least=1, most=100,
    )  # fmt: skip
    sigma: str | None = option(
        None, "spread between seeds, in points, to forecast intervals", metavar="POINTS", local=True
    )
    no_pilot: bool = _no_pilot()


@dataclass(frozen=True, kw_only=True, slots=True)
class Runs:
    """How many runs, by what, and where they are kept."""

    file: str | None = option(None, "study file (default: {file})", metavar="FILE", local=True)
    seeds: int | None = option(None, "runs of each network (default: 2; 1 where something is "
                               "crossed)", metavar="N", least=1, most=1000)  # fmt: skip
    first_seed: int = option(0, "default: 0", metavar="S", most=SEEDS - 1000)
    workers: int | None = _workers()
    cluster: str | None = _cluster()
    cores_per_run: int = _cores_per_run()
    precision: Precision | None = _precision()
    copies: int | None = _copies()
    report: str | None = option(None, "report folder (default: beside the file)", metavar="DIR",
                                local=True)  # fmt: skip
    retry_failed: bool = _retry()
    plan: bool = _plan()
    probes: str | None = _study_probes()
    keep_weights: bool = _keep_weights()


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """Train every step of a path, or an experiment on its choices, and report."""

    file: ClassVar[str] = "runs/PATH-DATA.study"
    path: str = positional(..., "small, resnet50 or resnet200")
    changes: tuple[str, ...] = _changes()
    weights: str | None = _weights("that all networks start from: a file, a folder, or "
                                   "hf:OWNER/NAME")  # fmt: skip
    recipe: AnyRecipes | None = _path_recipe()
    images: str | None = option(
        None, "every run draws N training images, or a part of all, as 1/2 (default: all)",
        metavar="N",
    )  # fmt: skip
    hold_out: bool = _hold_out()
    data: DataSpec = _group(DataSpec)
    more_data: tuple[str, ...] = option(
        (), "--data again: the same experiment on each data set, and what holds in general",
        metavar="DATA", again="data",
    )  # fmt: skip
    experiment: Experiment = _group(Experiment)
    runs: Runs = _group(Runs)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Write the report of a study."""

    file: str = positional(..., "study file")
    output: str | None = option(None, "folder (default: beside the file)", metavar="DIR")


@dataclass(frozen=True, kw_only=True, slots=True)
class Compare:
    """Networks beside one another, on a few images or on many."""

    file: ClassVar[str] = "runs/compare-DATA.study"
    networks: tuple[str, ...] = positional(
        ..., "networks by name, or by weights to start from (files, folders, hf:OWNER/NAME); "
        "after each its fields and recipe=NAME; fields before the first, and as an option "
        "(--epochs 20): in all", metavar="NAME|SOURCE|FIELD=VALUE", many="+", fields=True,
    )  # fmt: skip
    images: str | None = option(
        None, "numbers of training images, or parts of all: 1/16,1/4,1 (default: all)",
        metavar="N,...",
    )  # fmt: skip
    most_epochs: int | None = option(
        None, "on fewer images as many updates as on all, within N epochs (default: equal epochs)",
        metavar="N", least=1, most=10**6,
    )  # fmt: skip
    matched: Matched | None = _matched()
    target: str | None = option(None, "that cost, as 4M (default: the first network's)",
                                metavar="N")  # fmt: skip
    rates: str | None = option(
        None, "every network at these multiples of the rate: 0.5,1,2", metavar="X,..."
    )
    recipe: str | None = _recipe()
    hold_out: bool = _hold_out()
    data: DataSpec = _group(DataSpec)
    runs: Runs = _group(Runs)
    no_pilot: bool = _no_pilot()


@dataclass(frozen=True, kw_only=True, slots=True)
class Attribute:
    """Which choice made the difference: what an experiment's factors add."""

    file: str = positional(..., "study file of an experiment")
    beside: tuple[str, ...] = positional(
        (), "more on the same factors: one at equal cost, or on other data sets",
        metavar="FILE2", many="*",
    )  # fmt: skip
    score: str | None = option(
        None, f"{', '.join(get_args(Metric))}, or a probe, as shift-consistency or "
        "shift-consistency.stage1 (default: the study's primary score, or accuracy)",
        metavar="SCORE", former="metric",
    )  # fmt: skip
    matrix: Matrix = option(
        "simultaneous", "what holds of all choices by all probes: every interval 95 times in 100, "
        "or false-discoveries: 5 %% of what is told from zero (default: simultaneous)",
    )  # fmt: skip
    margin: float | None = _margin("smallest effect that matters (default: the study's)")
    without_failed: bool = option(False, "take a planned look though runs failed that "
                                  "--retry-failed would try again")  # fmt: skip
    output: str | None = option(None, "report folder (default: beside the file)", metavar="DIR")
    crosscheck: bool = option(False, "print what Optuna's fANOVA and shapiq say, too")


@dataclass(frozen=True, kw_only=True, slots=True)
class Choose:
    """The design to use on your images under your budget, and its network."""

    changes: tuple[str, ...] = _changes()
    candidates: str | None = option(
        None, "choose among these, by a race: designs by name, trained folders, files of weights, "
        "hf:OWNER/NAME (default: among the choices of a path)", name="from", metavar="NAME,...",
        former="candidates",  # Python's own word cannot be an argument's name
    )  # fmt: skip
    latency: str | None = option(
        None, "of one image on one thread, measured here, at most, as 10ms", metavar="TIME"
    )
    budgets: Budgets = _group(Budgets)
    data: DataSpec = _group(DataSpec)
    path: str | None = option(
        None, "whose choices are tried (default: small or resnet50, what uses the budget best)",
        metavar="NAME",
    )  # fmt: skip
    recipe: Recipes | None = _path_recipe()
    experiment: Screening | None = option(
        None, "screening (default: resolution-5 where all of it takes three hours at most, else "
        "resolution-4)", metavar="KIND",
    )  # fmt: skip
    factors: str | None = _factors()
    seeds: int | None = option(None, "of each network in the screening (default: 2, or 1 with "
                               "resolution-5)", metavar="N", least=1, most=1000)  # fmt: skip
    shorten: int | None = option(None, "train the screening's networks for 1/N of the epochs, and "
                                 "give its start and end no place in the finals by themselves "
                                 "(default: 1)", metavar="N", least=1, most=100)  # fmt: skip
    finalists: int | None = option(None, "of a race, or besides the path's start and end "
                                   "(default: 4)", metavar="N", least=1, most=100)  # fmt: skip
    reshaped: int | None = option(None, "of them, to try at other depths, too (default: 1)",
                                  metavar="N", most=100)  # fmt: skip
    final_seeds: int | None = option(None, "fresh ones, of each finalist (default: 5)",
                                     metavar="N", least=1, most=1000)  # fmt: skip
    within: str | None = option(
        None, "about this long: the most thorough of the choices that take no longer, as 90min",
        metavar="TIME", local=True,
    )  # fmt: skip
    hold_out: bool = option(
        False,
        "judge finalists on held-out images, too, and on the test images "
        "only the network (done where there is val/ beside test/)",
    )
    output: str | None = option(None, "folder (default: runs/choose-DATA-BUDGET)", metavar="DIR",
                                local=True)  # fmt: skip
    workers: int | None = _workers()
    cluster: str | None = _cluster()
    cores_per_run: int = _cores_per_run()
    precision: Precision | None = _precision()
    copies: int | None = _copies()
    retry_failed: bool = _retry()
    no_pilot: bool = _no_pilot()
    plan: bool = _plan()
    probes: str | None = _study_probes()
    keep_weights: bool = _keep_weights()


@dataclass(frozen=True, kw_only=True, slots=True)
class Convert:
    """Weights from one naming to another."""

    source: str = positional(..., "a file or folder of weights, or hf:OWNER/NAME on the hub")
    target: str = positional(..., "a .safetensors, .pth, .pt or .bin file")
    changes: tuple[str, ...] = _changes()
    read_as: Literal["auto", Naming] = option(
        "auto", f"auto, {', '.join(get_args(Naming))}", name="from", metavar="NAMING"
    )
    write_as: Naming = option("nextify", "default: nextify", name="to", metavar="NAMING")
    design: str | None = option(None, "that the weights are of (default: told from their shapes)",
                                metavar="NAME")  # fmt: skip
    class_names: str | None = option(None, "one a line, in the order of the outputs",
                                     metavar="FILE")  # fmt: skip
    wrapper: str | None = option(
        None, "which of several sets of weights in the file, as model_ema", metavar="KEY"
    )
    allow_nonfinite: bool = option(False, "write NaN and infinite weights too")


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A trained network as a file for another runtime, checked on images."""

    network: str = positional(..., "a folder that train made, a file or folder of weights in any "
                              "naming, or hf:OWNER/NAME on the hub")  # fmt: skip
    output: str = positional(..., "a .onnx file, .xml (OpenVINO) or .pt2 (torch.export)",
                             metavar="OUT")  # fmt: skip
    with_preprocessing: bool = option(False, "takes images of 8 bits, and normalises them itself")
    int8: bool = option(False, "weights and activations of 8 bits: their ranges are told by "
                        "training images of --data, their cost by its test images")  # fmt: skip
    most_loss: float = option(
        0.5, "of accuracy by --int8, at the upper end of the interval (default: 0.5)",
        metavar="POINTS", most=100, such_as="a size above 0, as 0.5", needs="int8",
    )  # fmt: skip
    reduce_range: bool = option(False, "by --int8 weights of 7 bits, as on a processor of x86 "
                                "without VNNI in any case", needs="int8")  # fmt: skip
    speed: bool = option(True, "measure it beside torch (default: yes)")
    threads: int | None = _threads()
    data: DataSpec = _group(DataSpec)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleMixers:
    """Attention, recurrence, convolution, MLP."""

    only: str | None = option(None, "as 'attention,mlp ratio=2' (default: all)", metavar="NAME,...")
    formulas: bool = option(False, "the laws alone, at once")
    axis: Literal["N", "D"] | None = option(None, "tokens or their width (default: both)",
                                            metavar="N|D")  # fmt: skip
    sizes: str | None = option(None, "along the axis (default: where one term dominates)",
                               metavar="N,...")  # fmt: skip
    sizes_of: str | None = option(None, "at the same sizes as in a file that --save wrote",
                                  metavar="FILE")  # fmt: skip
    tokens: int | None = _many_of(
        "while the width varies (default: 64); in the plane the nearest square of whole windows",
        "N",
    )
    width: int | None = _many_of("while the tokens vary (default: 32)", "D")
    batch: int | None = _many_of("sequences (default: 1 over N, 4 over D)", "B")
    step: Literal["forward", "training"] | None = option(None, "what is timed (default: forward)")
    rounds: int | None = _rounds("of timing, all sizes in turn (default: 5)")
    seconds: float | None = option(
        None, "of a call at the largest size, about (default: 0.15)", metavar="S", most=3600,
        such_as="a number above 0, at most 3600",
    )  # fmt: skip
    memory: str | None = _memory()
    threads: int | None = _threads("of torch (default: one per core)")
    save: str | None = _save("keep what is measured there, and go on from it")
    figure: str | None = _figure("draw it: mixers.* and mixer-lines.*")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleNetworks:
    """ResNet, ConvNeXt, ViT, Swin over image sizes."""

    only: str | None = option(
        None, "as 'resnet-50,swin-t window=8' (default: one of each kind, of 4 to 5 GMACs)",
        metavar="DESIGN,...",
    )  # fmt: skip
    formulas: bool = option(False, "nothing measured, at once")
    sizes: str | None = option(None, "of images, in pixels (default: ten, 32 to 1024)",
                               metavar="N,...")  # fmt: skip
    max_size: int | None = option(None, "none larger, in pixels", metavar="N",
                                  least=1, most=MOST_PIXELS)  # fmt: skip
    quick: bool = option(False, "up to 256 pixels, 3 rounds")
    rounds: int | None = _rounds("of timing, all networks in turn (default: 7)")
    memory: str | None = _memory()
    threads: int | None = _threads("of torch (default: one per core)")
    save: str | None = _save("keep what is measured there, and go on from it")
    figure: str | None = _figure("draw it: networks.* and attention-share.*")
    classes: int | None = option(None, "outputs of the classifier", metavar="N",
                                 least=1, most=10**9)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class ScaleSequence:
    """A next-word model with two of the mixers."""

    seeds: int = option(5, "splits of the text, for both models (default: 5)", metavar="N",
                        least=2, most=100)  # fmt: skip
    epochs: int | None = option(None, "of training", metavar="N", least=1, most=1000)
    rounds: int = _rounds("of timing, all sizes in turn (default: 5)", 5)
    threads: int = _threads("of torch (default: 1: the models are small)", 1)
    save: str | None = _save("keep trained models' results there, and go on from it")
    say: str | None = option(None, "only train both once and let them go on with these",
                             metavar="WORDS")  # fmt: skip
    figure: str | None = _figure("draw it: sequence.svg, .png and .pdf")


Request = (
    Path | Designs | Cost | Show | Recipe | Fit | Bench | Data | Train | Evaluate | Predict | Probe
    | Study | Report | Compare | Attribute | Choose | Convert | Export
    | ScaleMixers | ScaleNetworks | ScaleSequence
)  # fmt: skip


def command_of(kind: type) -> str:
    """The command of a kind of request.

    >>> command_of(ScaleMixers)
    'scale mixers'
    """
    return re.sub(r"(?<!^)(?=[A-Z])", " ", kind.__name__).lower()


REQUESTS: dict[str, type[Request]] = {command_of(kind): kind for kind in get_args(Request)}
StudyRequest = Study | Compare | Choose  # what makes plans of many runs
