"""The images that options name: loaded here to be identified, and by a study's workers."""

from argparse import Namespace
from typing import TYPE_CHECKING, Any

from nextify.cli.show import note_skipped
from nextify.designs import Precision

if TYPE_CHECKING:
    from nextify.data import Dataset
    from nextify.study import WorkerSetup


def source_of(options: Namespace) -> dict[str, Any]:
    """Which images, as `load`, `load_for` and `WorkerSetup` take it."""
    names = ("image_size", "split_seed", "skip_unreadable", "train_limit")
    return {"source": options.data, **{name: getattr(options, name) for name in names}}


def load_images(options: Namespace, *, hold_out: bool = False) -> "tuple[Dataset, WorkerSetup]":
    """The data set, and how a worker loads the same.

    Args:
        hold_out: test on some of the training images.
    """
    from nextify.data import held_out, load
    from nextify.study import WorkerSetup

    dataset = load(**source_of(options))
    note_skipped(dataset.skipped)
    if hold_out:
        dataset = held_out(dataset, options.split_seed)
    return dataset, WorkerSetup(**source_of(options), hold_out=hold_out)


def precision_of(options: Namespace) -> Precision:
    """The precision asked for; by default mixed on a GPU."""
    from nextify.training import default_device, default_precision

    asked: Precision | None = options.precision
    return asked or default_precision(default_device())
