"""`fill_budget`: a design rescaled in width until it uses a budget up, and no more."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import inf, log
from operator import truediv

from nextify.costs import Form, form_of
from nextify.designs import Design
from nextify.designs.fields import with_fields
from nextify.errors import InputError, unknown
from nextify.fitting.budgets import BINDS, BUDGETS, broken, budgets_of
from nextify.fitting.space import GROWTH
from nextify.fitting.widths import Widths, nearest, scales

LEAST_WIDTH = 4  # below it whole numbers keep no proportions
_TILTS = 10  # steps of the growth of widths that are tried, in either direction


def fill_budget(
    design: Design,
    budgets: Mapping[str, int],
    *,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
) -> Design:
    """The design as wide as budgets allow: its widths rescaled until one of them is used up; none
    is exceeded.

    Depths and choices stay, and the proportions of the widths as well as whole numbers allow: of
    all widths within a few units of a common multiple of the old ones that keep every budget and
    use one of them by 99 % or more, it takes those with the least largest change of a proportion.
    Where whole numbers do not reach 99 % (very narrow networks), those that use most.

    Of several budgets one would be used up long before the others: wide late stages take
    parameters, wide early ones multiply-accumulates. So the widths then grow from stage to stage by
    more or less than before, within the bounds of `nextify.fitting.space`, as far as that uses
    the least used budget better.

    >>> from nextify.costs import totals
    >>> from nextify.designs import design
    >>> filled = fill_budget(design("convnext-tiny"), {"params": 12_000_000, "macs": 4 * 10**9})
    >>> filled.widths, totals(filled).params
    ((121, 182, 273, 409), 11946051)

    Args:
        budgets: at most so much, by the names in `BUDGETS`; at least one.
        image_size, classes: that the costs are counted for.

    Raises:
        InputError: what is no budget; no width is small enough: it says what the smallest possible
            takes: the same proportions, with 4 channels where there are fewest.
    """
    budgets = _read(budgets)
    form, smallest = form_of(design, image_size), narrowest(design).widths

    def use_by(widths: Sequence[float]) -> tuple[float, float]:
        """The least and the largest use of a budget."""
        takes = [
            getattr(form, BUDGETS[name]).at(design.depths, widths, classes) for name in budgets
        ]
        used = list(map(truediv, takes, budgets.values()))
        return min(used), max(used)

    tilted = (
        _widest(form, design, budgets, classes, tilt) for tilt in _tilts(design, len(budgets))
    )
    ideal = max(tilted, key=lambda widths: round(use_by(widths)[0], 2))
    least = smallest if len(budgets) == 1 else [LEAST_WIDTH] * len(smallest)
    reached = use_by(ideal)[0]

    def miss(widths: Widths) -> float:
        low, high = use_by(widths)
        return -min(low / reached, high) if high <= 1 else inf

    widths, by = nearest(ideal, least, miss, -BINDS)
    if by == inf:
        widths, by = smallest, miss(smallest)
    if by == inf:
        takes = _takes(form, design.depths, smallest, classes, budgets)
        raise InputError(
            "a design cannot be made narrow enough for this budget: the smallest possible, depths "
            f"{design.depths} and widths {smallest}, takes {broken(budgets, takes)}; "
            "give at least that"
        )
    return with_fields(design, {"widths": widths})


def _read(budgets: Mapping[str, int]) -> Mapping[str, int]:
    if strange := budgets.keys() - BUDGETS.keys():
        raise unknown("budget", min(strange), BUDGETS)
    return budgets_of(*map(budgets.get, BUDGETS))


def _tilts(design: Design, budgets: int) -> list[float]:
    """By how much more widths may grow from stage to stage, the least change first."""
    growths = [after / before for before, after in pairwise(design.widths)]
    if budgets == 1 or not growths:
        return [1.0]
    (low, low_under), (high, high_under) = GROWTH
    least, most = low / low_under / min(growths), high / high_under / max(growths)
    steps = (least ** (step / _TILTS) for step in range(1, _TILTS + 1))
    more = (most ** (step / _TILTS) for step in range(1, _TILTS + 1))
    within = [tilt for tilt in (*steps, *more) if least <= tilt <= most]
    return sorted({1.0, *within}, key=lambda tilt: abs(log(tilt)))


def _widest(
    form: Form, design: Design, budgets: Mapping[str, int], classes: int, tilt: float
) -> list[float]:
    """The real widths, grown by so much more, at which the first of the budgets is used up."""
    widths = [width * tilt**stage for stage, width in enumerate(design.widths)]
    scale = min(
        scales(getattr(form, BUDGETS[name]), design.depths, widths, allowed, classes)[0]
        for name, allowed in budgets.items()
    )
    return [width * scale for width in widths]


def can_fill(
    design: Design,
    budgets: Mapping[str, int],
    *,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
) -> bool:
    """Whether a design can be made narrow enough for a budget.

    >>> from nextify.designs import design
    >>> can_fill(design("resnet50"), {"params": 10_000})
    False
    """
    use = use_of(narrowest(design), budgets, image_size=image_size, classes=classes)
    return max(use.values()) <= 1


def narrowest(design: Design) -> Design:
    """The design with its proportions, and 4 channels where there are fewest.

    >>> from nextify.designs import design
    >>> narrowest(design("convnext-tiny")).widths
    (4, 8, 16, 32)
    """
    scale = LEAST_WIDTH / min(design.widths)
    return with_fields(design, {"widths": tuple(round(width * scale) for width in design.widths)})


def use_of(
    design: Design,
    budgets: Mapping[str, int],
    *,
    image_size: int | tuple[int, int] = 224,
    classes: int = 1000,
) -> dict[str, float]:
    """For each budget, used over allowed.

    >>> from nextify.designs import design
    >>> round(use_of(design("convnext-tiny"), {"params": 57_178_256})["params"], 3)
    0.5
    """
    form = form_of(design, image_size)
    takes = _takes(form, design.depths, design.widths, classes, budgets)
    return {name: takes[name] / allowed for name, allowed in budgets.items()}


def _takes(
    form: Form, depths: tuple[int, ...], widths: Widths, classes: int, names: Iterable[str]
) -> dict[str, int]:
    """What a design costs of each budget."""
    return {name: getattr(form, BUDGETS[name]).at(depths, widths, classes) for name in names}
