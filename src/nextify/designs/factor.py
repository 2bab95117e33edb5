"""`Factor`: choices of a path that are made together, as one factor of an experiment."""

from collections.abc import Iterable
from dataclasses import dataclass

from nextify.designs.path import Path
from nextify.designs.recipe import Recipe
from nextify.errors import InputError, unknown
from nextify.words import read_numbers

MOST_RATE = 1000  # as a multiple of a recipe's learning rate
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


INITIALISATION, RATE, PIXELS = "initialisation", "rate", "pixels"
_SETTINGS = {
    INITIALISATION: ("trunc_normal", "he_normal"),
    RATE: ("0.5", "2"),
    PIXELS: ("natural", "permuted"),
}


@dataclass(frozen=True, slots=True)
class Nuisance:
    """A setting of the training, or of its images, that may suit one side of a choice: every choice
    is tried at both values of it, and what it adds is averaged over the two.

    Attributes:
        name: `"initialisation"`, `"rate"` or `"pixels"`.
        settings: two of the recipe's `weight_init`, two multiples of its learning rate, or images
            as they are and with their pixels permuted (`Plan.data_of`).
    """

    name: str
    settings: tuple[str, ...]

    def changed(self, recipe: Recipe, is_second: bool) -> Recipe:
        """The recipe at one of the two.

        >>> from nextify.designs import recipe
        >>> Nuisance("rate", ("0.5", "2")).changed(recipe("modern-small"), True).learning_rate
        0.016
        """
        setting = self.settings[is_second]
        if self.name == INITIALISATION:
            return recipe.changed({"weight_init": setting})
        if self.name == PIXELS:
            return recipe
        return recipe.changed({"learning_rate": recipe.learning_rate * float(setting)})

    def __str__(self) -> str:
        """As `read_crossed` takes it."""
        if self.settings == _SETTINGS[self.name]:
            return self.name
        return f"{self.name}={':'.join(self.settings)}"


def read_crossed(text: str) -> tuple[Nuisance, ...]:
    """What is crossed with the choices, from a text.

    >>> [str(each) for each in read_crossed("initialisation, rate=0.25:1")]
    ['initialisation', 'rate=0.25:1']
    >>> read_crossed("none")
    ()

    Raises:
        InputError: another name, one that is named twice, or no two rates.
    """
    if text.strip() == "none":
        return ()
    found = [_read_crossed(part.strip()) for part in text.split(",")]
    if len({each.name for each in found}) < len(found):
        raise InputError(f"--cross is {text!r}; name each once")
    return tuple(sorted(found, key=lambda each: each.name))


def _read_crossed(text: str) -> Nuisance:
    name, has_rates, rates = text.partition("=")
    if name not in _SETTINGS or (has_rates and name != RATE):
        raise InputError(
            f"--cross has {text!r}; give initialisation, rate, rate=0.25:1 for other multiples of "
            "the learning rate, pixels, or none"
        )
    if not has_rates:
        return Nuisance(name, _SETTINGS[name])
    numbers = read_numbers("--cross rate", rates.replace(":", ","))
    if len(numbers) != 2 or not 0 < numbers[0] < numbers[1] <= MOST_RATE:
        raise InputError(
            f"--cross has {text!r}; give two multiples of the learning rate, the smaller first, "
            f"as rate=0.5:2, at most {MOST_RATE}"
        )
    return Nuisance(name, tuple(f"{number:g}" for number in numbers))


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
