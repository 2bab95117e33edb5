"""The command line's grammar. Reading it imports nothing heavy."""

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NoReturn

from nextify import __version__
from nextify.errors import InputError, unknown

OVERRIDES = "fields to change, as stem_stride=2 or epochs=20"
DATA = "'embedded', a public data set by name, or a folder of images"
SEEDS = 2**63  # seeds are below this
EXPERIMENTS = (
    "path", "leave-one-out", "add-one-in", "resolution-4", "resolution-5", "full", "permutations",
    "augmented",
)  # fmt: skip
METRICS = ("accuracy", "nll", "logit-accuracy")
NAMINGS = ("nextify", "official", "timm", "torchvision")  # of weights
MOST_PIXELS = 1 << 14  # a side; far beyond any image that a classifier sees


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `InputError`s in one line, with the nearest name.

    Options are not abbreviated: a script that says `--see` would break with the next option.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message.removeprefix('argument ')} (see `{self.prog} --help`)")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            name = f"value of {action.option_strings[-1]}" if action.option_strings else action.dest
            raise unknown(name, str(value), map(str, action.choices))


class Command(Parser):
    """A command's parser: options may stand before, between and after its other arguments."""

    _is_mixing = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        # argparse calls this method from within the next one, and cannot mix before a subject.
        if self._is_mixing or self._subparsers is not None:
            return super().parse_known_args(args, namespace)
        self._require_values(list(args or ()))
        self._is_mixing = True
        try:
            found, left = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_mixing = False
        if left:
            raise self._unexpected(left)
        return found, left

    def _require_values(self, args: list[str]) -> None:
        """Name a value that would be taken for an option, because it begins with a dash."""
        end = args.index("--") if "--" in args else len(args)
        for option, text in pairwise(args[:end]):
            action = self._option_string_actions.get(option)
            if action is None or action.nargs == 0 or not text.startswith("-"):
                continue
            is_option = text.partition("=")[0] in self._option_string_actions
            if text != "-" and not is_option and not self._negative_number_matcher.match(text):
                raise InputError(
                    f"{option} is followed by {text!r}, which begins with a dash and is no option "
                    f"of `{self.prog}`; where it is the value, write {option}={text}"
                )

    def _unexpected(self, left: list[str]) -> InputError:
        option = next((text for text in left if text.startswith("-")), None)
        if option is None:
            return InputError(f"unexpected argument {left[0]!r}; see `{self.prog} --help`")
        known = [name for name in self._option_string_actions if name.startswith("--")]
        return unknown(f"option of `{self.prog}`:", option.partition("=")[0], known)


def whole(least: int, most: int) -> Callable[[str], int]:
    """Reads a whole number within bounds, for an option's `type`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            limit = "2^63 - 1" if most == SEEDS - 1 else f"{most:,}"
            raise argparse.ArgumentTypeError(
                f"it is {text!r}; give a whole number from {least} to {limit}"
            )
        return value

    return read


def pixels(text: str) -> int | tuple[int, int]:
    """Reads `"224"` or `"224x320"` (height x width), for an option's `type`."""
    try:
        sides = [int(part) for part in text.lower().replace("×", "x").split("x")]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2) or not 1 <= min(sides) <= max(sides) <= MOST_PIXELS:
        raise argparse.ArgumentTypeError(
            f"it is {text!r}; give pixels, as 224 or 224x320, at most {MOST_PIXELS:,}"
        )
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])


def seconds(text: str) -> float:
    """Reads a number of seconds up to a day, for an option's `type`."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 86_400:
        raise argparse.ArgumentTypeError(f"it is {text!r}; give seconds, as 3 or 0.5")
    return value


def positive(text: str) -> float:
    """Reads a number above 0, at most an hour's seconds, for an option's `type`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError(f"it is {text!r}; give a number above 0, at most 3600")
    return value


