"""`nextify`: the command line.

Bad input prints one line to standard error and exits with 2; Ctrl-C exits with 130.
"""

import sys
from collections.abc import Sequence

from nextify.cli.parser import make_parser
from nextify.errors import InputError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except InputError as error:
        print(f"nextify: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader (`| head`) has what it wanted. Nothing more can be written, also not at exit.
        sys.stdout = None
        return 0
    except KeyboardInterrupt as interrupt:
        print(f"nextify: {interrupt or 'interrupted'}", file=sys.stderr)
        return 130


def _run(arguments: list[str]) -> int:
    parser = make_parser()
    options = parser.parse_args(arguments)
    match options.command:
        case None:
            parser.print_help()
            return 2
        case "path" | "designs" | "cost" | "show" | "recipe":
            from nextify.cli import reading

            return reading.run(options)
        case "train" | "evaluate" | "predict":
            from nextify.cli import training

            return training.run(options)
        case _:
            from nextify.cli import studying

            return studying.run(options)


if __name__ == "__main__":
    sys.exit(main())
