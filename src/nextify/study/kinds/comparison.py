"""Comparisons: networks beside one another, each on one or several numbers of training images.

Everything but the network may be made equal: the cost, the recipe, the images that a seed draws,
and the number of updates. What is left is what the network makes of its images.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Literal

from nextify.costs import cost
from nextify.designs import AnyDesign, Design, Precision, Recipe
from nextify.designs.run import require_batch
from nextify.errors import InputError
from nextify.fitting import match_cost, match_width
from nextify.records import Cell, Matched, Plan
from nextify.study.kinds.path import require_seeds


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What is compared: a design under a recipe.

    Attributes:
        name: a label, each network's own. recipe_name: that `recipe` was made from.
        rate: of the recipe's learning rate, the multiple that `recipe` has.
    """

    name: str
    design: AnyDesign
    recipe_name: str
    recipe: Recipe
    rate: float = 1.0

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
    data_source: str,
    seeds: Sequence[int],
    images: Sequence[int] = (),
    most_epochs: int | None = None,
    matched: Matched = "",
    target: float | None = None,
    precision: Precision = "float32",
    command: str = "",
    held_out: bool = False,
) -> Plan:
    """A plan of every network on every number of training images; the first is the baseline.

    With a seed all networks are trained on the same draw of the images: differences are paired.
    The largest numbers come first within a seed, so that no core waits at the end.

    Args:
        data: `Dataset.identity()`. data_source: one sentence, with the licence.
        images: numbers of training images; by default all.
        most_epochs: on fewer images than all, train for more epochs: as many updates as on all of
            them, but no more epochs than these. By default all run for the recipe's epochs.
        matched: `"macs"`: widths are rescaled until all networks cost the target; `"params"`, for
            convolutional networks.
        target: by default what the first network costs.
        held_out: the data is tested on held-out training images, to choose settings by.

    Raises:
        InputError: no networks, or two that are equal or of one name; more images than there
            are, or fewer than classes or a batch; fewer `most_epochs` than a recipe's; a network
            that cannot be brought to the target.
    """
    require_seeds(seeds)
    _require_distinct(networks)
    numbers = _numbers(images, int(data["train"]), int(data["classes"]))
    one_cost = _at_one_cost(networks, matched, target, data)
    _require_distinct(one_cost)  # rescaling may have made equal ones
    cells = [
        _cell(network, number, data, most_epochs)
        for number, network in product(sorted(numbers, reverse=True), one_cost)
    ]
    return Plan(
        name="comparison",
        title=f"Networks compared on {data['name']}",  # others may join them in the file
        cells=tuple(cells),
        seeds=tuple(seeds),
        data=dict(data),
        data_source=data_source,
        precision=precision,
        command=command,
        experiment="comparison",
        matched=matched,
        held_out=held_out,
    )


def _require_distinct(networks: Sequence[Network]) -> None:
    if not networks:
        raise InputError("no networks are given; name one at least, such as convnext-mini")
    names = [network.name for network in networks]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise InputError(f"network {name!r} is given twice; change one of them, or leave it")
    first: dict[tuple[AnyDesign, Recipe], str] = {}
    for network in networks:
        # One network counted twice would make the spread between networks too small.
        twin = first.setdefault((network.design, network.recipe), network.name)
        if twin != network.name:
            raise InputError(
                f"networks {twin!r} and {network.name!r} are the same design under the same "
                "recipe; change one of them, or leave it"
            )


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
    networks: Sequence[Network], matched: Matched, target: float | None, data: Mapping[str, Any]
) -> list[Network]:
    if not matched:
        return list(networks)
    size, classes = int(data["image_size"]), int(data["classes"])
    if target is None:
        with _naming(networks[0]):
            first = cost(networks[0].design, size, classes)
        target = first.macs if matched == "macs" else first.params
    return [replace(n, design=_rescaled(n, matched, target, size, classes)) for n in networks]


def _rescaled(
    network: Network, matched: Matched, target: float, size: int, classes: int
) -> AnyDesign:
    one = network.design
    if isinstance(one, Design):
        quantity: Literal["macs", "params"] = "macs" if matched == "macs" else "params"
        with _naming(network):
            return match_cost([one], quantity, target, image_size=size, classes=classes)[0]
    if matched == "params":
        raise InputError(
            f"network {network.name!r} is a transformer, which is rescaled to equal MACs only; "
            "match macs"
        )
    with _naming(network):
        return match_width(one, target, image_size=size, classes=classes).design


def _cell(network: Network, number: int, data: Mapping[str, Any], most_epochs: int | None) -> Cell:
    everything = int(data["train"])
    with _naming(network):
        epochs = _epochs(network.recipe.epochs, number / everything, most_epochs)
        trained = network.recipe.changed({"epochs": epochs})
        require_batch(trained, number)
        counted = cost(network.design, int(data["image_size"]), int(data["classes"]))
    return Cell(
        name=f"{network.name}, {number:,} images",
        changed=f"{number:,} images",
        design=network.design,
        recipe_name=network.recipe_name,
        recipe=trained,
        params=counted.params,
        macs=counted.macs,
        rate=network.rate,
        network=network.name,
        images=None if number == everything else number,
    )


def _epochs(epochs: int, part: float, most: int | None) -> int:
    """As many as make the updates of so many epochs over all images, of which there is a part.

    >>> [_epochs(6, part, 24) for part in (1, 1 / 2, 1 / 4, 1 / 8)]
    [6, 12, 24, 24]
    """
    if most is None:
        return epochs
    if most < epochs:
        raise InputError(
            f"most_epochs is {most}, fewer than the recipe's {epochs} epochs; give {epochs} or more"
        )
    return min(most, round(epochs / part))
