"""What designs may cost: budgets by name, read from numbers or texts."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from nextify.costs import totals
from nextify.costs.spread import Spread
from nextify.designs import AnyDesign, Design, known_design
from nextify.errors import InputError
from nextify.words import read_bytes, read_count

BUDGETS = {"params": "params", "macs": "macs", "activation_memory": "training_bytes"}
"""The budgets by name, and what of `Totals` each of them limits."""

BINDS = 0.99
LATENCY_BINDS = 0.95  # measurements repeat within a few per cent


class Measure(Protocol):
    """Measures latencies: the seconds that each design takes to answer one image."""

    def __call__(
        self, designs: Sequence[Design], image_size: int | tuple[int, int], classes: int, /
    ) -> Sequence[Spread]: ...


def budgets_of(
    params: int | float | str | None = None,
    macs: int | float | str | None = None,
    activation_memory: int | float | str | None = None,
    *,
    like: AnyDesign | str | None = None,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
) -> dict[str, int]:
    """The budgets that `fit` would keep, given the same arguments, by the names in `BUDGETS`.

    >>> budgets_of("12M", like="convnext-tiny")["macs"], budgets_of("12M")
    (4455531264, {'params': 12000000})

    Raises:
        InputError: no budget is given, or one cannot be read.
    """
    budgets = {
        name: (read_bytes if name == "activation_memory" else read_count)(name, value)
        for name, value in zip(BUDGETS, (params, macs, activation_memory), strict=True)
        if value is not None
    }
    if like is not None:
        counted = totals(known_design(like), image_size, classes)
        return {name: budgets.get(name, getattr(counted, of)) for name, of in BUDGETS.items()}
    if not budgets:
        raise InputError(
            f"no budget is given; give at least one of {', '.join(BUDGETS)}, latency, or like"
        )
    return budgets


def broken(budgets: Mapping[str, int], takes: Mapping[str, int]) -> str:
    """The budgets that are not kept, in words."""
    return " and ".join(
        f"{count:,} {name} (given: {budgets[name]:,})"
        for name, count in takes.items()
        if count > budgets[name]
    )
