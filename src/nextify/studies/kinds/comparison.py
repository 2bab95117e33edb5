"""Comparisons: networks beside one another, each on one or several numbers of training images.

Everything but the network may be made equal: the cost, the recipe, the images that a seed draws,
and the number of updates. What is left is what the network makes of its images.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, product
from pathlib import Path
from typing import Any

from nextify.costs import cost
from nextify.designs import AnyDesign, Design, Initial, Recipe, Swin, Vit, design, recipe
from nextify.designs.families import canonical
from nextify.designs.fields import hints, read_fields
from nextify.errors import InputError
from nextify.files import is_there
from nextify.findings import measure_comparison
from nextify.fitting import match_cost, match_width
from nextify.fitting.match import Quantity
from nextify.records import Cell, Matched, Plan
from nextify.requests import Compare
from nextify.studies.kinds.candidates import is_source, read_candidate
from nextify.studies.kinds.frame import cell_of, require_seeds, seeds_of, size_of, target_of
from nextify.studies.kinds.kind import Asked, Kind, Stacks
from nextify.words import read_numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What is compared: a design under a recipe.

    Attributes:
        name: a label, each network's own. recipe_name: that `recipe` was made from.
        rate: of the recipe's learning rate, the multiple that `recipe` has.
        initial: the weights that it starts from; None for random ones.
    """

    name: str
    design: AnyDesign
    recipe_name: str
    recipe: Recipe
    rate: float = 1.0
    initial: Initial | None = None

    def at_rate(self, rate: float) -> "Network":
        """The same at a multiple of its learning rate, which its name says."""
        learning_rate = self.recipe.learning_rate * rate
        return replace(
            self,
            name=f"{self.name}, rate {rate:g}",
            recipe=self.recipe.changed({"learning_rate": learning_rate}),
            rate=rate,
        )


def plan_comparison(
    networks: Sequence[Network],
    *,
    data: Mapping[str, Any],
    seeds: Sequence[int],
    images: Sequence[int] = (),
    most_epochs: int | None = None,
    matched: Matched = "",
    target: float | None = None,
    stacks: Stacks | None = None,
    there: Plan | None = None,
    **about: Any,
) -> Plan:
    """A plan of every network on every number of training images; the first is the baseline.

    With a seed all networks are trained on the same draw of the images: differences are paired.
    The largest numbers come first within a seed, so that no core waits at the end.

    Args:
        data: `Dataset.identity()`.
        images: numbers of training images; by default all.
        most_epochs: on fewer images than all, train for more epochs: as many updates as on all of
            them, but no more epochs than these. By default all run for the recipe's epochs.
        matched: `"macs"`: widths are rescaled until all networks cost the target; `"params"`, for
            convolutional networks.
        target: by default what the first network costs.
        stacks: how many runs of a network are trained at once; by default none are.
        there: the plan of the study that goes on, if it is one: with `most_epochs` its cells keep
            the epochs that earlier versions gave them.
        about: `data_source`, `precision` and `held_out`, as `Plan` has them.

    Raises:
        InputError: no networks, or two that are equal or of one name; more images than there
            are, or fewer than classes or a batch; fewer `most_epochs` than a recipe's; a network
            that cannot be brought to the target.
    """
    require_seeds(seeds)
    _require_distinct(networks)
    numbers = _numbers(images, int(data["train"]), int(data["classes"]))
    one_cost = _at_one_cost(networks, matched, target, data) if matched else networks
    _require_distinct(one_cost)  # rescaling may have made equal ones
    every = product(sorted(numbers, reverse=True), one_cost)
    begun = {cell.name: cell.recipe.epochs for cell in there.cells} if there else {}
    cells = tuple(_cell(network, number, data, most_epochs, begun) for number, network in every)
    return Plan(
        name="comparison",
        title=f"Networks compared on {data['name']}",  # others may join them in the file
        cells=cells,
        copies=(stacks or Stacks()).of(cells, seeds),
        seeds=tuple(seeds),
        data=dict(data),
        experiment="comparison",
        matched=matched,
        **about,
    )


