"""The paper's increments, summed over each factor's choices."""

from dataclasses import dataclass

from nextify.designs import Factor, Path, path
from nextify.designs.factor import RECIPE
from nextify.errors import InputError

_SEEDS = 3  # that the paper's standard deviations are over
_REFERENCE = "resnet50"  # for a path that the paper has not


@dataclass(frozen=True, slots=True)
class PaperIncrement:
    """What the paper reports for a factor's choices in its one order, ImageNet-1K top-1.

    Attributes:
        points: of accuracy. error: standard error, from standard deviations over three seeds;
            None where one is not given.
    """

    points: float
    error: float | None


@dataclass(frozen=True, slots=True)
class PaperColumn:
    """The paper's increments beside a study.

    Attributes:
        path: whose they are. own: whether that is the study's path.
        increments: one a factor; None where the paper has no number for one of its choices.
    """

    path: str
    own: bool
    increments: tuple[PaperIncrement | None, ...]


def paper_column(path_name: str, factors: tuple[Factor, ...]) -> PaperColumn | None:
    """The paper's increments (arXiv 2201.03545, Tables 10 and 11) for factors.

    >>> from nextify.designs import default_factors, path
    >>> found = paper_column("resnet50", default_factors(path("resnet50")))
    >>> [round(each.points, 2) for each in found.increments if each][:3]
    [0.54, 0.15, 0.99]
    """
    try:
        known = path(path_name)
    except InputError:
        return None
    own = any(choice.paper for choice in known.choices)
    of = known if own else path(_REFERENCE)
    increments = tuple(_increment(of, factor) for factor in factors)
    return PaperColumn(of.name, own, increments) if any(increments) else None


def _increment(of: Path, factor: Factor) -> PaperIncrement | None:
    """Steps that two choices share cancel: only the ends of a stretch count."""
    names = ["", RECIPE, *(choice.name for choice in of.choices)]
    papers = [of.start_paper, of.recipe_paper, *(choice.paper for choice in of.choices)]
    if not set(factor.choices) <= set(names):
        return None
    ends = [names.index(choice) for choice in factor.choices]
    signs = [ends.count(at) - ends.count(at + 1) for at in range(len(names))]
    used = [(sign, paper) for sign, paper in zip(signs, papers, strict=True) if sign]
    known = [(sign, paper) for sign, paper in used if paper is not None]
    if len(known) < len(used):
        return None
    points = sum(sign * paper.accuracy for sign, paper in known)
    variance = [sign**2 * paper.sd**2 for sign, paper in known if paper.sd is not None]
    error = (sum(variance) / _SEEDS) ** 0.5 if len(variance) == len(known) else None
    return PaperIncrement(points, error)
