"""`nextify`: the command line.

Exit codes: 0, done; 1, a training run diverged or runs of a study failed (all is recorded); 2, bad
input, with one line on standard error; 130, Ctrl-C.
"""

import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nextify.cli.parser import make_parser
from nextify.cli.show import discard_output, finish_output, note, prepare_output
from nextify.errors import InputError

if TYPE_CHECKING:
    from nextify.fitting import Measure


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    prepare_output()
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
        note(f"nextify: {interrupt or 'interrupted'}")
        return 130
    return code


def _run(arguments: list[str]) -> int:
    parser = make_parser()
    try:
        options = parser.parse_args(arguments)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    match options.command:
        case None:
            parser.print_help()
            return 2
        case "path" | "designs" | "cost" | "show" | "recipe":
            from nextify.cli import reading

            return reading.run(options)
        case "fit":
            from nextify.cli import fitting

            return fitting.run(options, _stopwatch(options))
        case "bench":
            from nextify.cli import benching

            return benching.run(options)
        case "train" | "evaluate" | "predict":
            from nextify.cli import training

            return training.run(options)
        case "choose":
            from nextify.cli import choosing

            return choosing.run(options)
        case "attribute":
            from nextify.cli import attributing

            return attributing.run(options)
        case "convert":
            from nextify.cli import converting

            return converting.run(options)
        case "scale":
            from nextify.cli import scaling

            return scaling.run(options)
        case _:
            from nextify.cli import studying

            return studying.run(options)


def _stopwatch(options: Namespace) -> "Measure | None":
    """What measures latencies, where they are asked for: it takes torch."""
    if options.latency is None:
        return None
    from nextify.cli import benching

    return benching.stopwatch(options)


if __name__ == "__main__":
    sys.exit(main())