def _require_distinct(networks: Sequence[Network]) -> None:
    if not networks:
        raise InputError("no networks are given; name one at least, such as convnext-mini")
    for one, other in combinations(networks, 2):
        if one.name == other.name:
            raise InputError(
                f"network {one.name!r} is given twice; change one of them, or leave it"
            )
        # One network counted twice would make the spread between networks too small.
        if _what(one) == _what(other):
            raise InputError(
                f"networks {one.name!r} and {other.name!r} are the same design under the same "
                f"recipe{', from the same weights' * bool(one.initial)}; change one of them, or "
                "leave it"
            )


def _what(network: Network) -> tuple[Any, ...]:
    start = network.initial
    return network.design, network.recipe, None if start is None else start.fingerprint


@contextmanager
def _naming(network: Network) -> Iterator[None]:
    """Say which network is refused."""
    try:
        yield
    except InputError as error:
        raise InputError(f"network {network.name!r}: {error}") from error


def _numbers(images: Sequence[int], everything: int, classes: int) -> tuple[int, ...]:
    for at, number in enumerate(images):
        if not classes <= number <= everything:
            raise InputError(
                f"images has {number:,}, which cannot be drawn from {everything:,} training "
                f"images; give {classes} (one of each class) to {everything}"
            )
        if number in images[:at]:
            raise InputError(f"images has {number:,} twice; give every number once")
    return tuple(images) or (everything,)


def _at_one_cost(
    networks: Sequence[Network], matched: Quantity, target: float | None, data: Mapping[str, Any]
) -> list[Network]:
    size = size_of(data)
    if target is None:
        with _naming(networks[0]):
            target = getattr(cost(networks[0].design, **size), matched)
    return [replace(each, design=_rescaled(each, matched, target, size)) for each in networks]


def _rescaled(
    network: Network, quantity: Quantity, target: float, size: Mapping[str, Any]
) -> AnyDesign:
    one = network.design
    with _naming(network):
        if network.initial is not None:
            raise InputError("its weights are of these widths, which cannot be rescaled; leave "
                             "--matched out, or compare networks from scratch")  # fmt: skip
        if isinstance(one, Design):
            return match_cost([one], quantity, target, **size)[0]
        if quantity == "params":
            raise InputError("a transformer is rescaled to equal MACs only; match macs")
        return match_width(one, target, **size).design


def _cell(
    network: Network,
    number: int,
    data: Mapping[str, Any],
    most: int | None,
    begun: Mapping[str, int],
) -> Cell:
    everything, name = int(data["train"]), f"{network.name}, {number:,} images"
    with _naming(network):
        epochs = _epochs(network.recipe, number, everything, most)
        # Until 2026-11-28 they were counted by the images, and not by the batches.
        before = round(network.recipe.epochs * everything / number)
        if most and begun.get(name) == min(most, before):
            epochs = begun[name]
        return cell_of(
            network.design,
            network.recipe.changed({"epochs": epochs}),
            data,
            name=name,
            changed=f"{number:,} images",
            recipe_name=network.recipe_name,
            rate=network.rate,
            network=network.name,
            images=None if number == everything else number,
            initial=network.initial,
        )


