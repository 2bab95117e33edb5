"""`nextify`: the command line.

Exit codes: 0, done; 1, a training run diverged or runs of a study failed (all is recorded); 2, bad
input, with one line on standard error; 130, Ctrl-C.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from nextify.cli.parser import make_parser
from nextify.cli.show import discard_output, finish_output, note, prepare_output
from nextify.errors import InputError
from nextify.machine import limit_threads

if TYPE_CHECKING:
    from nextify.fitting import Measure

# The module here whose `run` carries a command out; imported when asked, so that --help and bad
# options answer at once.
COMMANDS = {
    "path": "reading",
    "designs": "reading",
    "cost": "reading",
    "show": "reading",
    "recipe": "reading",
    "fit": "fitting",
    "bench": "benching",
    "train": "training",
    "evaluate": "training",
    "predict": "training",
    "study": "studying",
    "report": "studying",
    "attribute": "attributing",
    "choose": "choosing",
    "compare": "comparing",
    "convert": "converting",
    "scale": "scaling",
}

_STUDIES = ("study", "compare", "choose")  # what they have recorded, they never do again
_LONG = ("scale", "bench", "fit")  # they measure, and keep nothing of a part of it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    prepare_output()
    limit_threads()
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments))
        finish_output()
    except InputError as error:
        # File names may hold line breaks.
        note(f"nextify: {'⏎'.join(str(error).splitlines())}")
        return 2
    except BrokenPipeError:
        discard_output()  # the reader (`| head`) has what it wanted
        return 0
    except KeyboardInterrupt as interrupt:
        note(f"nextify: {str(interrupt) or 'interrupted'}")  # the exception itself is never false
        return 130
    return code


def _run(arguments: list[str]) -> int:
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    if options.command is None:
        parser.print_help()
        return 2
    command = import_module(f"nextify.cli.{COMMANDS[options.command]}")
    settings = {"measure": _stopwatch(options)} if options.command == "fit" else {}
    try:
        code: int = command.run(options, **settings)
    except KeyboardInterrupt as interrupt:
        raise KeyboardInterrupt(str(interrupt) or _kept(options)) from None
    return code


def _kept(options: Namespace) -> str:
    """On an interrupt that says nothing itself: what is kept of the command's work."""
    asked = vars(options)
    if options.command in _STUDIES and not options.plan:
        return "interrupted; every run that was recorded is kept, and the same command goes on"
    if asked.get("save") and not asked["say"]:
        return (
            f"interrupted; every result so far is kept in {options.save} (none, if it is not "
            "there), and the same command goes on from it"
        )
    if asked.get("subject") == "sequence" and not asked["say"]:
        return "interrupted; nothing is kept: with --save FILE the same command would go on"
    return "interrupted; nothing is kept" if options.command in _LONG else "interrupted"


def _stopwatch(options: Namespace) -> "Measure | None":
    """What measures latencies, where they are asked for: it takes torch."""
    if options.latency is None:
        return None
    from nextify.cli import benching

    return benching.stopwatch(options)


if __name__ == "__main__":
    sys.exit(main())
