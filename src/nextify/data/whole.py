"""All images of a data set together, to train a network that has been chosen."""

from dataclasses import replace

import torch

from nextify.data.dataset import Dataset, ImageFiles, Images, measured


def whole(dataset: Dataset) -> Dataset:
    """The data set with its test images among the training images, after those.

    The test images stay what they are: what is measured on them says nothing any more. Mean and
    deviation are measured anew, and so is the fingerprint.

    >>> from nextify.data import load
    >>> both = whole(load("embedded", train_limit=100))
    >>> len(both.train), len(both.test), both.name
    (10100, 10000, 'fashion-mnist-embedded, all images')
    """
    name, together = f"{dataset.name}, all images", _together(dataset.train, dataset.test)
    return measured(replace(dataset, name=name, train=together))


def _together(train: Images | ImageFiles, test: Images | ImageFiles) -> Images | ImageFiles:
    match train, test:
        case Images(), Images():
            pixels = torch.cat([train.pixels, test.pixels])
            return Images(pixels, torch.cat([train.labels, test.labels]))
        case ImageFiles(), ImageFiles():
            return ImageFiles(
                paths=(*train.paths, *test.paths),
                labels=torch.cat([train.labels, test.labels]),
                contents=(*train.contents, *test.contents),
                stored_size=train.stored_size,
                image_size=train.image_size,
            )
    raise AssertionError("both sides of a data set are in memory, or neither is")
