"""The images that the options of a study name: loaded here to be identified, and by its workers."""

from argparse import Namespace
from typing import TYPE_CHECKING

from nextify.cli.show import note_skipped
from nextify.designs import Precision

if TYPE_CHECKING:
    from nextify.data import Dataset
    from nextify.study import WorkerSetup


def load_images(options: Namespace, *, hold_out: bool = False) -> "tuple[Dataset, WorkerSetup]":
    """The data set, and how a worker loads the same.

    Args:
        hold_out: test on some of the training images.
    """
    from nextify.data import held_out, load
    from nextify.study import WorkerSetup

    where = {
        "source": options.data,
        "image_size": options.image_size,
        "split_seed": options.split_seed,
        "skip_unreadable": options.skip_unreadable,
        "train_limit": options.train_limit,
    }
    dataset = load(**where)
    note_skipped(dataset.skipped)
    if hold_out:
        dataset = held_out(dataset, options.split_seed)
    return dataset, WorkerSetup(**where, hold_out=hold_out)


def precision_of(options: Namespace) -> Precision:
    """The precision asked for; by default mixed on a GPU."""
    from nextify.training import default_device

    if options.precision is not None:
        chosen: Precision = options.precision
        return chosen
    return "bfloat16" if default_device() == "cuda" else "float32"
