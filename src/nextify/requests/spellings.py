"""Fields of designs and recipes spelled as options, and what other programs call an option.

`--epochs 20` asks for what `epochs=20` does, wherever fields are taken. An option that a command
has itself keeps its meaning.
"""

from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Any

from nextify.designs import Design, Recipe, Swin, Vit
from nextify.designs.fields import hints
from nextify.errors import InputError, unknown
from nextify.requests.commands import Request, command_of
from nextify.requests.options import entries, field_entry


@cache
def _fields() -> dict[str, tuple[str, Any]]:
    """Fields and their types, by the options that they can be spelled as."""
    every = {**hints(Design), **hints(Vit), **hints(Swin), **hints(Recipe)}
    return {_option(name): (name, hint) for name, hint in every.items() if name != "kind"}


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def apart(kind: type[Request], words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words of a command without the fields among its options, and these as FIELD=VALUE.

    Options are known with underscores, too: so they are called in TOML and in Python.

    >>> from nextify.requests import Train
    >>> apart(Train, ["vit-mini", "--epochs", "3", "--seed=1", "--no-flip", "--new_head"])
    (['vit-mini', '--seed=1', '--new-head'], ['epochs=3', 'flip=false'])

    Raises:
        InputError: a field without a value.
    """
    rest: list[str] = []
    found: list[str] = []
    left, takes = deque(words), _takes_value(kind)
    fields = _fields() if field_entry(kind) else {}
    former = {_option(e.about.former): e.option for e in entries(kind) if e.about.former}
    off = {f"--no-{option[2:]}": name for option, (name, hint) in fields.items() if hint is bool}
    while left and left[0] != "--":
        word = left.popleft()
        option, equals, value = word.partition("=")
        option = _option(option[2:]) if option.startswith("--") else option
        option = former.get(option, option)
        if option in takes:
            rest.append(option + equals + value)
            if takes[option] and not equals and left and left[0] != "--":
                rest.append(left.popleft())  # whatever it is, it is no option
        elif option in fields:
            name, hint = fields[option]
            found.append(f"{name}={value if equals else _value(kind, option, left, hint)}")
        elif option in off and not equals:
            found.append(f"{off[option]}=false")
        else:
            rest.append(word)
    return [*rest, *left], found


def _takes_value(kind: type[Request]) -> dict[str, bool]:
    """The options of a command, and whether each is followed by its value."""
    found = {"--help": False, "-h": False, "--json": False}
    for entry in entries(kind):
        if not entry.about.positional:
            found[entry.option] = entry.inner is not bool
            if entry.inner is bool and entry.default:
                found[f"--no-{entry.option[2:]}"] = False
    return found


def _value(kind: type[Request], option: str, left: deque[str], hint: Any) -> str:
    """The value of a field; none stands for true."""
    if hint is bool and not (left and left[0].lower() in ("true", "false")):
        return "true"
    if not left or left[0].startswith("--"):
        raise InputError(f"{option}: expected one argument (see `nextify {command_of(kind)} "
                         "--help`)")  # fmt: skip
    return left.popleft()


# By what other programs (timm, torchvision, ultralytics, keras, Lightning, fastai) call it: what it
# may be here, the first that the command has.
ELSEWHERE = {
    "lr lr0 base-lr blr l": "learning_rate",
    "bs batch b batchsize train-batch-size per-device-train-batch-size": "batch_size",
    "epoch num-epochs nb-epochs n-epochs max-epochs num-train-epochs e": "epochs",
    "wd decay": "weight_decay",
    "opt optim": "optimizer",
    "sched scheduler lr-scheduler lr-scheduler-type lrf": "schedule",
    "smoothing": "label_smoothing",
    "drop-path drop-path-rate": "stochastic_depth",
    "reprob": "random_erasing",
    "aa auto-augment": "randaugment",
    "hflip fliplr": "flip",
    "scale min-scale crop-scale": "crop_area",
    "clip-grad grad-clip": "gradient_clip",
    "model-ema model-ema-decay ema": "ema_decay",
    "warmup": "warmup_epochs",
    "freeze": "trainable",
    "class-weight class-weights weighted balanced": "balance",
    "grad-accum grad-accum-steps gradient-accumulation-steps accumulate-grad-batches": "accumulate",
    "early-stopping early-stopping-patience early-stop": "patience",
    "swa swa-epochs checkpoint-hist": "average_epochs",
    "log-dir logger tensorboard log-wandb report-to": "log",
    "img-size imgsz img input-size size resolution crop-size train-crop-size": "image_size",
    "val-resize-size val-crop-size": "test_image_size",
    "num-classes nb-classes n-classes nc": "classes",
    "model arch architecture a network net backbone": "design designs networks network path name",
    "gpus gpu cuda accelerator devices n-gpu": "device workers",
    "num-workers nw j": "loaders workers",
    "dataset data-dir data-path data-root dataset-path root train-dir d": "data",
    "out out-dir output-dir save-dir project o": "output report file",
    "pretrained ckpt checkpoint ckpt-path initial-checkpoint finetune": "weights",
    "amp fp16 bf16 half dtype mixed-precision": "precision",
    "random-seed manual-seed s": "seed first_seed",
    "dry-run n": "plan",
    "compile torchcompile torch-compile runtime backend": "runtimes",
}  # fmt: skip
_BY_THEIRS = {name: ours.split() for theirs, ours in ELSEWHERE.items() for name in theirs.split()}


def unknown_option(kind: type[Request], option: str) -> InputError:
    """An `InputError` for an option that a command does not have, with what is meant by it."""
    known = [name for name in _takes_value(kind) if name.startswith("--")]
    fields = [] if field_entry(kind) is None else list(_fields())
    prog = f"nextify {command_of(kind)}"
    meant = _meant(kind, _option(option.lstrip("-").lower())[2:])
    if meant is not None:
        return InputError(f"unknown option of `{prog}`: {option!r}; {meant} (see `{prog} --help`)")
    return unknown(f"option of `{prog}`:", option, known, also=fields)


def _meant(kind: type[Request], theirs: str) -> str | None:
    """What an option of another program is called here; None if that is not known."""
    ours = _BY_THEIRS.get(theirs, ())
    known = {entry.key: entry for entry in entries(kind)}
    for name in ours:
        if name in known and known[name].about.positional:
            return f"it stands by its place: `nextify {command_of(kind)} {name.upper()}`"
        if name in known:
            return f"here it is {known[name].option}"
        if field_entry(kind) is not None and _option(name) in _fields():
            return f"here it is {_option(name)}, or {name}=VALUE"
    if "classes" in ours and "data" in known:
        return "the folders of --data are the classes; leave it out"
    return "the same command goes on where it stopped; leave it out" if theirs == "resume" else None
