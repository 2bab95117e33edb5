"""The recipe that suits a number of training images, where none is named.

The papers' recipes are for a million images: batches of 4,096, 300 epochs. The small ones were
tuned on ten thousand (docs/small-path.md), where their 6 epochs are some 940 updates; a network
needs the updates, however many images there are to draw them from.
"""

from nextify.designs.recipe import RECIPES

LARGE = 250_000  # training images from which the papers' recipes are taken as they are
_UPDATES = 940  # of the weights, at the least, while that takes no more than _MOST_EPOCHS
_MOST_EPOCHS = 100
_LEAST_BATCH = 8
_BATCHES = 10  # in an epoch, at the least, while batches are not below that


def suited_recipe(images: int, *, pretrained: bool = False) -> str:
    """The name of the recipe for so many training images, from scratch or from trained weights.

    >>> suited_recipe(1_200), suited_recipe(1_281_167), suited_recipe(300, pretrained=True)
    ('modern-small', 'modern', 'finetune-small')
    """
    return f"{'finetune' if pretrained else 'modern'}{'-small' if images < LARGE else ''}"


def suited_lengths(
    recipe: str, images: int, *, batch: int | None = None, least: int | None = None
) -> dict[str, int]:
    """`batch_size` and `epochs` that suit so many training images.

    The recipe's batch is halved until an epoch has ten of them; the epochs are as many as make 940
    updates, but no fewer than the recipe's and at most 100. Fine-tuning keeps its epochs.

    >>> suited_lengths("modern-small", 1_231), suited_lengths("modern-small", 10_000)
    ({'batch_size': 64, 'epochs': 49}, {'batch_size': 64, 'epochs': 6})
    >>> suited_lengths("modern-small", 160), suited_lengths("modern", 1_281_167)
    ({'batch_size': 16, 'epochs': 94}, {'batch_size': 4096, 'epochs': 300})

    Args:
        batch: that is settled. least: images that some of the runs are trained on: no batch is
            larger.
    """
    own = RECIPES[recipe]
    size = batch or own.batch_size
    if batch is None:
        while size > _LEAST_BATCH and size * _BATCHES > images:
            size //= 2
        size = max(1, min(size, least or images))
    if own.weight_init == "pretrained":
        return {"batch_size": size, "epochs": own.epochs}
    needed = round(_UPDATES / max(1, images // size))
    return {"batch_size": size, "epochs": max(own.epochs, min(needed, _MOST_EPOCHS))}
