"""Which of a run's processes this is, where torchrun has started several."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True, slots=True)
class Rank:
    """One of the processes that carry out one run together, counted from 0.

    Attributes:
        number: of this process. size: how many there are. local, local_size: the same, of those on
            this machine.
    """

    number: int = 0
    size: int = 1
    local: int = 0
    local_size: int = 1


def rank_here(environ: Mapping[str, str] = os.environ) -> Rank:
    """This process, by the variables that torchrun sets for each that it starts; without them the
    only one.

    >>> rank_here({"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"})
    Rank(number=3, size=4, local=1, local_size=2)
    >>> rank_here({"RANK": "0"})
    Rank(number=0, size=1, local=0, local_size=1)
    """
    values = [environ.get(name, "") for name in _NAMES]
    if not all(value.isdecimal() for value in values):
        return Rank()
    return Rank(*map(int, values))
