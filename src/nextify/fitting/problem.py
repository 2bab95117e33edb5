"""What `fit` searches: designs of a space that keep budgets which are counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from operator import truediv
from typing import Any, Literal, get_args, get_origin

from nextify.costs import Form, Polynomial, Totals, form_of, totals
from nextify.costs.spread import Spread
from nextify.designs import Design
from nextify.designs.fields import hints, with_fields
from nextify.errors import InputError, unknown
from nextify.fitting.budgets import BUDGETS, broken
from nextify.fitting.space import Space

_OF_NUMBERS: dict[str, tuple[Any, ...]] = {
    "kernel_size": (3, 5, 7, 9, 11),
    "ratio": (2, 3, 4, 6),
    "layer_scale": (None, 1e-6),
}
_MOST_COMBINATIONS = 64


@dataclass(frozen=True, slots=True)
class Sample:
    """A design with its form, and what it took once it is measured."""

    design: Design
    form: Form
    took: Spread | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A space, the forms of its designs, and the budgets that are counted."""

    base: Design
    space: Space
    forms: list[tuple[Design, Form]]
    budgets: dict[str, int]
    image_size: int | tuple[int, int]
    classes: int

    def proposals(
        self, latency: Callable[[Form], Polynomial] | None = None, most_ticks: int = 0
    ) -> list[Sample]:
        """Designs within the budgets and, where it is guessed, within a latency; best first."""
        from nextify.fitting.search import Goal, search  # imports numpy

        found = []
        for design, form in self.forms:
            limits = [(getattr(form, BUDGETS[name]), most) for name, most in self.budgets.items()]
            if latency is not None:
                limits.append((latency(form), most_ticks))
            goal = Goal(self.space, limits, self.classes, self.base.depths, self.base.widths)
            for depths, widths in search(goal):
                use = [one.at(depths, widths, self.classes) / most for one, most in limits]
                if max(use) <= 1:
                    changed = with_fields(design, {"depths": depths, "widths": widths})
                    found.append(((-min(use), -prod(use), depths, widths), Sample(changed, form)))
        return [sample for _, sample in sorted(found, key=lambda one: one[0])]

    def use_of(self, counted: Totals) -> dict[str, float]:
        """For each budget, used over allowed."""
        return {name: getattr(counted, BUDGETS[name]) / most for name, most in self.budgets.items()}

    def keeps(self, design: Design) -> bool:
        """Whether a design keeps the budgets."""
        counted = totals(design, self.image_size, self.classes)
        return all(use <= 1 for use in self.use_of(counted).values())


def forms_within(
    space: Space, forms: Iterable[tuple[Design, Form]], budgets: Mapping[str, int], classes: int
) -> list[tuple[Design, Form]]:
    """The forms of which the smallest design keeps the budgets.

    Raises:
        InputError: there is none; it says what the smallest design takes.
    """
    depths, widths = space.smallest()
    found, uses = [], []
    for one in forms:
        takes = [getattr(one[1], BUDGETS[name]).at(depths, widths, classes) for name in budgets]
        uses.append((max(map(truediv, takes, budgets.values()), default=0.0), takes))
        if uses[-1][0] <= 1:
            found.append(one)
    if not found:
        least = dict(zip(budgets, min(uses)[1], strict=True))
        raise InputError(
            f"no design keeps this budget: the smallest possible, depths {depths} and widths "
            f"{widths}, takes {broken(budgets, least)}; give at least that"
        )
    return found


def forms_of(
    base: Design, free: tuple[str, ...], image_size: int | tuple[int, int], classes: int
) -> Iterator[tuple[Design, Form]]:
    """The base with every combination of the fields left free, and what each form costs.

    Raises:
        InputError: no combination can see such images; it says what the base would need.
    """
    values = [_values(name) for name in free]
    combinations = prod(map(len, values))
    if combinations > _MOST_COMBINATIONS:
        raise InputError(
            f"free is {', '.join(free)}: {combinations} combinations of values; leave fields out, "
            f"at most {_MOST_COMBINATIONS} are searched"
        )
    found = False
    for combination in product(*values):
        try:
            design = with_fields(base, dict(zip(free, combination, strict=True)))
            form = form_of(design, image_size)
        except InputError:  # a choice that this block does not have, or too small an image
            continue
        found = True
        yield design, form
    if not found:
        totals(base, image_size, classes)  # says why


def _values(name: str) -> tuple[Any, ...]:
    known = hints(Design)
    fields = [field for field in known if field not in ("depths", "widths")]
    if name not in fields:
        raise unknown("field to leave free", name, fields)
    hint = known[name]
    return tuple(get_args(hint)) if get_origin(hint) is Literal else _OF_NUMBERS[name]
