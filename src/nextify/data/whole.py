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
    labels = torch.cat([train.labels, test.labels])
    match train, test:
        case Images(), Images():
            return Images(torch.cat([train.pixels, test.pixels]), labels)
        case ImageFiles(), ImageFiles():
            paths, contents = (*train.paths, *test.paths), (*train.contents, *test.contents)
            return replace(train, paths=paths, labels=labels, contents=contents)
    raise AssertionError("both sides of a data set are in memory, or neither is")
