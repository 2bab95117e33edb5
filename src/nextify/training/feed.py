"""What a step is fed: shuffled, augmented and mixed batches of one network, or of a stack's copies.

Every batch of every copy draws from the copy's own generators, one batch after another. What was
drawn is then done to the images of many batches at once: on a GPU each of the hundred operators of
an augmentation takes as long to start for one batch as for thousands of images. On a CPU that would
only take more memory: there a chunk is one batch.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from nextify.data import Dataset, ImageFiles, Images, balanced, batches, permuted, shuffled
from nextify.data.augment import Augment, Mix
from nextify.data.augment.box import sent
from nextify.data.augment.mix import MixDraws
from nextify.data.augment.policy import Draws
from nextify.designs import Recipe

LARGEST = 1 << 24  # values of images that are augmented at once on a GPU, if no batch has more
FIRST = 4  # batches in the first chunk: the GPU waits for it, and each next one is twice as large

Generators = Mapping[str, torch.Generator]
"""A run's, by purpose: "order", "augment" and "mix"."""


def fed(
    dataset: Dataset,
    recipe: Recipe,
    generators: Generators,
    *,
    device: torch.device | str,
    workers: int = 0,
    part: Tensor | None = None,
    skip: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """An epoch's batches: augmented images (B, 3, S, S), channels last, and soft targets
    (B, classes). The last batch, where it is not whole, is left out.

    Args:
        part: places in a batch, whose images alone are wanted; they are what they are in the whole
            batch. An image's partner in mixing, as far from the end, has to be among them.
        skip: batches that are left out at the beginning; the others are what they are after them.
    """
    size = recipe.batch_size if part is None else len(part)
    chunks = _chunks(dataset, recipe, [generators], device, workers, part, skip)
    for images, targets in chunks:
        yield from zip(*(torch.split(of, size) for of in (images, targets)), strict=True)


def fed_to_copies(
    dataset: Dataset,
    recipe: Recipe,
    generators: Sequence[Generators],
    *,
    device: torch.device | str,
    workers: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """As `fed`, for copies that each see their own batches: images (B, copies * 3, S, S), channels
    last, and soft targets (B, copies, classes)."""
    for images, targets in _chunks(dataset, recipe, generators, device, workers):
        form = (-1, len(generators), recipe.batch_size)
        pixels = images.permute(0, 2, 3, 1)
        pixels = pixels.view(*form, *pixels.shape[1:])  # (batches, copies, B, S, S, 3)
        beside = pixels.permute(0, 2, 3, 4, 1, 5).flatten(4).permute(0, 1, 4, 2, 3)
        soft = targets.view(*form, targets.shape[1]).transpose(1, 2).contiguous()
        yield from zip(beside, soft, strict=True)


def augmentation(recipe: Recipe, dataset: Dataset) -> Augment:
    """The recipe's augmentation for a data set. Resized crops of streamed images are made as these
    are decoded."""
    is_cropped = isinstance(dataset.train, ImageFiles) and area_of_crops(recipe) is not None
    return Augment(
        image_size=dataset.image_size,
        crop="none" if is_cropped else recipe.crop,
        crop_area=recipe.crop_area,
        flip=recipe.flip,
        randaugment_magnitude=recipe.randaugment,
        randaugment_probability=recipe.randaugment_probability,
        erasing=recipe.random_erasing,
        mean=dataset.mean,
        std=dataset.std,
    )


def area_of_crops(recipe: Recipe) -> float | None:
    """The least share of an image in resized crops; None: it is not cropped in this way."""
    return recipe.crop_area if recipe.crop == "resized" else None


def _chunks(
    dataset: Dataset,
    recipe: Recipe,
    generators: Sequence[Generators],
    device: torch.device | str,
    workers: int,
    part: Tensor | None = None,
    skip: int = 0,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (N, 3, S, S) and targets (N, classes) of some batches: batch after batch, and of each
    the copies' one after another."""
    augment, batch = augmentation(recipe, dataset), recipe.batch_size
    mix = Mix(recipe.mixup, recipe.cutmix, recipe.label_smoothing, len(dataset.classes))

    def draw(each: Generators) -> tuple[Draws, MixDraws]:
        drawn = augment.draw(batch, each["augment"]), mix.draw(batch, each["mix"])
        return drawn if part is None else (drawn[0].take(part), drawn[1].take(part))

    for _ in range(skip):
        for each in generators:
            draw(each)
    size = batch if part is None else len(part)
    for pixels, labels in _pixels(dataset.train, recipe, generators, device, workers, part, skip):
        rounds = len(pixels) // (size * len(generators))
        of_views, of_mix = zip(
            *(draw(each) for _ in range(rounds) for each in generators), strict=True
        )
        views = augment.apply(pixels, Draws.joined(of_views))
        images, targets = mix.apply(views, labels, MixDraws.joined(of_mix), size)
        yield permuted(images, dataset.origin.permuted), targets


def _pixels(
    images: Images | ImageFiles,
    recipe: Recipe,
    generators: Sequence[Generators],
    device: torch.device | str,
    workers: int,
    part: Tensor | None,
    skip: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The pixels and labels of each chunk, in the order of `_chunks`."""
    size, is_balanced = recipe.batch_size, recipe.balance == "sampling"
    if isinstance(images, ImageFiles):
        of_copies = [
            batches(images, size, generator=each["order"], device=device, workers=workers,
                    drop_last=True, part=part, skip=skip, crop_area=area_of_crops(recipe),
                    order=balanced(images.labels, each["order"]) if is_balanced else None)
            for each in generators
        ]  # fmt: skip
        for parts in zip(*of_copies, strict=True):
            pixels, labels = zip(*parts, strict=True)
            yield _beside(pixels), _beside(labels)
        return
    steps = len(images) // size
    orders = [
        balanced(images.labels, each["order"])
        if is_balanced
        else shuffled(len(images), each["order"])
        for each in generators
    ]
    orders = [order[: steps * size] for order in orders]
    rounds = torch.stack(orders).view(-1, steps, size).transpose(0, 1)  # (steps, copies, size)
    rounds = (rounds if part is None else rounds[:, :, part])[skip:]
    counts = list(_counts(len(rounds), images, rounds.shape[1] * rounds.shape[2], device))
    for some in torch.split(rounds, counts):
        chosen = sent(some.reshape(-1), images.pixels.device)
        there = images.pixels.index_select(0, chosen), images.labels.index_select(0, chosen)
        yield _brought(there[0], device), _brought(there[1], device)


def _brought(values: Tensor, device: torch.device | str) -> Tensor:
    """From where images are kept to where they are trained on."""
    where = torch.device(device)
    return values if values.device.type == where.type else sent(values, where)


def _beside(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _counts(steps: int, images: Images, together: int, device: torch.device | str) -> Iterator[int]:
    """How many steps each chunk is for."""
    largest = max(1, LARGEST // (together * 3 * images.pixels[0, 0].numel()))
    count, largest = (FIRST, largest) if torch.device(device).type == "cuda" else (1, 1)
    while steps > 0:
        taken = min(count, largest, steps)
        yield taken
        steps, count = steps - taken, 2 * count
