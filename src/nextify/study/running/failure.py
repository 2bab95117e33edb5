"""A run that could not be carried out, as a record: what happened, in one line."""

import signal
import traceback
from collections.abc import Mapping
from typing import Any

from nextify.designs import Run
from nextify.errors import InputError, is_out_of_memory
from nextify.records import Record


def failed(run: Run, message: str, environment: Mapping[str, Any]) -> Record:
    """The record of a failed run."""
    return Record(
        key=run.key,
        run=run.as_dict(),
        outcome="failed",
        message=message,
        environment=dict(environment),
    )


def of_error(run: Run, error: Exception, environment: Mapping[str, Any]) -> Record:
    """The record of a run that raised an error; the traceback is in its environment."""
    trace = "".join(traceback.format_exception(error))
    return failed(run, describe(error), {**environment, "traceback": trace})


def describe(error: BaseException) -> str:
    """An error in one line.

    >>> describe(MemoryError()), describe(KeyError("width"))
    ('out of memory', "KeyError: 'width'")
    """
    line = " ".join(str(error).split())
    if is_out_of_memory(error):
        return f"out of memory: {line}" if line else "out of memory"
    if isinstance(error, InputError):
        return line
    return f"{type(error).__name__}: {line}" if line else type(error).__name__


def describe_death(code: int) -> str:
    """How a process ended, from its exit code (negative: the number of a signal).

    >>> describe_death(-11), describe_death(3)
    ('its process was killed by SIGSEGV', 'its process exited with code 3')
    """
    if code >= 0:
        return f"its process exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    killed = f"its process was killed by {name}"
    if -code == signal.SIGKILL:
        return f"{killed} (by hand, or by the system because memory ran out)"
    return killed
