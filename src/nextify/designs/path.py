"""`Choice` and `Path`: how one design becomes another, step by step, as data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from nextify.designs.design import Design
from nextify.designs.fields import hints, with_fields
from nextify.errors import InputError


@dataclass(frozen=True, slots=True)
class Paper:
    """What "A ConvNet for the 2020s" (arXiv 2201.03545, Tables 10 and 11) prints for a step.

    Attributes:
        accuracy: ImageNet-1K top-1, in per cent.
        sd: its standard deviation over three seeds, in percentage points; None where not given.
        gmacs: the "FLOPs" column, which counts multiply-accumulates, in 10^9.
        note: where the printed number and a count do not agree, why.
    """

    accuracy: float
    sd: float | None
    gmacs: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """One named choice: the fields of a design that it changes, and their new values.

    >>> Choice("patchify stem", {"stem": "patchify"}).apply(Design()).stem
    'patchify'
    """

    name: str
    changes: Mapping[str, Any]
    paper: Paper | None = None

    def apply(self, design: Design) -> Design:
        """The design with this choice made."""
        return with_fields(design, self.changes)


@dataclass(frozen=True, slots=True)
class Step:
    """A stop on a path: a name, the design there, the recipe it is trained with in a study.

    `variant` marks a side step that the path does not keep (kernel sizes 5, 9 and 11).
    """

    name: str
    design: Design
    recipe: str
    changed: str
    paper: Paper | None = None
    variant: bool = False


@dataclass(frozen=True, slots=True)
class Path:
    """From one design to another by named choices, in an order.

    The training recipe is the first step: the paper's first gain came from it. It changes no
    field of the design, so `choices` does not hold it.

    Attributes:
        name: `"resnet50"`, `"resnet200"` or `"small"`.
        start: the design before any choice; `start_name` and `start_paper` belong to it.
        choices: the design choices in the paper's order.
        variants: choices that were tried and not kept, by the name of the choice they stand
            in for.
        recipes: names of the recipe before and after the recipe step.
        recipe_paper: the paper's row for the recipe step.
        image_size: side of the square images that the path is meant for, in pixels.
        classes: how many classes its costs are stated for.
    """

    name: str
    start_name: str
    start: Design
    choices: tuple[Choice, ...]
    variants: tuple[tuple[str, Choice], ...] = ()
    recipes: tuple[str, str] = ("classic", "modern")
    start_paper: Paper | None = None
    recipe_paper: Paper | None = None
    image_size: int = 224
    classes: int = 1000

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that the path keeps, first to last."""
        return tuple(step for step in self.all_steps() if not step.variant)

    @property
    def end(self) -> Design:
        """The design with every choice made."""
        return self.subset(range(len(self.choices)))

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def subset(self, chosen: Any) -> Design:
        """The start with only some choices made (indices into `choices`), in the path's order."""
        picked = sorted(set(chosen))
        return reduce(lambda design, at: self.choices[at].apply(design), picked, self.start)

    def all_steps(self) -> Iterator[Step]:
        """Every step; a choice and its variants by the value that they set (kernel 5, 7, 9, 11)."""
        before, after = self.recipes
        design = self.start
        yield Step(self.start_name, design, before, "the start", self.start_paper)
        yield Step("training recipe", design, after, f"{before} → {after}", self.recipe_paper)
        for choice in self.choices:
            tried = [variant for name, variant in self.variants if name == choice.name]
            for option in sorted((choice, *tried), key=lambda c: tuple(c.changes.values())):
                yield _step(option, design, after, variant=option is not choice)
            design = choice.apply(design)

    def with_design_fields(self, changes: Mapping[str, Any]) -> "Path":
        """The same path from a start with some fields changed (as `stem_stride`).

        Raises:
            InputError: for a field that one of the choices sets: the choice would undo it.
        """
        for name in changes:
            owner = next((c.name for c in self.choices if name in c.changes), None)
            if owner is not None:
                free = [f for f in hints(Design) if not any(f in c.changes for c in self.choices)]
                raise InputError(
                    f"field {name!r} is what the choice {owner!r} of path {self.name!r} changes; "
                    f"free fields of this path: {', '.join(free)}"
                )
        return replace(self, start=with_fields(self.start, changes))


def _step(choice: Choice, design: Design, recipe: str, variant: bool = False) -> Step:
    changed = "; ".join(
        f"{name}: {_text(getattr(design, name))} → {_text(value)}"
        for name, value in choice.changes.items()
    )
    return Step(choice.name, choice.apply(design), recipe, changed, choice.paper, variant)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "(" + ", ".join(str(item) for item in value) + ")"
    return "none" if value is None else str(value)
