"""Command data: what a set of images holds, before anything is trained on it."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from nextify.commands.watch import QUIET, Watch
from nextify.data import Dataset, batches, load, with_validation
from nextify.data.augment import evaluation_view
from nextify.data.pictures import picture
from nextify.data.surveying import THUMBNAIL, survey
from nextify.designs import Recipe, recipe
from nextify.designs.suited import suited_fields, suited_recipe
from nextify.files import require_writable
from nextify.findings.survey import Survey
from nextify.report.page import ReportFiles
from nextify.report.survey.files import write_survey
from nextify.requests import Data, DataSpec, command_line
from nextify.training.feed import area_of_crops, augmentation
from nextify.training.machine import loaders_for

_ROWS, _DRAWS = 5, 6  # images whose augmentation is shown, and how often it is drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class Surveyed:
    """What was found, and the files that were written, where some were asked for."""

    survey: Survey
    report: ReportFiles | None = None


def data(request: Data, watch: Watch = QUIET) -> Surveyed:
    """Look at a set of images. Unreadable ones are left out and named.

    Raises:
        InputError: no such images, an unknown recipe, or a report that cannot be written.
    """
    if request.report is not None:
        require_writable(Path(request.report), "--report")
    spec = DataSpec(
        source=request.source,
        image_size=request.image_size,
        split_seed=request.split_seed,
        skip_unreadable=True,
    )
    named = None if request.recipe is None else recipe(request.recipe)  # before images are read
    images = with_validation(load(spec), spec)
    watch.images(images)
    count = len(images.train)
    name = request.recipe or suited_recipe(count)
    how = named or recipe(name, **suited_fields(name, count, images.image_size))
    found = replace(
        survey(images, loaders=loaders_for("cpu")),
        recipe=name,
        augmented=augmented(images, how),
        command=command_line(request),
    )
    written = None if request.report is None else write_survey(found, request.report)
    return Surveyed(survey=found, report=written)


def augmented(images: Dataset, how: Recipe, rows: int = _ROWS) -> tuple[tuple[bytes, ...], ...]:
    """Small copies of some training images as they are evaluated, each followed by draws of a
    recipe's augmentation: what training sees, but for what mixes two images."""
    augment, generator = augmentation(how, images), torch.Generator().manual_seed(0)
    found = []
    for index in _of_different_classes(images, rows):
        one = images.train.take(torch.tensor([index]))
        ((stored, _),) = batches(one, 1, generator=None, device="cpu")
        seen = evaluation_view(stored, images.image_size, images.mean, images.std)
        draws = [
            augment(pixels, generator)
            for _ in range(_DRAWS)
            for pixels, _ in batches(
                one, 1, generator=generator, device="cpu", crop_area=area_of_crops(how)
            )
        ]
        levels = (_levels(each[0], images) for each in (seen, *draws))
        found.append(tuple(picture(each, side=THUMBNAIL) for each in levels))
    return tuple(found)


def _of_different_classes(images: Dataset, count: int) -> list[int]:
    labels = images.train.labels.numpy()
    draw = np.random.default_rng(0)
    order = draw.permutation(len(labels))
    _, first = np.unique(labels[order], return_index=True)
    return [int(order[at]) for at in np.sort(first)[:count]]


def _levels(image: Tensor, of: Dataset) -> Tensor:
    """A normalised image (3, S, S) as uint8."""
    mean, std = (torch.tensor(each).view(-1, 1, 1) for each in (of.mean, of.std))
    return ((image * std + mean) * 255).round().clamp(0, 255).to(torch.uint8)
