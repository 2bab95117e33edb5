"""How much memory decoded images may take."""

from nextify import machine
from nextify.requests import DataSpec


def memory(spec: DataSpec) -> int:
    """The limit in bytes: as asked for, or half of what this process may have.

    Not half of what is free just now: a study that is resumed must not find its images streamed
    because another program was running.
    """
    return half_of_memory() if spec.memory_limit is None else spec.memory_limit


def half_of_memory() -> int:
    """In bytes."""
    return machine.memory() // 2
