"""What a request leaves unsaid of how networks are trained, and at what settings, said.

It is as in the study that goes on, where there is one, and else what suits the number of training
images. A plan keeps the request with it, so that its command says all and later versions, with
other defaults, go on alike.
"""

from collections.abc import Sequence
from itertools import takewhile
from typing import TypeVar

from nextify.designs import RECIPES, Recipe
from nextify.designs.factor import INITIALISATION, RATE
from nextify.designs.fields import read_fields
from nextify.designs.suited import suited_lengths, suited_recipe
from nextify.records import Plan
from nextify.requests import Compare, Study, StudyRequest, changed
from nextify.studies.kinds.comparison import read_images, read_part

R = TypeVar("R", bound=StudyRequest)

_LENGTHS = ("batch_size", "epochs")


def settled(request: R, images: int, there: Plan | None = None) -> R:
    """The request with its recipe, batch size and epochs, and what an experiment crosses.

    A recipe that is named is taken as it is, field for field; so is a field that is given.

    >>> from nextify.requests import Study, made
    >>> few = settled(made(Study, {"path": "small"}), 1_231)
    >>> few.recipe, few.changes
    ('modern-small', ('epochs=49',))

    Args:
        images: to train on. there: the plan of the study that goes on.
    """
    return _crossed(_trained(request, images, there), there)


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
    return changed(request, cross="none" if is_alone else f"{INITIALISATION},{RATE}")


def _trained(request: R, images: int, there: Plan | None) -> R:
    if request.recipe is not None:
        return request
    if isinstance(request, Study):
        images = read_part(request.images, images) or images
    words = request.networks if isinstance(request, Compare) else request.changes
    (said,) = read_fields(_shared(words), Recipe)
    name, lengths = _as_there(there) if there else _suited(request, images, said.get("batch_size"))
    own = RECIPES[name]
    unsaid = tuple(
        f"{field}={value}"
        for field, value in lengths.items()
        if field not in said and value != getattr(own, field)
    )
    if isinstance(request, Compare):
        return changed(request, recipe=name, networks=(*unsaid, *words))
    return changed(request, recipe=name, changes=(*words, *unsaid))


def _shared(words: Sequence[str]) -> list[str]:
    """What is said of batches and epochs of all networks."""
    every = takewhile(lambda word: "=" in word, words)
    return [word for word in every if word.partition("=")[0] in _LENGTHS]


def _suited(request: StudyRequest, images: int, batch: int | None) -> tuple[str, dict[str, int]]:
    name, least, most_epochs = suited_recipe(images), images, None
    if isinstance(request, Compare):
        least = min(read_images(request.images, images)) if request.images else images
        most_epochs = request.most_epochs
    lengths = suited_lengths(name, images, batch=batch, least=least)
    return name, {**lengths, "epochs": min(lengths["epochs"], most_epochs or lengths["epochs"])}


def _as_there(there: Plan) -> tuple[str, dict[str, int]]:
    """As in a study's last step, or in its networks on most images."""
    cell = max(reversed(there.cells), key=there.images_of)
    return cell.recipe_name, {field: getattr(cell.recipe, field) for field in _LENGTHS}
