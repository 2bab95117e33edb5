"""The command line's grammar. Reading it imports nothing heavy."""

import argparse
from typing import NoReturn

from nextify import __version__
from nextify.errors import InputError, unknown

OVERRIDES = "fields to change, as stem_stride=2 or epochs=20"
DATA = "'embedded', a public data set by name, or a folder of images"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are `InputError`s in one line, with the nearest command."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see `{self.prog} --help`)")

    def _check_value(self, action: argparse.Action, value: object) -> None:
        if action.choices is not None and value not in action.choices:
            raise unknown(str(action.metavar or action.dest), str(value), map(str, action.choices))


def make_parser() -> Parser:
    """The parser with all commands."""
    parser = Parser(
        prog="nextify",
        description="From ResNet to ConvNeXt, one design choice at a time.",
        epilog="A design is a name plus any of its fields: convnext-tiny stem_stride=2.",
    )
    parser.add_argument("--version", action="version", version=f"nextify {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=Parser)
    _reading(commands)
    _training(commands)
    _studying(commands)
    return parser


def _reading(commands: "argparse._SubParsersAction[Parser]") -> None:
    path = commands.add_parser("path", help="the steps from ResNet to ConvNeXt, with their costs")
    path.add_argument("name", help="resnet50, resnet200 or small")
    _overrides(path)
    _sizes(path)
    designs = commands.add_parser("designs", help="all named designs, with their costs")
    _sizes(designs)
    cost = commands.add_parser("cost", help="parameters and MACs of a design")
    _design(cost)
    _sizes(cost)
    cost.add_argument("--layers", action="store_true", help="per layer, not only per stage")
    show = commands.add_parser("show", help="the layers of a design")
    _design(show)
    show.add_argument("--classes", type=int, default=1000, help="outputs (default: 1000)")
    recipe = commands.add_parser("recipe", help="a training recipe, field by field")
    recipe.add_argument("name", nargs="?", help="classic, modern, classic-small or modern-small")
    _overrides(recipe)
    for command in (path, designs, cost, show, recipe):
        _json(command)


def _training(commands: "argparse._SubParsersAction[Parser]") -> None:
    train = commands.add_parser("train", help="train one network")
    _design(train)
    _data(train)
    train.add_argument("--recipe", default="modern", help="by name (default: modern)")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--output", metavar="DIR", help="where the network goes (default: runs/...)")
    _machine(train)
    evaluate = commands.add_parser("evaluate", help="score a trained network on test images")
    evaluate.add_argument("network", help="a network file, or the folder that train made")
    _data(evaluate)
    _machine(evaluate)
    predict = commands.add_parser("predict", help="classify images")
    predict.add_argument("network", help="a network file, or the folder that train made")
    predict.add_argument("images", nargs="+", help="image files or folders of them")
    predict.add_argument("--top", type=int, default=3, help="classes an image (default: 3)")
    predict.add_argument("--skip-unreadable", action="store_true", help="leave out, and count")
    predict.add_argument("--device", help="cpu or cuda (default: a GPU where there is one)")
    for command in (train, evaluate, predict):
        _json(command)


def _studying(commands: "argparse._SubParsersAction[Parser]") -> None:
    study = commands.add_parser("study", help="train every step of a path, and report")
    study.add_argument("path", help="small, resnet50 or resnet200")
    _overrides(study)
    _data(study)
    study.add_argument("--file", metavar="FILE", help="study file (default: runs/PATH-DATA.study)")
    study.add_argument("--seeds", type=int, default=2, metavar="N", help="runs a step (default: 2)")
    study.add_argument("--first-seed", type=int, default=0, metavar="S", help="default: 0")
    study.add_argument("--workers", type=int, metavar="N", help="default: one per core or GPU")
    study.add_argument("--precision", choices=("float32", "bfloat16"),
                       help="default: bfloat16 on a GPU, else float32")  # fmt: skip
    study.add_argument("--report", metavar="DIR", help="report folder (default: beside the file)")
    study.add_argument("--retry-failed", action="store_true", help="run again what failed")
    study.add_argument("--plan", action="store_true", help="show the plan, and train nothing")
    report = commands.add_parser("report", help="write the report of a study")
    report.add_argument("file", help="study file")
    report.add_argument("--output", metavar="DIR", help="folder (default: beside the file)")
    for command in (study, report):
        _json(command)


def _design(command: Parser) -> None:
    command.add_argument("design", help="name of a design (`nextify designs` lists them)")
    _overrides(command)


def _overrides(command: Parser) -> None:
    command.add_argument("overrides", nargs="*", metavar="FIELD=VALUE", help=OVERRIDES)


def _sizes(command: Parser) -> None:
    command.add_argument("--image-size", metavar="N[xM]", help="pixels; one side, or HxW")
    command.add_argument("--classes", type=int, help="outputs of the classifier")


def _data(command: Parser) -> None:
    command.add_argument("--data", default="embedded", help=f"{DATA} (default: embedded)")
    command.add_argument("--image-size", type=int, metavar="N", help="pixels a side")
    command.add_argument("--split-seed", type=int, default=0, help="of a folder without a test set")
    command.add_argument("--train-limit", type=int, metavar="N", help="use N training images")
    command.add_argument("--skip-unreadable", action="store_true", help="leave out, and count")


def _machine(command: Parser) -> None:
    command.add_argument("--device", help="cpu or cuda (default: a GPU where there is one)")
    command.add_argument("--precision", choices=("float32", "bfloat16"),
                         help="default: bfloat16 on a GPU, else float32")  # fmt: skip
    command.add_argument("--threads", type=int, metavar="N", help="processor threads")
    command.add_argument("--loaders", type=int, default=2, metavar="N",
                         help="processes that decode images that do not fit memory")  # fmt: skip


def _json(command: Parser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON, for programs")
