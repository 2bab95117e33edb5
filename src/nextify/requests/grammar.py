"""Requests and command lines: each kind's parser follows from its fields, and back.

>>> from nextify.requests import Study
>>> request = read(["study", "small", "--seeds", "3", "--data", "photos"]).request
>>> request.runs.seeds, command_line(request)
(3, 'nextify study small --data photos --seeds 3')
"""

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args, get_origin

from nextify.errors import InputError, unknown
from nextify.requests.commands import REQUESTS, Request, command_of
from nextify.requests.options import (
    Entry,
    as_text,
    beside,
    entries,
    field_entry,
    from_text,
    given,
    made,
)
from nextify.requests.spellings import apart, unknown_option
from nextify.requests.toml import read_toml

_SCALE = "laws of scaling: formula, count and measurement side by side"


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

    kind: type[Request]
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
        if left := [word for word in left if word != "--"]:
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
        return unknown_option(self.kind, option.partition("=")[0])


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command line asks for: a request, and whether to print JSON."""

    request: Request
    as_json: bool


def make_parser(version: str = "") -> Parser:
    """The parser with all commands."""
    parser = Parser(
        prog="nextify",
        description="From ResNet to ConvNeXt, one design choice at a time.",
        epilog="A design is a name plus any of its fields: convnext-tiny stem_stride=2. "
        "Options may stand in a file, one a line: nextify study plan.toml.",
    )
    parser.add_argument("--version", action="version", version=f"nextify {version}")
    commands = parser.add_subparsers(dest="command", metavar="command", parser_class=Command)
    subjects: Any = None
    for name, kind in REQUESTS.items():
        first, _, subject = name.partition(" ")
        if subject and subjects is None:
            scale = commands.add_parser(first, help=_SCALE)
            subjects = scale.add_subparsers(
                dest="subject", metavar="subject", required=True, parser_class=Command
            )
        made_by = subjects if subject else commands
        _fill(made_by.add_parser(subject or first, help=_about(kind)), kind)
    return parser


def _about(kind: type[Request]) -> str:
    text = str(kind.__doc__).rstrip(".")
    return text if text.startswith("ResNet") else text[:1].lower() + text[1:]


def _fill(command: Command, kind: type[Request]) -> None:
    command.kind = kind
    for entry in entries(kind):
        _add(command, entry, getattr(kind, "file", ""))
    command.add_argument("--json", action="store_true", dest="--json",
                         help="print JSON, for programs")  # fmt: skip


def _add(command: Command, entry: Entry, file: Any) -> None:
    about = entry.about
    settings: dict[str, Any] = {"help": about.help.format(file=file), "default": argparse.SUPPRESS}
    if entry.inner is bool:
        settings["action"] = argparse.BooleanOptionalAction if entry.default else "store_true"
    else:
        settings |= {"type": _reader(entry), "metavar": about.metavar}
    if get_origin(entry.inner) is Literal:
        settings |= {"choices": get_args(entry.inner), "type": str}
    if not about.positional:
        if get_origin(entry.inner) is tuple:
            settings |= {"action": "append"}
        command.add_argument(entry.option, dest=entry.key, **settings)
        return
    if about.many:
        settings |= {"nargs": about.many}
        if about.many != "+":
            settings |= {"default": entry.default if about.many == "?" else []}
    command.add_argument(entry.key, **settings)


def _reader(entry: Entry) -> Callable[[str], Any]:
    if get_origin(entry.inner) is tuple:  # of texts, each by itself
        return _filled if entry.about.many == "+" else str

    def read(text: str) -> Any:
        try:
            return from_text(entry, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _filled(text: str) -> str:
    """An empty text is a slip of a script (`--output "$UNSET"`), not a wish for the default."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty; give a value or leave the option out")
    return text


def read(words: Sequence[str], parser: Parser | None = None) -> Asked:
    """The request that the words of a command line, without the program's name, ask for.

    Where the first argument is a `.toml` file, what it says comes before what the others do not.

    Raises:
        InputError: words that are none, with the remedy.
        SystemExit: after `--help` and `--version`.
    """
    parser = parser or make_parser()
    first, file, rest = _split(words)
    kind = REQUESTS.get(" ".join(first))
    rest, fields = (rest, []) if kind is None else apart(kind, _again(kind, rest))
    spread = [*first, *([] if file is None else _words_of(first, file, [*rest, *fields])), *rest]
    values = vars(parser.parse_args(spread))
    name = " ".join(filter(None, (values.pop("command"), values.pop("subject", None))))
    as_json = values.pop("--json", False)
    kind = REQUESTS[name]
    found = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
    return Asked(made(kind, _with_fields(kind, found, fields)), as_json)


