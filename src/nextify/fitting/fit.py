"""`fit`: designs for a budget."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from operator import neg

from nextify.costs import totals
from nextify.costs.spread import Spread
from nextify.designs import AnyDesign, Design, known_design, require_convolutional
from nextify.errors import InputError
from nextify.fitting.budgets import BINDS, LATENCY_BINDS, Measure, budgets_of
from nextify.fitting.problem import Problem, forms_of, forms_within
from nextify.fitting.space import Space
from nextify.words import read_seconds, whole_number


@dataclass(frozen=True, slots=True)
class Fitted:
    """A design that keeps a budget.

    Attributes:
        params, macs, activation_memory: what it costs (`Cost.params`, `.macs`, `.training_bytes`).
        use: for each budget, used over allowed: from 0 to 1. Of latency, the median is used.
        latency: in seconds, as measured; None where no latency was asked for.
    """

    design: Design
    params: int
    macs: int
    activation_memory: int
    use: Mapping[str, float]
    latency: Spread | None = None

    @property
    def binds(self) -> tuple[str, ...]:
        """The budgets that are used by 99 % or more, a measured latency by 95 %. None: the bounds
        of the search space bind."""
        least = {"latency": LATENCY_BINDS}
        return tuple(name for name, used in self.use.items() if used >= least.get(name, BINDS))

    @property
    def rank(self) -> tuple[float, float]:
        """The use of the budget, to compare designs by: the least use of any of the budgets, then
        the product of them."""
        return min(self.use.values()), prod(self.use.values())


def fit(
    params: int | float | str | None = None,
    macs: int | float | str | None = None,
    activation_memory: int | float | str | None = None,
    latency: float | str | None = None,
    *,
    like: AnyDesign | str | None = None,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
    free: Iterable[str] | str = (),
    start: AnyDesign | str = "convnext-tiny",
    multiple_of: int = 1,
    count: int = 5,
    measure: Measure | None = None,
) -> tuple[Fitted, ...]:
    """Designs that use a budget best, the best first.

    The use of the budget is the least of used/allowed over all budgets that are given; of designs
    that are equal in this, the one with the larger product of them is better. Searched are the
    depths and widths of `nextify.fitting.space`, whose bounds are the proportions of a ConvNeXt,
    and all values of the fields left free. The designs returned differ in depths or choices. The
    search is deterministic. With a latency the designs that it proposes are measured, and those
    returned whose median is within it (`nextify.fitting.latency` says how).

    >>> best = fit(params="12M", macs="2.2G", classes=7000)[0]
    >>> best.params <= 12_000_000 and best.macs <= 2_200_000_000 and best.rank[0] > 0.999
    True

    Args:
        params, macs: at most so many, for one image; a number or a text as `"12M"`.
        activation_memory: at most so many bytes of activations kept in training, for one image, in
            float32; a number or a text as `"200MB"`.
        latency: to answer one image, at most so many seconds, measured by `measure`; a number or a
            text as `"20ms"`.
        like: a design, or its name: budgets that are not given are what it costs.
        free: names of fields of `Design` to choose, too, besides depths and widths; in a text,
            with commas between.
        start: a design, or its name: everything else, and the number of stages, is as there. Of
            designs that use the budget nearly as well, those with its proportions are looked at.
        multiple_of: all widths are multiples of this.
        count: how many designs to return, at most.
        measure: of latencies, as `nextify.measure_latency` measures them on this machine.

    Raises:
        InputError: if no design of the space keeps the budget; it says what the smallest possible
            is, or was measured to take. If no budget is given, or an argument cannot be used.
    """
    count, classes = whole_number("count", count), whole_number("classes", classes)
    base = require_convolutional(known_design(start), "fit")
    if latency is not None and (params, macs, activation_memory, like) == (None,) * 4:
        budgets = {}
    else:
        budgets = budgets_of(
            params, macs, activation_memory, like=like, image_size=image_size, classes=classes
        )
    space, names = Space(len(base.depths), multiple_of), _names(free)
    forms = forms_within(space, forms_of(base, names, image_size, classes), budgets, classes)
    problem = Problem(base, space, forms, budgets, image_size, classes)
    if latency is None:
        found = [_fitted(problem, one.design) for one in problem.proposals()]
    else:
        found = _measured(problem, read_seconds("latency", latency), measure, count)
    found.sort(key=lambda one: (*map(neg, one.rank), one.design.depths, one.design.widths))
    return tuple(found[:count])


def _names(fields: Iterable[str] | str) -> tuple[str, ...]:
    if isinstance(fields, str):
        fields = (name.strip() for name in fields.split(",") if name.strip())
    names = tuple(fields)
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"free names {name} twice; name it once")
    return names


def _measured(
    problem: Problem, allowed: float, measure: Measure | None, count: int
) -> list[Fitted]:
    from nextify.fitting.latency import within_latency  # imports numpy

    if measure is None:
        raise InputError("latency is given, and nothing to measure it with; give "
                         "measure=nextify.measure_latency")  # fmt: skip
    return [
        _fitted(problem, one.design, one.took, allowed)
        for one in within_latency(problem, measure, allowed, count)
    ]


def _fitted(
    problem: Problem, design: Design, took: Spread | None = None, allowed: float = 1.0
) -> Fitted:
    """A design with the use of the budgets, and of the latency that is allowed."""
    counted = totals(design, problem.image_size, problem.classes)
    use = problem.use_of(counted) | ({} if took is None else {"latency": took.median / allowed})
    return Fitted(design, *counted, use, took)
