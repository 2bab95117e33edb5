"""`match_cost`: designs rescaled in width until all cost the same."""

from collections.abc import Iterable
from typing import Literal

from nextify.costs import Polynomial, form_of
from nextify.designs import AnyDesign, Design, Path, known_design, require_convolutional
from nextify.designs.fields import with_fields
from nextify.errors import InputError
from nextify.fitting.widths import Widths, nearest, scales
from nextify.words import in_short, read_count, whole_number

Quantity = Literal["macs", "params"]

WITHIN = 0.005  # of the target: any two designs then agree within 1 %


def match_cost(
    of: Path | Iterable[AnyDesign | str],
    quantity: Quantity,
    target: int | float | str | None = None,
    *,
    image_size: int | tuple[int, int] | None = None,
    classes: int | None = None,
    multiple_of: int = 1,
) -> tuple[Design, ...]:
    """The designs with their widths rescaled so that all cost the same within 1 %: each costs the
    target within 0.5 %.

    Each design keeps its depths and its choices, and the proportions of its widths as well as
    whole numbers allow: of all widths within a few units of a common multiple of the old ones that
    bring the cost near enough, it takes those with the least largest change of a proportion.

    >>> from nextify.costs import totals
    >>> from nextify.designs import path
    >>> same = match_cost(path("resnet50"), "macs")
    >>> same[0].widths, round(totals(same[0]).macs / totals(same[-1]).macs, 2)
    ((67, 134, 268, 536), 1.0)

    Args:
        of: a path, whose steps are taken in order (variants that it does not keep are not), or
            designs, or their names.
        quantity: `"macs"` for one image, or `"params"`.
        target: what all shall cost, a number or a text as `"2.2G"`; by default what the last
            design, the path's end, costs.
        image_size, classes: by default those that the path is meant for, or 224 and 1000.
        multiple_of: all widths are multiples of this.

    Raises:
        InputError: if a design cannot be brought within 0.5 %; it says how near it came. If an
            argument cannot be used.
    """
    if quantity not in ("macs", "params"):
        raise InputError(f"quantity is {quantity!r}; give macs or params")
    multiple_of, designs = whole_number("multiple_of", multiple_of), _designs(of)
    meant = (of.image_size, of.classes) if isinstance(of, Path) else (224, 1000)
    size = meant[0] if image_size is None else image_size
    outputs = meant[1] if classes is None else whole_number("classes", classes)
    last: Polynomial = getattr(form_of(designs[-1], size), quantity)
    default = last.at(designs[-1].depths, designs[-1].widths, outputs)
    goal = default if target is None else read_count("target", target)
    return tuple(_matched(one, quantity, goal, size, outputs, multiple_of) for one in designs)


def _designs(of: Path | Iterable[AnyDesign | str]) -> tuple[Design, ...]:
    if isinstance(of, Path):
        return tuple(step.design for step in of.steps)
    if isinstance(of, str | AnyDesign) or not isinstance(of, Iterable):  # names stand for both
        raise InputError(
            f"what to match is {in_short(of)}; give a path, as nextify.path(name) makes it, or a "
            "list of designs"
        )
    designs = tuple(require_convolutional(known_design(one), "match_cost") for one in of)
    if not designs:
        raise InputError("there are no designs to match; give at least one")
    return designs


def _matched(
    design: Design,
    quantity: Quantity,
    goal: float,
    size: int | tuple[int, int],
    classes: int,
    unit: int,
) -> Design:
    one: Polynomial = getattr(form_of(design, size), quantity)

    def gap(widths: Widths) -> float:
        return one.at(design.depths, widths, classes) / goal - 1

    _, scale = scales(one, design.depths, design.widths, goal, classes)
    ideal, least = [width * scale for width in design.widths], [unit] * len(design.widths)
    widths, miss = nearest(ideal, least, lambda tried: abs(gap(tried)), WITHIN, unit)
    if miss <= WITHIN:
        return with_fields(design, {"widths": widths})
    raise InputError(
        f"widths {design.widths} of a design cannot be rescaled to {goal:,.0f} {quantity} within "
        f"0.5 %: the nearest, {widths}, is {miss:.1%} {'above' if gap(widths) > 0 else 'below'}; "
        + ("use a smaller multiple_of" if unit > 1 else "give a larger target")
    )