def _again(kind: type[Request], words: Sequence[str]) -> list[str]:
    """Words in which an option that stands there again is the one that holds what does."""
    more = {f"--{entry.about.again}": entry.option for entry in entries(kind) if entry.about.again}
    seen, found = set[str](), []
    for word in words:
        name, equals, value = word.partition("=")
        found.append(f"{more[name]}{equals}{value}" if name in seen else word)
        seen |= {name} & more.keys()
    return found


def _with_fields(
    kind: type[Request], values: dict[str, Any], fields: Sequence[str]
) -> dict[str, Any]:
    """Values, with the fields that stood among the options: like options, they are for all that is
    asked for. Among networks, these are the fields before the first name."""
    entry = field_entry(kind)
    if entry is None:
        return values
    there = values.get(entry.key, ())
    is_for_all = entry.about.many == "+"
    return values | {entry.key: (*fields, *there) if is_for_all else (*there, *fields)}


def _split(words: Sequence[str]) -> tuple[list[str], Path | None, list[str]]:
    """The command, a TOML file that stands as its first argument, and the rest."""
    at = 2 if list(words[:1]) == ["scale"] else 1
    if len(words) > at and words[at].endswith(".toml"):
        return list(words[:at]), Path(words[at]), list(words[at + 1 :])
    return list(words[:at]), None, list(words[at:])


def _words_of(command: Sequence[str], file: Path, rest: Sequence[str]) -> list[str]:
    """What a file says, without what the words behind it say anew: changes of fields, data sets."""
    kind = REQUESTS.get(" ".join(command))
    if kind is None:
        raise unknown("command", " ".join(command), REQUESTS)
    names = {word.removeprefix("--").partition("=")[0] for word in rest if word[:2] == "--"}
    said = made(kind, beside(kind, given(read_toml(kind, file)), names))
    words = words_of(said)[len(command) :]
    over = {word.partition("=")[0] for word in rest if "=" in word and not word.startswith("-")}
    kept = [word for word in words if "=" not in word or word.partition("=")[0] not in over]
    return _again(kind, kept)


def words_of(request: Request, *, local: bool = True, last: Sequence[str] = ()) -> list[str]:
    """A request as the words of a command line: what is given by its place, options, flags.

    Args:
        local: also what says where and how, and not what.
        last: keys of options that are named in any case, behind the others.
    """
    known = {entry.key: entry for entry in entries(type(request))}
    values = _with_first(known, given(request), request)
    order = [key for key in values if key not in last] + [key for key in last if key in values]
    places = [key for key in values if known[key].about.positional]
    placed = [v if isinstance(v := values[key], tuple) else (as_text(v),) for key in places]
    options = [known[key] for key in order if key not in places]
    shown = [each for each in options if local or not each.about.local or each.key in last]
    return [
        *command_of(type(request)).split(),
        # Only names of files may begin with a dash, and there are others for these.
        *(f"./{word}" if word.startswith("-") else word for words in placed for word in words),
        *(word for entry in shown if entry.inner is not bool for word in _named(entry, request)),
        *(f"--no-{e.option[2:]}" if e.default else e.option for e in shown if e.inner is bool),
    ]


def _with_first(
    known: Mapping[str, Entry], values: Mapping[str, Any], request: Request
) -> dict[str, Any]:
    """Values to be named: those given, and of an option that stands there again the first one."""
    first = {known[key].about.again for key in values}
    named = (key for key in known if key in values or key in first)
    return {key: known[key].of(request) for key in named}


def _named(entry: Entry, request: Request) -> tuple[str, ...]:
    value = entry.of(request)
    option = f"--{entry.about.again}" if entry.about.again else entry.option
    texts = value if get_origin(entry.inner) is tuple else (as_text(value),)
    words = ((f"{option}={text}",) if text.startswith("-") else (option, text) for text in texts)
    return tuple(word for each in words for word in each)


def command_line(request: Request, *, local: bool = False, last: Sequence[str] = ()) -> str:
    """What a user types to ask for the same; see `words_of`."""
    return shlex.join(["nextify", *words_of(request, local=local, last=last)])
