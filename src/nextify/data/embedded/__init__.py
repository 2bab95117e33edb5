"""The data set that comes with nextify: a part of Fashion-MNIST.

The first 1,000 training images of each class in their original order, and all 10,000 test images;
grey, 28 x 28. `scripts/embed_fashion_mnist.py` makes the file. Copyright 2017 Zalando SE, MIT:
see FASHION_MNIST_LICENSE.txt beside it.
"""

from importlib.resources import files

import numpy as np
import torch

from nextify.data.dataset import Images, Parts, both_resized
from nextify.data.fashion_mnist import CLASSES
from nextify.requests import DataSpec

NAME = "fashion-mnist-embedded"
FILE = "fashion_mnist.npz"
SHA256 = "469c4de2c6fd816c228c13e6e354dfa6946849f27d2667967518fae72c066a4a"
IMAGE_SIZE = 28
_SOURCE = (
    "Fashion-MNIST, the first 1,000 training images of each class and the whole test set, "
    "copyright 2017 Zalando SE, MIT licence."
)


def parts_of_embedded(options: DataSpec) -> Parts:
    """The embedded part of Fashion-MNIST."""
    with (files(__name__) / FILE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        train, test = (
            Images(
                torch.from_numpy(arrays[f"{side}_pixels"]).unsqueeze(1),
                torch.from_numpy(arrays[f"{side}_labels"]).to(torch.int64),
            )
            for side in ("train", "test")
        )
    image_size = options.image_size or IMAGE_SIZE
    train, test = both_resized(train, test, image_size, options.test_image_size)
    return Parts(NAME, CLASSES, train, test, image_size, _SOURCE)
