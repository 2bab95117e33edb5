"""The stopwatch: by the clock on the wall, and by the processor's."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Taken:
    """The time that something took, in seconds.

    Attributes:
        wall: by the clock on the wall. processor: of all threads together.
    """

    wall: float
    processor: float

    @property
    def seconds(self) -> float:
        """What is told as the time of a computation: see `steadier`."""
        return self.processor if _alone() else self.wall


def taken(call: Callable[[], object]) -> Taken:
    """The time of a call."""
    processor, wall = time.process_time(), time.perf_counter()
    call()
    wall = time.perf_counter() - wall
    return Taken(wall, time.process_time() - processor)


def steadier() -> Callable[[], float]:
    """What to measure with: processor time where torch has one thread, which other programs do not
    add to; else the wall clock, for processor time would add the threads up."""
    return time.process_time if _alone() else time.perf_counter


def _alone() -> bool:
    import torch

    return torch.get_num_threads() == 1