def filled(text: str) -> str:
    """Reads a text that is not empty, for an option's `type`: an empty one is a slip of a script
    (`--output "$UNSET"`) and not a wish for the default."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty; give a value or leave the option out")
    return text


def make_parser() -> Parser:
    """The parser with all commands."""
    parser = Parser(
        prog="nextify",
        description="From ResNet to ConvNeXt, one design choice at a time.",
        epilog="A design is a name plus any of its fields: convnext-tiny stem_stride=2.",
    )
    parser.add_argument("--version", action="version", version=f"nextify {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=Command)
    _reading(commands)
    _fitting(commands)
    _benching(commands)
    _training(commands)
    _studying(commands)
    _comparing(commands)
    _attributing(commands)
    _choosing(commands)
    _converting(commands)
    _scaling(commands)
    return parser


def _reading(commands: "argparse._SubParsersAction[Command]") -> None:
    path = commands.add_parser("path", help="the steps from ResNet to ConvNeXt, with their costs")
    path.add_argument("name", help="resnet50, resnet200 or small")
    _overrides(path)
    _sizes(path)
    designs = commands.add_parser("designs", help="all named designs, with their costs")
    _sizes(designs)
    cost = commands.add_parser("cost", help="parameters, MACs and memory of a design")
    _design(cost)
    _sizes(cost)
    cost.add_argument("--layers", action="store_true", help="per layer, not only per stage")
    show = commands.add_parser("show", help="the layers of a design")
    _design(show)
    _sizes(show)
    recipe = commands.add_parser("recipe", help="a training recipe, field by field")
    recipe.add_argument("name", nargs="?", help="such as modern, modern-small or finetune")
    _overrides(recipe)
    for command in (path, designs, cost, show, recipe):
        _json(command)


def _fitting(commands: "argparse._SubParsersAction[Command]") -> None:
    fit = commands.add_parser("fit", help="designs that use a budget best")
    _budgets(fit)
    fit.add_argument("--latency", type=filled, metavar="TIME",
                     help="measured here, for one image, as 20ms")  # fmt: skip
    fit.add_argument("--base", type=filled, default="convnext-tiny", metavar="DESIGN",
                     help="all but depths and widths (default: convnext-tiny)")  # fmt: skip
    fit.add_argument("--free", type=filled, metavar="FIELD,...",
                     help="fields to choose besides depths and widths, as kernel_size")  # fmt: skip
    fit.add_argument("--multiple-of", type=whole(1, 2048), default=1, metavar="N",
                     help="all widths are multiples of N (default: 1)")  # fmt: skip
    fit.add_argument("--count", type=whole(1, 1000), default=5, metavar="N",
                     help="designs to print (default: 5)")  # fmt: skip
    fit.add_argument("--threads", type=whole(1, 1024), metavar="N",
                     help="processor threads, for --latency")  # fmt: skip
    _device(fit)
    _sizes(fit)
    _json(fit)


def _budgets(command: Command) -> None:
    command.add_argument("--params", type=filled, metavar="N", help="at most so many, as 12M")
    command.add_argument("--macs", type=filled, metavar="N",
                         help="multiply-accumulates, at most so many, as 2.2G")  # fmt: skip
    command.add_argument("--activation-memory", type=filled, metavar="BYTES",
                         help="kept in training for one image, as 200MB or 190MiB")  # fmt: skip
    command.add_argument("--like", type=filled, metavar="DESIGN",
                         help="budgets that are not given are what this design costs")  # fmt: skip


def _benching(commands: "argparse._SubParsersAction[Command]") -> None:
    bench = commands.add_parser("bench", help="time and memory of designs on this machine")
    bench.add_argument("designs", nargs="+", metavar="NAME|FIELD=VALUE",
                       help="designs by name, and fields to change in all of them")  # fmt: skip
    bench.add_argument("--beside", choices=("timm", "torchvision", "none"), metavar="LIBRARY",
                       help="timm, torchvision or none (default: timm if it is there)")  # fmt: skip
    bench.add_argument("--batch-size", type=whole(1, 1 << 20), default=16, metavar="N",
                       help="of throughput and training (default: 16)")  # fmt: skip
    bench.add_argument("--training", action=argparse.BooleanOptionalAction, default=True,
                       help="measure a training step (default: yes)")  # fmt: skip
    bench.add_argument("--memory", action=argparse.BooleanOptionalAction, default=True,
                       help="measure peak memory (default: yes)")  # fmt: skip
    bench.add_argument("--compile", action="store_true", help="by torch.compile, both networks")
    bench.add_argument("--memory-format", choices=("channels_last", "contiguous"),
                       default="channels_last", metavar="FORMAT",
                       help="of the network beside (default: channels_last)")  # fmt: skip
    bench.add_argument("--seconds", type=seconds, default=3.0, metavar="S",
                       help="for each network and measurement (default: 3)")  # fmt: skip
    bench.add_argument("--repeats", type=whole(1, 1_000_000), metavar="N",
                       help="rounds, instead of --seconds")  # fmt: skip
    bench.add_argument("--precision", choices=("float32", "bfloat16"), default="float32",
                       help="default: float32")  # fmt: skip
    bench.add_argument("--threads", type=whole(1, 1024), metavar="N", help="processor threads")
    _device(bench)
    _sizes(bench)
    _json(bench)


def _training(commands: "argparse._SubParsersAction[Command]") -> None:
    train = commands.add_parser("train", help="train one network, from scratch or from weights")
    train.add_argument("design", nargs="?",
                       help="name of a design (default: that of --weights)")  # fmt: skip
    _overrides(train)
    train.add_argument("--weights", type=filled, metavar="SOURCE",
                       help="to start from: a file, a folder, or hf:OWNER/NAME")  # fmt: skip
    train.add_argument("--new-head", action="store_true",
                       help="draw the classifier anew in any case")  # fmt: skip
    _data(train)
    train.add_argument("--recipe", default="modern", help="by name (default: modern)")
    train.add_argument("--seed", type=whole(0, SEEDS - 1), default=0, help="default: 0")
    train.add_argument("--output", type=filled, metavar="DIR",
                       help="where the network goes (default: runs/...)")  # fmt: skip
    _machine(train)
    evaluate = commands.add_parser("evaluate", help="score a trained network on test images")
    evaluate.add_argument(
        "network", type=filled, help="a network file, or the folder that train made"
    )
    _data(evaluate)
    for command in (train, evaluate):
        command.add_argument("--test-image-size", type=whole(1, MOST_PIXELS), metavar="N",
                             help="pixels a side of the test images, where another")  # fmt: skip
    _machine(evaluate)
    predict = commands.add_parser("predict", help="classify images")
    predict.add_argument(
        "network", type=filled, help="a network file, or the folder that train made"
    )
    predict.add_argument("images", nargs="+", type=filled, help="image files or folders of them")
    predict.add_argument("--top", type=whole(1, 10**6), default=3, metavar="N",
                         help="classes an image (default: 3)")  # fmt: skip
    predict.add_argument("--skip-unreadable", action="store_true", help="leave out, and count")
    _device(predict)
    for command in (train, evaluate, predict):
        _json(command)


def _studying(commands: "argparse._SubParsersAction[Command]") -> None:
    study = commands.add_parser(
        "study", help="train every step of a path, or an experiment on its choices, and report"
    )
    study.add_argument("path", help="small, resnet50 or resnet200")
    _overrides(study)
    _data(study)
    _experiment(study)
    _runs(study, "runs/PATH-DATA.study")
    report = commands.add_parser("report", help="write the report of a study")
    report.add_argument("file", type=filled, help="study file")
    report.add_argument("--output", type=filled, metavar="DIR",
                        help="folder (default: beside the file)")  # fmt: skip
    for command in (study, report):
        _json(command)


def _runs(study: Command, default_file: str) -> None:
    """Options of what trains many runs into a study file."""
    study.add_argument("--file", type=filled, metavar="FILE",
                       help=f"study file (default: {default_file})")  # fmt: skip
    study.add_argument("--seeds", type=whole(1, 1000), default=2, metavar="N",
                       help="runs of each network (default: 2)")  # fmt: skip
    study.add_argument("--first-seed", type=whole(0, SEEDS - 1000), default=0, metavar="S",
                       help="default: 0")  # fmt: skip
    study.add_argument("--workers", type=whole(1, 1024), metavar="N",
                       help="default: one per core or GPU")  # fmt: skip
    study.add_argument("--precision", choices=("float32", "bfloat16"),
                       help="default: bfloat16 on a GPU, else float32")  # fmt: skip
    study.add_argument("--report", type=filled, metavar="DIR",
                       help="report folder (default: beside the file)")  # fmt: skip
    study.add_argument("--retry-failed", action="store_true", help="run again what failed")
    study.add_argument("--plan", action="store_true", help="show the plan, and train nothing")


def _comparing(commands: "argparse._SubParsersAction[Command]") -> None:
    compare = commands.add_parser(
        "compare", help="networks beside one another, on a few images or on many"
    )
    compare.add_argument("networks", nargs="+", metavar="NAME|FIELD=VALUE",
                         help="networks by name, fields to change after each; before the first "
                         "name: in all")  # fmt: skip
    compare.add_argument("--images", type=filled, metavar="N,...",
                         help="numbers of training images, or parts of all: 1/16,1/4,1 "
                         "(default: all)")  # fmt: skip
    compare.add_argument("--most-epochs", type=whole(1, 10**6), metavar="N",
                         help="on fewer images as many updates as on all, within N epochs "
                         "(default: equal epochs)")  # fmt: skip
    compare.add_argument("--matched", choices=("macs", "params"),
                         help="rescale widths so that all networks cost the same")  # fmt: skip
    compare.add_argument("--target", type=filled, metavar="N",
                         help="that cost, as 4M (default: the first network's)")  # fmt: skip
    compare.add_argument("--rates", type=filled, metavar="X,...",
                         help="every network at these multiples of the rate: 0.5,1,2")  # fmt: skip
    compare.add_argument("--recipe", type=filled, default="modern-small", metavar="NAME",
                         help="of all networks (default: modern-small)")  # fmt: skip
    compare.add_argument("--hold-out", action="store_true",
                         help="test on a fifth of the training images, to choose by")  # fmt: skip
    _data(compare)
    _runs(compare, "runs/compare-DATA.study")
    compare.add_argument("--no-pilot", action="store_true", help="time nothing before the start")
    _json(compare)


def _attributing(commands: "argparse._SubParsersAction[Command]") -> None:
    attribute = commands.add_parser(
        "attribute", help="which choice made the difference: what an experiment's factors add"
    )
    attribute.add_argument("file", type=filled, help="study file of an experiment")
    attribute.add_argument("beside", type=filled, nargs="?", metavar="FILE2",
                           help="one on the same factors at equal cost")  # fmt: skip
    attribute.add_argument("--metric", choices=METRICS, default="accuracy", metavar="SCORE",
                           help=f"{', '.join(METRICS)} (default: accuracy)")  # fmt: skip
    attribute.add_argument("--output", type=filled, metavar="DIR",
                           help="report folder (default: beside the file)")  # fmt: skip
    attribute.add_argument("--crosscheck", action="store_true",
                           help="print what Optuna's fANOVA and shapiq say, too")  # fmt: skip
    _json(attribute)


def _experiment(study: Command) -> None:
    study.add_argument("--experiment", choices=EXPERIMENTS, default="path", metavar="KIND",
                       help=f"{', '.join(EXPERIMENTS)} (default: path)")  # fmt: skip
    study.add_argument("--factors", type=filled, metavar="CHOICE+CHOICE,...",
                       help="default: eight groups of choices; 'recipe' is one too")  # fmt: skip
    study.add_argument("--matched", choices=("macs", "params"),
                       help="rescale widths so that all networks cost the same")  # fmt: skip
    study.add_argument("--target", type=filled, metavar="N",
                       help="that cost, as 4M (default: the geometric mean)")  # fmt: skip
    study.add_argument("--rates", type=filled, metavar="X,...",
                       help="learning rates to cross with the rest, relative: 0.5,1,2")  # fmt: skip
    study.add_argument("--end-seeds", type=whole(0, 1000), metavar="N",
                       help="more runs of both end cells (default: 4)")  # fmt: skip
    study.add_argument("--orders", type=whole(1, 10_000), default=8, metavar="N",
                       help="sampled orders, for permutations (default: 8)")  # fmt: skip
    study.add_argument("--fold-over", type=filled, metavar="FACTOR",
                       help="add reversed cells to an experiment: 'all', or a factor")  # fmt: skip
    study.add_argument("--add-cells", type=whole(1, 8192), metavar="N",
                       help="add the N cells that tell most to an experiment")  # fmt: skip
    study.add_argument("--sigma", type=filled, metavar="POINTS",
                       help="spread between seeds, in points, to forecast intervals")  # fmt: skip
    study.add_argument("--no-pilot", action="store_true", help="time nothing before the start")


def _choosing(commands: "argparse._SubParsersAction[Command]") -> None:
    choose = commands.add_parser(
        "choose", help="the design to use on your images under your budget, and its network"
    )
    _overrides(choose)
    _budgets(choose)
    _data(choose)
    choose.add_argument("--path", type=filled, metavar="NAME",
                        help="whose choices are tried (default: small up to 64 pixels, else "
                        "resnet50)")  # fmt: skip
    choose.add_argument("--experiment", choices=EXPERIMENTS[1:], default="resolution-4",
                        metavar="KIND", help="screening (default: resolution-4)")  # fmt: skip
    choose.add_argument("--factors", type=filled, metavar="CHOICE+CHOICE,...",
                        help="default: eight groups of choices; 'recipe' is one too")  # fmt: skip
    choose.add_argument("--seeds", type=whole(1, 1000), default=2, metavar="N",
                        help="of each network in the screening (default: 2)")  # fmt: skip
    choose.add_argument("--finalists", type=whole(1, 100), default=4, metavar="N",
                        help="besides the path's start and end (default: 4)")  # fmt: skip
    choose.add_argument("--reshaped", type=whole(0, 100), default=1, metavar="N",
                        help="of them, to try at other depths, too (default: 1)")  # fmt: skip
    choose.add_argument("--final-seeds", type=whole(1, 1000), default=5, metavar="N",
                        help="fresh ones, of each finalist (default: 5)")  # fmt: skip
    choose.add_argument("--output", type=filled, metavar="DIR",
                        help="folder (default: runs/choose-DATA-BUDGET)")  # fmt: skip
    choose.add_argument("--workers", type=whole(1, 1024), metavar="N",
                        help="default: one per core or GPU")  # fmt: skip
    choose.add_argument("--precision", choices=("float32", "bfloat16"),
                        help="default: bfloat16 on a GPU, else float32")  # fmt: skip
    choose.add_argument("--retry-failed", action="store_true", help="run again what failed")
    choose.add_argument("--no-pilot", action="store_true", help="time nothing before the start")
    choose.add_argument("--plan", action="store_true", help="show the plan, and train nothing")
    _json(choose)


def _converting(commands: "argparse._SubParsersAction[Command]") -> None:
    convert = commands.add_parser("convert", help="weights from one naming to another")
    convert.add_argument(
        "source", type=filled, help="a file or folder of weights, or hf:OWNER/NAME on the hub"
    )
    convert.add_argument("target", type=filled, help="a .safetensors, .pth, .pt or .bin file")
    _overrides(convert)
    convert.add_argument("--from", dest="read_as", choices=("auto", *NAMINGS), default="auto",
                         metavar="NAMING", help=f"auto, {', '.join(NAMINGS)}")  # fmt: skip
    convert.add_argument("--to", dest="write_as", choices=NAMINGS, default="nextify",
                         metavar="NAMING", help="default: nextify")  # fmt: skip
    convert.add_argument(
        "--design",
        type=filled,
        metavar="NAME",
        help="that the weights are of (default: told from their shapes)",
    )
    convert.add_argument("--class-names", type=filled, metavar="FILE",
                         help="one a line, in the order of the outputs")  # fmt: skip
    convert.add_argument(
        "--wrapper",
        type=filled,
        metavar="KEY",
        help="which of several sets of weights in the file, as model_ema",
    )
    convert.add_argument("--allow-nonfinite", action="store_true",
                         help="write NaN and infinite weights too")  # fmt: skip
    _json(convert)


def _scaling(commands: "argparse._SubParsersAction[Command]") -> None:
    scale = commands.add_parser(
        "scale", help="laws of scaling: formula, count and measurement side by side"
    )
    subjects = scale.add_subparsers(
        dest="subject", metavar="subject", required=True, parser_class=Command
    )
    _mixers(subjects.add_parser("mixers", help="attention, recurrence, convolution, MLP"))
    _networks(subjects.add_parser("networks", help="ResNet, ConvNeXt, ViT, Swin over image sizes"))
    _sequence(subjects.add_parser("sequence", help="a next-word model with two of the mixers"))


def _networks(networks: Command) -> None:
    networks.add_argument("--only", type=filled, metavar="DESIGN,...",
                          help="as 'resnet-50,swin-t window=8' (default: one of each kind, of "
                               "4 to 5 GMACs)")  # fmt: skip
    networks.add_argument("--formulas", action="store_true", help="nothing measured, at once")
    networks.add_argument("--sizes", type=filled, metavar="N,...",
                          help="of images, in pixels (default: ten, 32 to 1024)")  # fmt: skip
    networks.add_argument("--max-size", type=whole(1, MOST_PIXELS), metavar="N",
                          help="none larger, in pixels")  # fmt: skip
    networks.add_argument("--quick", action="store_true",
                          help="up to 256 pixels, 3 rounds")  # fmt: skip
    networks.add_argument("--rounds", type=whole(1, 1000), metavar="N",
                          help="of timing, all networks in turn (default: 7)")  # fmt: skip
    networks.add_argument("--memory", type=filled, metavar="BYTES",
                          help="at the most, as 4GiB (default: half of the machine's)")  # fmt: skip
    networks.add_argument("--threads", type=whole(1, 1024), metavar="N",
                          help="of torch (default: one per core)")  # fmt: skip
    networks.add_argument("--save", type=filled, metavar="FILE",
                          help="keep what is measured there, and go on from it")  # fmt: skip
    networks.add_argument("--figure", type=filled, metavar="DIR",
                          help="draw it: networks.* and attention-share.*")  # fmt: skip
    _classes(networks)
    _json(networks)


def _mixers(mixers: Command) -> None:
    mixers.add_argument("--only", type=filled, metavar="NAME,...",
                        help="as 'attention,mlp ratio=2' (default: all)")  # fmt: skip
    mixers.add_argument("--formulas", action="store_true", help="the laws alone, at once")
    mixers.add_argument("--axis", choices=("N", "D"), metavar="N|D",
                        help="tokens or their width (default: both)")  # fmt: skip
    mixers.add_argument("--sizes", type=filled, metavar="N,...",
                        help="along the axis (default: where one term dominates)")  # fmt: skip
    mixers.add_argument("--sizes-of", type=filled, metavar="FILE",
                        help="at the same sizes as in a file that --save wrote")  # fmt: skip
    mixers.add_argument("--tokens", type=whole(1, 1 << 20), metavar="N",
                        help="while the width varies (default: 64)")  # fmt: skip
    mixers.add_argument("--width", type=whole(1, 1 << 20), metavar="D",
                        help="while the tokens vary (default: 32)")  # fmt: skip
    mixers.add_argument("--batch", type=whole(1, 1 << 20), metavar="B",
                        help="sequences (default: 1 over N, 4 over D)")  # fmt: skip
    mixers.add_argument("--step", choices=("forward", "training"),
                        help="what is timed (default: forward)")  # fmt: skip
    mixers.add_argument("--rounds", type=whole(1, 1000), metavar="N",
                        help="of timing, all sizes in turn (default: 5)")  # fmt: skip
    mixers.add_argument("--seconds", type=positive, metavar="S",
                        help="of a call at the largest size, about (default: 0.15)")  # fmt: skip
    mixers.add_argument("--memory", type=filled, metavar="BYTES",
                        help="at the most, as 4GiB (default: half of the machine's)")  # fmt: skip
    mixers.add_argument("--threads", type=whole(1, 1024), metavar="N",
                        help="of torch (default: one per core)")  # fmt: skip
    mixers.add_argument("--save", type=filled, metavar="FILE",
                        help="keep what is measured there, and go on from it")  # fmt: skip
    mixers.add_argument("--figure", type=filled, metavar="DIR",
                        help="draw it: mixers.* and mixer-lines.*")  # fmt: skip
    _json(mixers)


def _sequence(sequence: Command) -> None:
    sequence.add_argument("--seeds", type=whole(2, 100), default=5, metavar="N",
                          help="splits of the text, for both models (default: 5)")  # fmt: skip
    sequence.add_argument("--epochs", type=whole(1, 1000), metavar="N", help="of training")
    sequence.add_argument("--rounds", type=whole(1, 1000), default=5, metavar="N",
                          help="of timing, all sizes in turn (default: 5)")  # fmt: skip
    sequence.add_argument("--threads", type=whole(1, 1024), default=1, metavar="N",
                          help="of torch (default: 1: the models are small)")  # fmt: skip
    sequence.add_argument("--save", type=filled, metavar="FILE",
                          help="keep trained models' results there, and go on from it")  # fmt: skip
    sequence.add_argument("--say", type=filled, metavar="WORDS",
                          help="only train both once and let them go on with these")  # fmt: skip
    sequence.add_argument("--figure", type=filled, metavar="DIR",
                          help="draw it: sequence.svg, .png and .pdf")  # fmt: skip
    _json(sequence)


def _design(command: Command) -> None:
    command.add_argument("design", help="name of a design (`nextify designs` lists them)")
    _overrides(command)


def _overrides(command: Command) -> None:
    command.add_argument("overrides", nargs="*", default=[], metavar="FIELD=VALUE", help=OVERRIDES)


def _sizes(command: Command) -> None:
    command.add_argument("--image-size", type=pixels, metavar="N[xM]",
                         help="pixels; one side, or HxW")  # fmt: skip
    _classes(command)


def _classes(command: Command) -> None:
    command.add_argument("--classes", type=whole(1, 10**9), metavar="N",
                         help="outputs of the classifier")  # fmt: skip


def _data(command: Command) -> None:
    command.add_argument("--data", default="embedded", help=f"{DATA} (default: embedded)")
    command.add_argument("--image-size", type=whole(1, MOST_PIXELS), metavar="N",
                         help="pixels a side")  # fmt: skip
    command.add_argument("--split-seed", type=whole(0, SEEDS - 1), default=0, metavar="S",
                         help="draws the test images of a folder without any")  # fmt: skip
    command.add_argument("--train-limit", type=whole(1, 10**9), metavar="N",
                         help="use N training images")  # fmt: skip
    command.add_argument("--skip-unreadable", action="store_true", help="leave out, and count")


def _machine(command: Command) -> None:
    _device(command)
    command.add_argument("--precision", choices=("float32", "bfloat16"),
                         help="default: bfloat16 on a GPU, else float32")  # fmt: skip
    command.add_argument("--threads", type=whole(1, 1024), metavar="N",
                         help="processor threads")  # fmt: skip
    command.add_argument("--loaders", type=whole(0, 1024), default=2, metavar="N",
                         help="processes that decode images that do not fit memory")  # fmt: skip


def _device(command: Command) -> None:
    command.add_argument("--device", type=filled,
                         help="cpu or cuda (default: a GPU where there is one)")  # fmt: skip


def _json(command: Command) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
