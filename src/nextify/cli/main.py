"""`nextify`: the command line.

Exit codes: 0, done; 1, a training run diverged or runs of a study failed (all is recorded); 2, bad
input, with one line on standard error; 130, Ctrl-C.
"""

import signal
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

from nextify import __version__, requests
from nextify.cli.show import discard_output, finish_output, note, prepare_output
from nextify.errors import InputError, is_out_of_memory
from nextify.machine.ranks import rank_here
from nextify.words import one_line

# The module here whose `run` carries a command out; imported when asked, so that --help and bad
# options answer at once.
_MODULES = {
    "reading": ("path", "designs", "cost", "show", "recipe"),
    "fitting": ("fit",),
    "benching": ("bench",),
    "surveying": ("data",),
    "training": ("train", "evaluate", "predict"),
    "probing": ("probe",),
    "studying": ("study", "compare"),
    "attributing": ("report", "attribute"),
    "choosing": ("choose",),
    "converting": ("convert",),
    "exporting": ("export",),
    "mixers": ("scale mixers",),
    "networks": ("scale networks",),
    "sequence": ("scale sequence",),
}
COMMANDS = {command: module for module, commands in _MODULES.items() for command in commands}


_INTERRUPTED = 130  # as of a shell: 128 and the signal's number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # in one line, without the code around it
        code = _main(list(sys.argv[1:] if arguments is None else arguments))
    if code == _INTERRUPTED and arguments is None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would strike the very end
    return code


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    _tell(one_line(f"warning: {message}"))


def _tell(line: str) -> None:
    """A line on standard error; of several processes of one run on a machine the first tells it."""
    if rank_here().local == 0:
        note(line)


def _main(arguments: list[str]) -> int:
    try:
        prepare_output()
        if rank_here().number > 0:
            discard_output()  # of several processes of one run the first answers
        code = _run(arguments)
        finish_output()
    except InputError as error:
        _tell(one_line(f"nextify: {error}"))  # names of files may hold anything
        return 2
    except BrokenPipeError:
        discard_output()  # the reader (`| head`) has what it wanted
        return 0
    except Exception as error:
        if not (isinstance(error, ImportError) or is_out_of_memory(error)):
            raise
        what = "cannot be loaded" if isinstance(error, ImportError) else "took too much memory"
        why = one_line(str(error))
        _tell(f"nextify: what this command needs {what} ({why}); give it more memory (see "
              "`ulimit -v` and the container's limit), or install nextify anew")  # fmt: skip
        return 2
    except KeyboardInterrupt as interrupt:
        _tell(f"nextify: {str(interrupt) or 'interrupted'}")  # the exception itself is never false
        return _INTERRUPTED
    return code


def _run(arguments: list[str]) -> int:
    parser = requests.make_parser(__version__)
    if not arguments:
        parser.print_help()
        return 2
    try:
        asked = requests.read(arguments, parser)
        requests.require_used(asked.request)
    except SystemExit as end:  # --help and --version
        return int(end.code or 0)
    if rank_here().size > 1 and not isinstance(asked.request, requests.Train):
        raise InputError(
            f"`nextify {requests.command_of(type(asked.request))}` is started {rank_here().size} "
            "times by torchrun, which is for `nextify train`; start it without torchrun"
        )
    try:
        command = import_module(f"nextify.cli.{COMMANDS[requests.command_of(type(asked.request))]}")
        code: int = command.run(asked.request, asked.as_json)
    except BaseException as error:
        interrupt = _interrupt_behind(error)
        if interrupt is None:
            raise
        raise KeyboardInterrupt(str(interrupt) or _kept(asked.request)) from None
    return code


def _interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that an error came of: it may strike an import, or a library that then fails
    to put its own state in order, which raises a KeyError, say."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error


def _kept(request: requests.Request) -> str:
    """On an interrupt that says nothing itself: what is kept of the command's work."""
    save, speaks = getattr(request, "save", None), getattr(request, "say", None)
    if isinstance(request, requests.StudyRequest):
        asked = request if isinstance(request, requests.Choose) else request.runs
        kept = "; every run that was recorded is kept, and the same command goes on"
        return f"interrupted{'' if asked.plan else kept}"
    if save and not speaks:
        return (
            f"interrupted; every result so far is kept in {save} (none, if it is not there), and "
            "the same command goes on from it"
        )
    if isinstance(request, requests.ScaleSequence) and not speaks:
        return "interrupted; nothing is kept: with --save FILE the same command would go on"
    keeps_nothing = isinstance(request, requests.Fit | requests.Bench) or hasattr(request, "save")
    return "interrupted; nothing is kept" if keeps_nothing else "interrupted"
