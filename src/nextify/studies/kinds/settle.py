"""What a request leaves unsaid of how networks are trained, and at what settings, said.

It is as in the study that goes on, where there is one, and else what suits the number of training
images. A plan keeps the request with it, so that its command says all and later versions, with
other defaults, go on alike.
"""

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import Any, TypeVar

from nextify.designs import RECIPES, Recipe, recipe
from nextify.designs.factor import INITIALISATION, RATE
from nextify.designs.fields import read_fields
from nextify.designs.suited import suited_fields, suited_recipe
from nextify.records import Plan
from nextify.requests import Choose, Compare, Study, StudyRequest, changed
from nextify.studies.kinds.candidates import is_source
from nextify.studies.kinds.comparison import RECIPE, by_network, read_images

R = TypeVar("R", bound=StudyRequest)

_LENGTHS = ("batch_size", "epochs")
_FIELDS = (*_LENGTHS, "crop", "crop_area")


def settled(request: R, images: int, side: int, there: Plan | None = None) -> R:
    """The request with its recipe, batch size, epochs and crop, and what an experiment crosses.

    A recipe that is named is taken as it is, field for field; so is a field that is given.

    >>> from nextify.requests import Study, made
    >>> few = settled(made(Study, {"path": "small"}), 1_231, 96)
    >>> few.recipe, few.changes
    ('modern-small', ('epochs=49', 'crop=resized', 'crop_area=0.35'))

    Args:
        images: to train on. side: that they have, in pixels. there: the plan of the
            study that goes on.
    """
    return _crossed(_trained(request, images, side, there), there)


def _crossed(request: R, there: Plan | None) -> R:
    """With what is crossed with the choices: as in the study that goes on, and else, of an
    experiment that asks which choice made the difference, all that may suit one side."""
    if not isinstance(request, Study) or request.experiment.cross is not None:
        return request
    options = request.experiment
    if there is not None and there.crossed:
        return changed(request, cross=",".join(map(str, there.crossed)))
    if options.experiment != "resolution-5" or options.fold_over or options.add_cells:
        return request
    is_alone = there is not None or options.rates or options.tune_rate
    usual = RATE if request.weights or says_how_drawn(request) else f"{INITIALISATION},{RATE}"
    return changed(request, cross="none" if is_alone else usual)


def says_how_drawn(request: Study) -> bool:
    """Whether a field says how the weights of all networks are drawn."""
    return any(word.partition("=")[0] == "weight_init" for word in request.changes)


def _trained(request: R, images: int, side: int, there: Plan | None) -> R:
    if request.recipe is not None or (isinstance(request, Choose) and request.candidates):
        return request  # candidates of a race have each the recipe that suits it
    if isinstance(request, Study) and request.images:
        images = read_images(request.images, images)[0] or images  # the plan refuses what is none
    if isinstance(request, Compare):
        request = changed(request, networks=_with_own(request, images, side, there))
        if all(map(_has_own, by_network(request.networks)[1])):
            return request
    words = request.networks if isinstance(request, Compare) else request.changes
    said = _shared(words)
    from_weights = isinstance(request, Study) and request.weights is not None
    name, lengths = _as_there(there, from_weights) or _suited(
        request, images, side, said, pretrained=from_weights
    )
    own = RECIPES[name]
    unsaid = tuple(
        f"{field}={value}"
        for field, value in lengths.items()
        if field not in said and value != getattr(own, field)
    )
    if isinstance(request, Compare):
        return changed(request, recipe=name, networks=(*unsaid, *words))
    return changed(request, recipe=name, changes=(*words, *unsaid))


