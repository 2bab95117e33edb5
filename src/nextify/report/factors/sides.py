"""What suits one side: what each factor adds at either setting of what is crossed, in words."""

from collections.abc import Iterator

from nextify.designs.factor import INITIALISATION, PIXELS
from nextify.findings.answers import Crossed, Estimate, SimpleEffect
from nextify.report.factors.content import FactorContent, View
from nextify.report.factors.units import Unit
from nextify.words import listed

_WEIGHTS = {"trunc_normal": "small normal weights", "he_normal": "He’s weights"}
_VERBS = {"higher": ("adds", "costs"), "lower": ("raises it by", "lowers it by")}
_VERBS[""] = _VERBS["lower"]


def setting(of: Crossed, is_second: bool) -> str:
    """A setting in words."""
    value = of.settings[is_second]
    if of.name == INITIALISATION:
        return f"with {_WEIGHTS[value]}"
    return f"on {value} pixels" if of.name == PIXELS else f"at {value} × the rate"


def sides(content: FactorContent, view: View) -> list[str]:
    """Sentences on each thing that is crossed: what it does, and which factors it suits."""
    return [text for of in view.found.crossed for text in _of_one(content.unit, of)]


def _of_one(unit: Unit, of: Crossed) -> Iterator[str]:
    if of.effect.value is not None:
        yield (
            f"{of.name.capitalize()}: {setting(of, True)} instead of {setting(of, False)} the "
            f"{unit.title} changes by {unit.signed(of.effect.value)} {unit.name}"
            f"{_within(unit, of.effect)}, averaged over all networks."
        )
    clear = [each for each in of.factors if each.is_clear]
    for each in clear:
        yield _simple(unit, of, each)
    if all(each.together is None for each in of.factors):
        yield f"These runs do not tell which factors depend on the {of.name}."
    elif others := [each.name for each in of.factors if each.together and not each.is_clear]:
        start = "Of the others no" if clear else "No"
        yield f"{start} contribution is seen to depend on the {of.name} ({listed(others)})."


def _simple(unit: Unit, of: Crossed, each: SimpleEffect) -> str:
    assert each.together is not None
    first, second = (
        f"{setting(of, at)} it {_does(unit, effect)}"
        for at, effect in ((False, each.first), (True, each.second))
    )
    mixed = " or of ".join(listed(names) for names in each.aliased)
    unless = f", if it is not an interaction of {mixed}, which these cells cannot tell from it"
    return (
        f"{each.name}: {first}, {second}; the difference, {unit.signed(each.change.value)} ± "
        f"{unit.plain(each.together.half)}, is clear{unless if mixed else ''}."
    )


def _does(unit: Unit, of: Estimate) -> str:
    """What a factor does by itself, as "costs 9.90 points (-10.90 to -8.90)"."""
    assert of.value is not None
    verb = _VERBS[unit.better][of.value < 0]
    return f"{verb} {unit.plain(abs(of.value))} {unit.name}{_within(unit, of)}"


def _within(unit: Unit, of: Estimate) -> str:
    return f" ({unit.span(of.interval)})" if of.interval else ""