def _epochs(recipe: Recipe, number: int, everything: int, most: int | None) -> int:
    """As many as make, over so many images, the updates of the recipe's epochs over all. An epoch
    has whole batches only.

    >>> six = recipe("modern-small", epochs=6, batch_size=64)
    >>> [_epochs(six, number, 1000, 100) for number in (1000, 500, 127, 100)]
    [6, 13, 90, 90]
    """
    epochs, batch = recipe.epochs, recipe.batch_size
    if most is None:
        return epochs
    if most < epochs:
        raise InputError(
            f"most_epochs is {most}, fewer than the recipe's {epochs} epochs; give {epochs} or more"
        )
    return min(most, round(epochs * (everything // batch) / max(1, number // batch)))


def plan_of(asked: Asked) -> Plan:
    """The plan that a request asks for.

    Raises:
        InputError: as `read_networks` and `plan_comparison` do.
    """
    request, images = asked.request, asked.images.identity()
    assert isinstance(request, Compare)
    return plan_comparison(
        networks_of(request, asked.images.classes),
        **asked.shared,
        seeds=seeds_of(request.runs),
        images=read_images(request.images, int(images["train"])) if request.images else (),
        most_epochs=request.most_epochs,
        matched=request.matched or "",
        target=target_of(request.target, request.matched),
        held_out=request.hold_out,
        stacks=asked.stacks,
        there=asked.there,
    ).asked_by(request)


def networks_of(request: Compare, classes: Sequence[str]) -> list[Network]:
    """The networks that a request names, each at every rate that it asks for, for these classes.

    Raises:
        InputError: as `read_networks` does; two that are equal; a rate that is none.
    """
    networks = read_networks(request.networks, request.recipe or "modern-small", classes)
    _require_distinct(networks)  # by the names that were given, and not those at a rate
    if request.rates is None:
        return networks
    rates = read_numbers("--rates", request.rates)
    if not all(0 < rate < float("inf") for rate in rates):
        raise InputError(f"--rates is {request.rates!r}; give numbers above 0, as 0.5,1,2")
    return [each.at_rate(rate) for each in networks for rate in rates]


def read_networks(
    words: Sequence[str], recipe_name: str, classes: Sequence[str] = ()
) -> list[Network]:
    """Networks from words: a name begins one, or weights that it starts from; FIELD=VALUE changes
    the one before it or, before the first, all of them. recipe=NAME is one network's recipe.

    >>> found = read_networks(["epochs=3", "vit-mini", "vit-mini", "patch_size=8"], "modern-small")
    >>> [(each.name, each.recipe.epochs) for each in found]
    [('vit-mini', 3), ('vit-mini patch_size=8', 3)]

    Args:
        classes: the names of the run's, which tell whether the head of weights can be kept.

    Raises:
        InputError: no name, an unknown one, a field that a network does not have, or weights that
            cannot be started from.
    """
    shared, given = by_network(words)
    if not given:
        raise InputError("no network is named; name one at least, as convnext-mini or vit-mini")
    if any(text.startswith(RECIPE) for text in shared):
        raise InputError("recipe=NAME stands before the first network, so it is for all of them; "
                         "write --recipe NAME, or recipe=NAME after a network")  # fmt: skip
    for name, _ in given:
        _require_shared(name, shared)
    return [
        _network(label, name, own, shared, recipe_name, classes)
        for label, (name, own) in zip(_labels(given), given, strict=True)
    ]


RECIPE = "recipe="
_LENGTHS = ("batch_size=", "epochs=")
_FILES = ("network.safetensors", "model.safetensors", "best.safetensors")  # say less than folders


def by_network(words: Sequence[str]) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The fields for all networks, and the name of each, or where its weights are, with its own."""
    shared: list[str] = []
    given: list[tuple[str, list[str]]] = []
    for word in words:
        if "=" in word and not is_there(Path(word)):
            (given[-1][1] if given else shared).append(word)
        else:
            given.append((word if is_source(word) else canonical(word), []))
    return shared, given


def _labels(given: Sequence[tuple[str, list[str]]]) -> list[str]:
    """What networks are called: as they are named, with the fields that tell those of one name
    apart; weights as the last part of where they are, if that is no other's name."""
    short = {name: _short(name) if is_source(name) else name for name, _ in given}
    taken = Counter(short.values())
    names = {name: own if taken[own] == 1 else name for name, own in short.items()}
    every = Counter(name for name, _ in given)
    return [
        names[name] if every[name] == 1 else " ".join([names[name], *_telling(name, own, given)])
        for name, own in given
    ]


def _short(source: str) -> str:
    path = Path(source)
    return path.parent.name or source if path.name in _FILES else path.name or source


def _telling(name: str, own: list[str], given: Sequence[tuple[str, list[str]]]) -> list[str]:
    """The fields of one of several networks that start from the same weights which tell it from the
    others, without lengths if these are not needed; of designs all."""
    if not is_source(name):
        return own
    others = [words for other, words in given if other == name]
    few = [[w for w in words if any(w not in each for each in others)] for words in others]
    few = [[word.removeprefix(RECIPE) for word in words] for words in few]
    fewer = [[word for word in words if not word.startswith(_LENGTHS)] for words in few]
    is_enough = len({tuple(words) for words in fewer}) == len(fewer)
    return (fewer if is_enough else few)[others.index(own)]


def _require_shared(name: str, shared: list[str]) -> None:
    """What stands before the first name is for all networks: each has to have these fields."""
    own = {*hints(_kind(name)), *hints(Recipe)}
    every = {*hints(Design), *hints(Vit), *hints(Swin)}
    for text in shared:
        field = text.partition("=")[0]
        if field in every - own:
            raise InputError(
                f"field {field!r} stands before the first network, so it is for all of them, but "
                f"{name!r} has none; write {text} after each network that it is for"
            )


def _kind(name: str) -> type:
    """Of which design a network is; only convolutional ones start from weights."""
    return Design if is_source(name) else type(design(name))


def _network(
    label: str,
    name: str,
    own: list[str],
    shared: list[str],
    recipe_name: str,
    classes: Sequence[str],
) -> Network:
    named = [text.removeprefix(RECIPE) for text in own if text.startswith(RECIPE)]
    if len(named) > 1:
        raise InputError(f"network {label!r} has two recipes; give it one")
    recipe_name, kind = (*named, recipe_name)[0], _kind(name)
    own = [text for text in own if not text.startswith(RECIPE)]
    every, one = (read_fields(texts, kind, Recipe) for texts in (shared, own))
    fields = {**every[0], **one[0]}
    trained = recipe(recipe_name, **{**every[1], **one[1]})
    chosen, initial = (
        read_candidate(name, fields, classes) if is_source(name) else (design(name, **fields), None)
    )
    return Network(
        name=label, design=chosen, recipe_name=recipe_name, recipe=trained, initial=initial
    )


def read_images(text: str, everything: int) -> tuple[int, ...]:
    """Numbers of images, or parts of all of them: what is at most 1.

    >>> read_images("1/16,0.25,1", 50_000), read_images("100,5000", 50_000)
    ((3125, 12500, 50000), (100, 5000))
    """
    return tuple(_number(part.strip(), everything) for part in text.split(","))


def read_part(text: str | None, images: int, classes: int) -> int | None:
    """Of how many training images every run of a study draws its own; None: it takes all.

    Raises:
        InputError: no one number, fewer than one of each class, or none that leaves images out.
    """
    if text is None:
        return None
    numbers = read_images(text, images)
    if len(numbers) != 1 or not classes <= numbers[0] < images:
        raise InputError(
            f"--images is {text!r}; give one number from {classes} (one of each class) and below "
            f"the {images:,} training images, or one part of them, as 1/2: every run draws its own"
        )
    return numbers[0]


def _number(text: str, everything: int) -> int:
    number = Fraction(text) if re.fullmatch(_NUMBER, text) else Fraction(-1)
    if 0 < number <= 1:
        return round(number * everything)
    if number < 0 or number.denominator > 1:
        raise InputError(
            f"--images has {text!r}; give numbers or parts of all, as 500,1000 or 1/16,1/4,1"
        )
    return int(number)


_NUMBER = r"[0-9]{1,12}(/0*[1-9][0-9]{0,11}|\.[0-9]{1,12})?"

COMPARISON = Kind(plan=plan_of, findings=measure_comparison, page="comparison")
