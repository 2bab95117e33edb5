"""`Factor`: choices of a path that are made together, as one factor of an experiment."""

from collections.abc import Iterable
from dataclasses import dataclass

from nextify.designs.path import Path
from nextify.errors import InputError, unknown

RECIPE = "training recipe"  # the recipe step's name, as in `Path.all_steps`


@dataclass(frozen=True, slots=True)
class Factor:
    """Choices that are made together or not at all.

    >>> Factor("large kernel", ("spatial conv first", "kernel size 7")).choices
    ('spatial conv first', 'kernel size 7')

    Attributes:
        name: for people.
        choices: names of the path's choices, or `"training recipe"`.
    """

    name: str
    choices: tuple[str, ...]

    @property
    def is_recipe(self) -> bool:
        """Whether the training recipe is one of its choices."""
        return RECIPE in self.choices


# The paper's 13 choices as 8 factors. Layer scale is in none: the paper counts it to the recipe.
_DEFAULT = (
    Factor("stage ratio", ("stage ratio", "stage ratio and width")),
    Factor("patchify stem", ("patchify stem",)),
    Factor("depthwise and width", ("depthwise conv", "increase width")),
    Factor("inverted bottleneck", ("inverted bottleneck",)),
    Factor("large kernel first", ("spatial conv first", "kernel size 7")),
    Factor("ReLU to GELU", ("ReLU to GELU",)),
    Factor("fewer act. and norms, LN", ("fewer activations", "fewer norms", "BN to LN")),
    Factor("separate downsampling", ("separate downsampling",)),
)


def default_factors(path: Path) -> tuple[Factor, ...]:
    """The eight factors that a path's choices are grouped into unless the user groups them.

    >>> from nextify.designs import path
    >>> [factor.name for factor in default_factors(path("small"))][:3]
    ['stage ratio', 'patchify stem', 'depthwise and width']
    """
    names = {choice.name for choice in path.choices}
    kept = (Factor(f.name, tuple(c for c in f.choices if c in names)) for f in _DEFAULT)
    return tuple(factor for factor in kept if factor.choices)


def read_factors(text: str, path: Path) -> tuple[Factor, ...]:
    """Factors from a text: names of choices, joined by "+" to a factor, factors separated by ",".

    >>> from nextify.designs import path
    >>> read_factors("large kernel = spatial conv first + kernel size 7, recipe", path("small"))[1]
    Factor(name='training recipe', choices=('training recipe',))

    Args:
        text: each factor as `choice`, `choice + choice` or `name = choice + choice`; `recipe` is
            the training recipe; `default` stands for the eight factors of `default_factors`.

    Raises:
        InputError: an unknown choice, or one that is named twice.
    """
    factors: list[Factor] = []
    for part in text.split(","):
        if part.strip() == "default":
            factors += default_factors(path)
        else:
            factors.append(_read_factor(part, path))
    require_factors(factors, path)
    return tuple(factors)


def _read_factor(text: str, path: Path) -> Factor:
    name, is_named, choices = text.rpartition("=")
    parts = tuple(_choice_name(part.strip(), path) for part in choices.split("+"))
    return Factor(name.strip() if is_named and name.strip() else " + ".join(parts), parts)


def _choice_name(text: str, path: Path) -> str:
    """The choice's own name, whatever the case."""
    if text.lower() in ("recipe", RECIPE):
        return RECIPE
    names = {choice.name.lower(): choice.name for choice in path.choices}
    if text.lower() not in names:
        raise unknown(f"choice of path {path.name!r}:", text, [*names.values(), RECIPE])
    return names[text.lower()]


def require_factors(factors: Iterable[Factor], path: Path) -> None:
    """Check that factors are choices of a path, each in one factor only.

    Raises:
        InputError: no factor; one without choices; an unknown choice; one that is named twice;
            two factors of one name.
    """
    seen: set[str] = set()
    names: set[str] = set()
    for factor in factors:
        if not factor.choices:
            raise InputError(f"factor {factor.name!r} has no choices; name at least one")
        if factor.name in names:
            raise InputError(f"two factors are named {factor.name!r}; give each its own name")
        names.add(factor.name)
        for choice in factor.choices:
            _choice_name(choice, path)
            if choice in seen:
                raise InputError(f"choice {choice!r} is in two factors; name it once")
            seen.add(choice)
    if not names:
        raise InputError("there are no factors; name at least one choice")
