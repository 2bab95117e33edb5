"""The one error that a user's input can cause.

`InputError` carries one sentence that names the field or file, the value and the remedy. The
command line prints it and exits with code 2; as a library it is an ordinary `ValueError`.
"""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 80  # signs of a value that a message shows


class InputError(ValueError):
    """Input that cannot be used. The message names what, its value, and what to do instead."""


def unknown(kind: str, value: str, known: Iterable[str], also: Iterable[str] = ()) -> InputError:
    """An `InputError` for a name that is not known, with the nearest known name. `also`: further
    names that may be meant, too many to be listed.

    >>> str(unknown("design", "resnet5", ["resnet50", "convnext-tiny"]))
    "unknown design 'resnet5'; did you mean 'resnet50'? Known: resnet50, convnext-tiny"
    """
    names = list(known)
    value = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."
    near = get_close_matches(value, [*names, *also], n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return InputError(f"unknown {kind} {value!r}{hint} Known: {', '.join(names)}")


def is_of_gpu(error: BaseException) -> bool:
    """An error after which a process cannot compute on its GPU any more, whatever it tries: only
    its text tells it. Want of memory is none."""
    return isinstance(error, RuntimeError) and tells_of_gpu(str(error))


def tells_of_gpu(said: str) -> bool:
    """Whether this is the text of such an error.

    >>> tells_of_gpu("RuntimeError: CUDA error: an illegal memory access was encountered")
    True
    """
    is_one = any(name in said for name in ("CUDA error", "cuDNN error", "Triton Error [CUDA]"))
    return is_one and not _tells_of_memory(said)


def is_out_of_memory(error: BaseException) -> bool:
    """Python's own error, or torch's: on a GPU a class of its own (a RuntimeError), on a CPU a
    RuntimeError that only its text tells apart ("... can't allocate memory ...")."""
    if isinstance(error, RuntimeError):
        return _tells_of_memory(str(error))
    return isinstance(error, MemoryError)


def _tells_of_memory(said: str) -> bool:
    return "out of memory" in said.lower() or "can't allocate memory" in said.lower()
