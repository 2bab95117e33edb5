"""How many classes a network answers is counted on all test images."""

import torch
from torch import Tensor, nn

from nextify.data import load
from nextify.designs import Run, design, recipe
from nextify.training.evaluate import evaluate


class Always(nn.Module):
    """Answers one class; for images that are bright at a corner, another."""

    def __init__(self, other: int) -> None:
        super().__init__()
        self.other = other

    def forward(self, images: Tensor) -> Tensor:
        answers = torch.where(images[:, 0, 0, 0] > images[:, 0, 0, 0].median(), self.other, 3)
        return nn.functional.one_hot(answers, 10).float()


def test_one_class_or_more():
    images = load("embedded", train_limit=64)
    some = images.test.take(torch.arange(0, 10_000, 100))
    one = evaluate(Always(3), images, some)
    assert (one.answered, one.correct.sum()) == (1, (some.labels == 3).sum())
    noisy = images.test.take(torch.arange(0, 1000))
    noisy.pixels[::2, :, :4, :4] = 255
    assert evaluate(Always(5), images, noisy).answered == 2


def test_the_share_of_the_largest_class_is_not_in_what_identifies_images():
    images = load("embedded", train_limit=64)
    assert images.largest_class == 0.1 and "largest_class" not in images.identity()
    run = Run(design=design("convnext-mini"), data=images.identity(), recipe=recipe("modern-small"))
    assert "answered" not in run.as_dict() and "largest_class" not in run.as_dict()["data"]
