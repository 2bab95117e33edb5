"""What the cells of a plan share, and how a cell is made: for every kind of study."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from nextify.costs import totals
from nextify.costs.batch import require_values
from nextify.designs import (
    AnyDesign,
    Design,
    Factor,
    Nuisance,
    Path,
    Precision,
    Recipe,
    path,
    recipe,
)
from nextify.designs.factor import MOST_RATE, default_factors, read_factors, require_factors
from nextify.designs.fields import read_fields
from nextify.designs.run import require_batch, require_weights
from nextify.errors import InputError
from nextify.records import Cell, Matched, Plan
from nextify.requests import Compare, Runs, Study
from nextify.studies.kinds.candidates import Start
from nextify.studies.kinds.kind import Asked, Stacks
from nextify.words import read_count

SEEDS = 2  # of each cell
END_SEEDS = 4  # more runs of both end cells: their difference checks the whole model


@dataclass(frozen=True, slots=True)
class Frame:
    """All that the cells of a path, or of an experiment on its choices, share.

    >>> of = Frame(path("small"), data=..., data_source=..., seeds=[0, 1])  # doctest: +SKIP

    Attributes:
        path: whose choices are tried.
        data: `Dataset.identity()`. data_source: one sentence, with the licence.
        largest_class: `Dataset.largest_class`; None where it is not known.
        factors: into which choices are grouped, by default the usual eight; choices that are in
            none are not made in any cell of an experiment.
        recipe_changes: fields to change in both recipes.
        seeds: of every cell. end_seeds: how many more the two end cells have.
        matched: rescale the widths so that all cells have the same MACs or parameters.
        target: how many; None for the geometric mean of the cells, so that no cell is narrowed or
            widened more than need be, or the first number above it that widths can be rescaled to.
        rates: multiples of the recipes' learning rate, crossed with the cells.
        crossed: what is varied with the choices, as further factors of the experiment.
        tuned: multiples of which each cell has its best. chosen: which that is, by what varies
            between cells; the recipe's own rate for cells that are not in it.
        images: every run is trained on a draw of so many training images; None: on all.
        held_out: whether the test images are some of the training images.
        stacks: how many runs of a cell are trained at once.
        start: the weights that all start from; None for random ones.

    Raises:
        InputError: bad seeds, factors or rates.
    """

    path: Path
    _: KW_ONLY
    data: Mapping[str, Any]
    data_source: str
    seeds: Sequence[int]
    factors: tuple[Factor, ...] = ()
    recipe_changes: Mapping[str, Any] = field(default_factory=dict)
    end_seeds: int = END_SEEDS
    matched: Matched = ""
    target: int | str | None = None
    rates: tuple[float, ...] = (1.0,)
    crossed: tuple[Nuisance, ...] = ()
    tuned: tuple[float, ...] = ()
    chosen: Mapping[frozenset[str], float] = field(default_factory=dict)
    images: int | None = None
    held_out: bool = False
    precision: Precision = "float32"
    largest_class: float | None = None
    stacks: Stacks = field(default_factory=Stacks)
    start: Start | None = None

    def __post_init__(self) -> None:
        require_seeds(self.seeds)
        if not self.factors:
            object.__setattr__(self, "factors", default_factors(self.path))
        require_factors(self.factors, self.path)
        for rates in (self.rates, self.tuned or (1.0,)):
            if not rates or len(set(rates)) < len(rates):
                raise InputError(
                    f"rates are {rates}; give different multiples, such as 0.5, 1 and 2"
                )
            if not all(0 < rate <= MOST_RATE for rate in rates):
                raise InputError(f"rates are {rates}; each must be above 0 and at most {MOST_RATE}")

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """Before and after the recipe step. Every cell of an experiment has the one after it,
        unless the training recipe is a factor."""
        return tuple(recipe(name, **self.recipe_changes) for name in self.path.recipes)

    @property
    def size(self) -> dict[str, Any]:
        """`size_of` its images."""
        return size_of(self.data)

    def plan(self, title: str, cells: Iterable[Cell], **about: Any) -> Plan:
        """A plan of cells that share this."""
        every = tuple(cells)
        return Plan(
            name=self.path.name,
            title=title,
            cells=every,
            seeds=tuple(self.seeds),
            data=dict(self.data),
            data_source=self.data_source,
            precision=self.precision,
            held_out=self.held_out,
            largest_class=self.largest_class,
            copies=self.stacks.of(every, self.seeds),
            **about,
        )


def start_of(asked: Asked) -> Start | None:
    """The weights that all networks of a study are asked to start from."""
    source = asked.request.weights if isinstance(asked.request, Study) else None
    return None if source is None else Start(source, tuple(asked.images.classes))


def framed(asked: Asked, path_name: str, factors: str | None, **settings: Any) -> Frame:
    """The frame of what is asked for, with what it changes of designs and recipes.

    Raises:
        InputError: as `Frame` does.
    """
    assert not isinstance(asked.request, Compare)
    request = asked.request
    design_fields, recipe_fields = read_fields(request.changes, Design, Recipe)
    chosen = path(path_name).with_design_fields(design_fields)
    if after := request.recipe:
        chosen = replace(chosen, recipes=(after.replace("modern", "classic"), after))
    return Frame(
        chosen,
        factors=read_factors(factors, chosen) if factors else (),
        recipe_changes=recipe_fields,
        **asked.shared,
        start=start_of(asked),
        **{"stacks": asked.stacks, **settings},
    )


def cell_of(design: AnyDesign, trained: Recipe, data: Mapping[str, Any], **about: Any) -> Cell:
    """A cell, its costs counted for the images that it is trained on.

    Args:
        about: further fields of `Cell`.

    Raises:
        InputError: images too small for the design, or fewer than a batch; a batch too small for
            batch norm; a recipe that needs weights to start from, without any.
    """
    require_weights(trained, about.get("initial"))
    require_batch(trained, about.get("images") or int(data["train"]))
    try:
        require_values(design, trained.part_size, int(data["image_size"]))
    except InputError as error:
        raise InputError(f"{about['name']}: {error}") from error
    counted = totals(design, **size_of(data))
    return Cell(design=design, recipe=trained, params=counted.params, macs=counted.macs, **about)


def size_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """What costs are counted for, as the functions that count take it."""
    return {"image_size": int(data["image_size"]), "classes": int(data["classes"])}


def seeds_of(runs: Runs, usual: int = SEEDS) -> range:
    """The seeds that are asked for."""
    return range(runs.first_seed, runs.first_seed + (runs.seeds or usual))


def require_seeds(seeds: Sequence[int]) -> None:
    """Check seeds.

    Raises:
        InputError: none, equal ones, or one out of range.
    """
    if not seeds:
        raise InputError("no seeds are given; give at least one, such as 0")
    for at, seed in enumerate(seeds):
        if type(seed) is not int or not 0 <= seed < 2**63:
            raise InputError(f"seed is {seed!r}; it must be a whole number from 0 to 2^63 - 1")
        if seed in seeds[:at]:
            raise InputError(f"seed {seed} is given twice; give every seed once")


def target_of(target: str | None, matched: str | None) -> int | None:
    """What all networks shall cost, read.

    Raises:
        InputError: no number, or nothing is matched.
    """
    if target is None:
        return None
    if matched is None:
        raise InputError("--target is what all networks shall cost; add --matched macs or params")
    return read_count("--target", target)
