"""The recipe that suits a number of training images, where none is named.

The papers' recipes are for a million images: batches of 4,096, 300 epochs. The small ones were
tuned on ten thousand (docs/small-path.md), where their 6 epochs are some 940 updates; a network
needs the updates, however many images there are to draw them from. Where they are few, it sees each
of them many times, and learns it by heart unless it sees another part each time.
"""

from typing import Any

from nextify.designs.recipe import RECIPES

LARGE = 250_000  # training images from which the papers' recipes are taken as they are
_UPDATES = 940  # of the weights, at the least, while that takes no more than _MOST_EPOCHS
_MOST_EPOCHS = 100
_LEAST_BATCH = 8
_BATCHES = 10  # in an epoch, at the least, while batches are not below that
# Epochs and pixels a side from which a recipe without crops has them (docs/defaults.md): on small
# images of one thing in the middle they cost accuracy, on photographs they bring it. Smaller crops
# than these, as in the papers' 300 epochs, are too hard for a residual network in 940 updates.
_CROPPED = 20, 48
_CROP_AREA = 0.35


def suited_recipe(images: int, *, pretrained: bool = False) -> str:
    """The name of the recipe for so many training images, from scratch or from trained weights.

    >>> suited_recipe(1_200), suited_recipe(1_281_167), suited_recipe(300, pretrained=True)
    ('modern-small', 'modern', 'finetune-small')
    """
    return f"{'finetune' if pretrained else 'modern'}{'-small' if images < LARGE else ''}"


def suited_fields(
    recipe: str,
    images: int,
    side: int,
    *,
    batch: int | None = None,
    epochs: int | None = None,
    least: int | None = None,
    crop: str | None = None,
) -> dict[str, Any]:
    """`batch_size`, `epochs`, `crop` and `crop_area` that suit so many training images.

    The recipe's batch is halved until an epoch has ten of them; the epochs are as many as make 940
    updates, but no fewer than the recipe's and at most 100. From 20 epochs on, images of 48 pixels
    or more are cropped at random, to a third of them at the least. Fine-tuning keeps its epochs and
    crops.

    >>> suited_fields("modern-small", 1_231, 96)
    {'batch_size': 64, 'epochs': 49, 'crop': 'resized', 'crop_area': 0.35}
    >>> suited_fields("modern-small", 10_000, 96)
    {'batch_size': 64, 'epochs': 6, 'crop': 'none', 'crop_area': 0.08}

    Args:
        side: of the images, in pixels. batch, epochs, crop: that are settled. least: images that
            some of the runs are trained on: no batch is larger.
    """
    own = RECIPES[recipe]
    size = batch or own.batch_size
    if batch is None:
        while size > _LEAST_BATCH and size * _BATCHES > images:
            size //= 2
        size = max(1, min(size, least or images))
    needed = round(_UPDATES / max(1, images // size))
    length = epochs or max(own.epochs, min(needed, _MOST_EPOCHS))
    area = own.crop_area
    if own.weight_init == "pretrained":
        length = epochs or own.epochs
    elif crop is None and own.crop == "none" and length >= _CROPPED[0] and side >= _CROPPED[1]:
        crop, area = "resized", _CROP_AREA
    return {"batch_size": size, "epochs": length, "crop": crop or own.crop, "crop_area": area}
