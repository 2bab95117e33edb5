"""`fit`: designs for a budget."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from operator import mul
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args, get_origin

from nextify.costs import Form, Totals, form_of, totals
from nextify.costs.spread import Spread
from nextify.designs import AnyDesign, Design, require_convolutional
from nextify.designs import design as by_name
from nextify.designs.fields import hints, with_fields
from nextify.errors import InputError, unknown
from nextify.fitting.space import Space
from nextify.words import read_bytes, read_count, read_seconds

if TYPE_CHECKING:
    from nextify.fitting.latency import Guess, Sample  # imports numpy

BUDGETS = {"params": "params", "macs": "macs", "activation_memory": "training_bytes"}
"""The budgets by name, and what of `Totals` each of them limits."""

BINDS = 0.99
LATENCY_BINDS = 0.95  # measurements repeat within a few per cent
_OF_NUMBERS: dict[str, tuple[Any, ...]] = {
    "kernel_size": (3, 5, 7, 9, 11),
    "ratio": (2, 3, 4, 6),
    "layer_scale": (None, 1e-6),
}
_MOST_COMBINATIONS = 64


class Measure(Protocol):
    """Measures latencies: the seconds that each design takes to answer one image."""

    def __call__(
        self, designs: Sequence[Design], image_size: int | tuple[int, int], classes: int, /
    ) -> Sequence[Spread]: ...


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
        return min(self.use.values()), reduce(mul, self.use.values())


def fit(
    params: int | float | str | None = None,
    macs: int | float | str | None = None,
    activation_memory: int | float | str | None = None,
    latency: float | str | None = None,
    *,
    like: AnyDesign | str | None = None,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
    free: Iterable[str] = (),
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
        free: names of fields of `Design` to choose, too, besides depths and widths.
        start: a design, or its name: everything else, and the number of stages, is as there. Of
            designs that use the budget nearly as well, those with its proportions are looked at.
        multiple_of: all widths are multiples of this.
        count: how many designs to return, at most.
        measure: of latencies, as `nextify.measure_latency` measures them on this machine.

    Raises:
        InputError: if no design of the space keeps the budget; it says what the smallest possible
            is, or was measured to take. If no budget is given, or an argument cannot be used.
    """
    if count < 1:
        raise InputError(f"count is {count}; it must be at least 1")
    base = require_convolutional(by_name(start) if isinstance(start, str) else start, "fit")
    budgets = _budgets(params, macs, activation_memory)
    if like is not None or latency is None:
        budgets = _filled(budgets, like, image_size, classes)
    space = Space(len(base.depths), multiple_of)
    forms = list(_forms(base, tuple(free), image_size, classes))
    forms = _possible(space, forms, budgets, classes)
    problem = Problem(base, space, forms, budgets, image_size, classes)
    if latency is None:
        found = [problem.fitted(one.design) for one in problem.proposals()]
    else:
        found = _measured(problem, read_seconds("latency", latency), measure, count)
    return tuple(sorted(found, key=_order)[:count])


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
    return _filled(_budgets(params, macs, activation_memory), like, image_size, classes)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is searched: a space, the forms of its designs, and the budgets that are counted."""

    base: Design
    space: Space
    forms: list[tuple[Design, Form]]
    budgets: dict[str, int]
    image_size: int | tuple[int, int]
    classes: int

    def proposals(self, guess: "Guess | None" = None, seconds: float = 0.0) -> "list[Sample]":
        """Designs within the budgets and, with a guess, within so many seconds; best first."""
        from nextify.fitting.latency import Sample, ticks  # imports numpy
        from nextify.fitting.search import Task, search

        budgets = {BUDGETS[name]: allowed for name, allowed in self.budgets.items()}
        budgets |= {} if guess is None else {"latency": ticks(seconds)}
        found = []
        for design, form in self.forms:
            counted = form if guess is None else guess.timed(form)
            task = Task(
                self.space, counted, budgets, self.classes, self.base.depths, self.base.widths
            )
            for depths, widths in search(task):
                at = (depths, widths, self.classes)
                use = [getattr(counted, name).at(*at) / most for name, most in budgets.items()]
                changed = with_fields(design, {"depths": depths, "widths": widths})
                if max(use) <= 1:
                    rank = -min(use), -reduce(mul, use), depths, widths
                    found.append((rank, Sample(changed, form)))
        return [sample for _, sample in sorted(found, key=lambda one: one[0])]

    def fitted(self, design: Design, took: Spread | None = None, allowed: float = 1.0) -> Fitted:
        """A design with the use of the budgets, and of the latency that is allowed."""
        counted = totals(design, self.image_size, self.classes)
        use = {name: getattr(counted, BUDGETS[name]) / most for name, most in self.budgets.items()}
        use |= {} if took is None else {"latency": took.median / allowed}
        amounts = (counted.params, counted.macs, counted.training_bytes)
        return Fitted(design, *amounts, use, took)

    def keeps(self, sample: "Sample") -> bool:
        """Whether a design keeps the budgets that are counted."""
        return all(use <= 1 for use in self.fitted(sample.design).use.values())


def _measured(
    problem: Problem, allowed: float, measure: Measure | None, count: int
) -> list[Fitted]:
    from nextify.fitting.latency import Clock, within_latency  # imports numpy

    if measure is None:
        raise InputError("latency is given, and nothing to measure it with; give "
                         "measure=nextify.measure_latency")  # fmt: skip
    clock = Clock(measure, allowed, problem.image_size, problem.classes)
    found = within_latency(
        clock, problem.space, problem.forms, problem.keeps, problem.proposals, count
    )
    return [problem.fitted(one.design, one.took, allowed) for one in found]


def _order(one: Fitted) -> tuple[Any, ...]:
    least, product_of_all = one.rank
    return -least, -product_of_all, one.design.depths, one.design.widths


def _budgets(*given: int | float | str | None) -> dict[str, int]:
    return {
        name: (read_bytes if name == "activation_memory" else read_count)(name, value)
        for name, value in zip(BUDGETS, given, strict=True)
        if value is not None
    }


def _filled(
    budgets: dict[str, int],
    like: AnyDesign | str | None,
    image_size: int | tuple[int, int],
    classes: int,
) -> dict[str, int]:
    if like is not None:
        model = by_name(like) if isinstance(like, str) else like
        counted = totals(model, image_size, classes)
        return {name: budgets.get(name, getattr(counted, of)) for name, of in BUDGETS.items()}
    if not budgets:
        raise InputError(
            f"no budget is given; give at least one of {', '.join(BUDGETS)}, latency, or like"
        )
    return budgets


def _forms(
    base: Design, free: tuple[str, ...], image_size: int | tuple[int, int], classes: int
) -> Iterator[tuple[Design, Form]]:
    """The base with every combination of the fields left free, and what each form costs."""
    totals(base, image_size, classes)  # refuses what does not fit
    values = [_values(name) for name in free]
    if reduce(mul, map(len, values), 1) > _MOST_COMBINATIONS:
        raise InputError(
            f"free is {', '.join(free)}: {reduce(mul, map(len, values), 1)} combinations of "
            f"values; leave fields out, at most {_MOST_COMBINATIONS} are searched"
        )
    for combination in product(*values):
        try:
            design = with_fields(base, dict(zip(free, combination, strict=True)))
            yield design, form_of(design, image_size)
        except InputError:  # a choice that this block does not have, or too small an image
            continue


def _values(name: str) -> tuple[Any, ...]:
    known = hints(Design)
    fields = [field for field in known if field not in ("depths", "widths")]
    if name not in fields:
        raise unknown("field to leave free", name, fields)
    hint = known[name]
    return tuple(get_args(hint)) if get_origin(hint) is Literal else _OF_NUMBERS[name]


def _possible(
    space: Space, forms: list[tuple[Design, Form]], budgets: Mapping[str, int], classes: int
) -> list[tuple[Design, Form]]:
    """The forms of which the smallest design keeps the budgets; there must be one."""
    if not budgets:
        return forms
    depths, widths = space.smallest()
    found, nearest = [], (float("inf"), Totals(0, 0, 0))
    for design, form in forms:
        least = Totals(*(one.at(depths, widths, classes) for one in form))
        over = max(getattr(least, BUDGETS[name]) / budgets[name] for name in budgets)
        nearest = min(nearest, (over, least))
        if over <= 1:
            found.append((design, form))
    if found:
        return found
    least = nearest[1]
    broken = [
        f"{getattr(least, BUDGETS[name]):,} {name} (given: {allowed:,})"
        for name, allowed in budgets.items()
        if getattr(least, BUDGETS[name]) > allowed
    ]
    raise InputError(
        f"no design keeps this budget: the smallest possible, depths {depths} and widths "
        f"{widths}, takes {' and '.join(broken)}; give at least that, or fewer classes"
    )