def _with_own(request: Compare, images: int, side: int, there: Plan | None) -> tuple[str, ...]:
    """Words in which every network that has its own recipe, as all have that start from weights,
    says it with its lengths: as in the study that goes on, and else as suits the images."""
    shared, networks = by_network(request.networks)
    before = [each for each in there.requests if isinstance(each, Compare)] if there else []
    # A recipe that is not what suited the images was asked for: it says nothing of this one.
    suits = [(each, _suited(each, images, side, {}, pretrained=True)[0]) for each in before]
    words = [*shared]
    for name, own in networks:
        words += [name, *own]
        if not (is_source(name) or _has_own((name, own))):
            continue
        said = {word.partition("=")[0] for word in (*shared, *own)}
        unsaid = [field for field in ("recipe", *_LENGTHS) if field not in said]
        words += _own_there(name, own, unsaid, suits) or _own(
            request, images, side, own, shared, unsaid
        )
    return tuple(words)


def _has_own(network: tuple[str, list[str]]) -> bool:
    return any(word.startswith(RECIPE) for word in network[1])


def _own(
    request: Compare, images: int, side: int, own: list[str], shared: list[str], unsaid: list[str]
) -> list[str]:
    said = _shared((*shared, *own))
    named = next((w.removeprefix(RECIPE) for w in own if w.startswith(RECIPE)), None)
    if named is not None:
        recipe(named)  # which refuses what is none
    name, lengths = _suited(request, images, side, said, named, pretrained=True)
    values = {"recipe": name, **lengths}
    return [f"{field}={values[field]}" for field in unsaid]


def _own_there(
    name: str, own: list[str], unsaid: list[str], before: Iterable[tuple[Compare, str]]
) -> list[str]:
    """What was settled of the same network, if it is there: what stands behind what was said.

    Args:
        before: requests, each with the recipe that it gave to weights where it named none.
    """
    for one, suited in before:
        for other, words in by_network(one.networks)[1]:
            rest = words[len(own) :]
            is_same = (other, words[: len(own)]) == (name, own)
            is_settled = unsaid == [word.partition("=")[0] for word in rest]
            if is_same and is_settled and ("recipe" not in unsaid or f"{RECIPE}{suited}" in rest):
                return rest
    return []


def _shared(words: Iterable[str]) -> dict[str, Any]:
    """What is said of batches, epochs and crops of all networks."""
    every = takewhile(lambda word: "=" in word, words)
    (said,) = read_fields([w for w in every if w.partition("=")[0] in _FIELDS], Recipe)
    return said


def _suited(
    request: StudyRequest,
    images: int,
    side: int,
    said: Mapping[str, Any],
    name: str | None = None,
    *,
    pretrained: bool = False,
) -> tuple[str, dict[str, Any]]:
    least, most_epochs = images, None
    if isinstance(request, Compare):
        numbers = read_images(request.images, images) if request.images else (images,)
        least, most_epochs = min(numbers), request.most_epochs
        # Epochs on fewer images follow from those on all of them only where as many are made.
        images = images if most_epochs else max(numbers)
    name = name or suited_recipe(images, pretrained=pretrained)
    batch, epochs = said.get("batch_size"), said.get("epochs")
    if epochs is None and most_epochs is not None:
        usual = suited_fields(name, images, side, batch=batch, least=least)
        epochs = min(usual["epochs"], most_epochs)
    return name, suited_fields(
        name, images, side, batch=batch, epochs=epochs, least=least, crop=said.get("crop")
    )


def _as_there(there: Plan | None, from_weights: bool) -> tuple[str, dict[str, Any]] | None:
    """As in its last request, or in networks that start alike; None where there are none."""
    if there is None:
        return None
    # Not of the cells: a screening may be shortened, and its cells' epochs are not the choice's.
    for request in reversed(there.requests):
        if isinstance(request, Compare | Choose) and request.recipe in RECIPES:
            words = request.networks if isinstance(request, Compare) else request.changes
            own, said = RECIPES[request.recipe], _shared(words)
            return request.recipe, {f: said.get(f, getattr(own, f)) for f in _FIELDS}
    cells = [cell for cell in there.cells if (cell.initial is not None) == from_weights]
    if not cells:
        return None
    # Where the recipe is a factor, networks have the classic one when the modern is not made.
    cell = max(
        reversed(cells),
        key=lambda cell: (there.images_of(cell), not cell.recipe_name.startswith("classic")),
    )
    return cell.recipe_name, {field: getattr(cell.recipe, field) for field in _FIELDS}
