"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) with soft, smoothed targets."""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from nextify.data.augment.box import Boxes, inside, whole_number


@dataclass(frozen=True, slots=True)
class Mixture:
    """What each image keeps. Fields have one entry per image, on the CPU.

    blend: (B,) float64, the share of every pixel that is its own, 1 where CutMix is done;
    boxes: what the partner's pixels replace, empty where mixup is done;
    own: (B,) float64, the share of its label.
    """

    blend: Tensor
    boxes: Boxes
    own: Tensor


@dataclass(frozen=True, slots=True)
class Mix:
    """Mixes each image with its partner, the image as far from the end of the batch as it is from
    the start (timm's pairing: batches are shuffled, so partners are random).

    >>> mix = Mix(mixup=0.8, cutmix=1.0, label_smoothing=0.1, classes=10)
    >>> images, targets = mix(torch.rand(4, 3, 8, 8), torch.arange(4), torch.Generator())
    >>> images.shape, targets.shape, targets.sum(1).allclose(torch.ones(4))
    (torch.Size([4, 3, 8, 8]), torch.Size([4, 10]), True)

    mixup, cutmix: the parameters of symmetric beta distributions of an image's own share, 0 is off.
    switch_probability: of CutMix, where both are on. probability: of mixing at all.
    Every image has its own draw; the official ConvNeXt code draws once for a batch. The law of one
    image is the same, only neighbours are no longer alike.
    """

    mixup: float
    cutmix: float
    label_smoothing: float
    classes: int
    switch_probability: float = 0.5
    probability: float = 1.0

    def __call__(
        self, images: Tensor, labels: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """images (B, C, H, W) float and labels (B,) -> mixed images, and targets (B, classes)."""
        smooth = smoothed(labels, self.classes, self.label_smoothing)
        if not (self.mixup or self.cutmix):
            return images, smooth
        batch, _, height, width = images.shape
        mixture = self.draw(batch, height, width, generator)
        return mixed(images, mixture), mixed_targets(smooth, mixture)

    def draw(self, batch: int, height: int, width: int, generator: Generator) -> Mixture:
        """Own draws for `batch` images of height x width pixels. At least one kind must be on."""
        both = self.mixup and self.cutmix
        cut_probability = self.switch_probability if both else float(self.cutmix > 0)
        cut = torch.rand(batch, generator=generator) < cut_probability
        used = torch.rand(batch, generator=generator) < self.probability
        blending = beta(self.mixup or 1.0, batch, generator)
        cutting = beta(self.cutmix or 1.0, batch, generator)
        share = torch.where(cut, cutting, blending).masked_fill(~used, 1.0)
        boxes = cut_boxes(share, height, width, generator)
        boxes = Boxes(boxes.top, boxes.left, boxes.height * cut, boxes.width)
        # A box at the border is cut off, so its area says more than the share that was drawn.
        kept = 1 - (boxes.height * boxes.width).double() / (height * width)
        return Mixture(share.masked_fill(cut, 1.0), boxes, torch.where(cut, kept, share))


def beta(concentration: float, count: int, generator: Generator) -> Tensor:
    """Draws from the symmetric beta distribution, (count,) float64.

    `torch.distributions` takes no generator; this is the function underneath it.
    """
    parameters = torch.full((count, 2), concentration, dtype=torch.float64)
    return torch._sample_dirichlet(parameters, generator)[:, 0]


def cut_boxes(share: Tensor, height: int, width: int, generator: Generator) -> Boxes:
    """Boxes of area 1 - share, centred on any pixel and cut off at the border (timm)."""
    ratio = (1 - share).sqrt()
    middle = [whole_number(torch.full(share.shape, side), generator) for side in (height, width)]
    return boxes_around(middle[0], middle[1], ratio, height, width)


def boxes_around(y: Tensor, x: Tensor, ratio: Tensor, height: int, width: int) -> Boxes:
    """The boxes with centres (y, x) whose sides are `ratio` times the image's, inside it."""
    tall, wide = (ratio * height).long(), (ratio * width).long()
    top, left = (y - tall // 2).clamp(min=0), (x - wide // 2).clamp(min=0)
    bottom = (y + (tall + 1) // 2).clamp(max=height)
    right = (x + (wide + 1) // 2).clamp(max=width)
    return Boxes(top, left, bottom - top, right - left)


def mixed(images: Tensor, mixture: Mixture) -> Tensor:
    """images (B, C, H, W) mixed with the reversed batch: new memory, channels last."""
    batch, channels, height, width = images.shape
    lines = images.permute(0, 2, 3, 1).reshape(batch, height, width * channels)
    partner = lines.flip(0)
    blend = mixture.blend.to(images.device, images.dtype)[:, None, None]
    box = inside(mixture.boxes, height, width, channels).to(images.device)
    # In place where possible: a new buffer of this size costs more than the arithmetic.
    blended = (lines * blend).addcmul_(partner, 1 - blend)
    torch.where(box, partner, blended, out=blended)
    return blended.view(batch, height, width, channels).permute(0, 3, 1, 2)


def smoothed(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """labels (B,) int -> (B, classes) float32 with smoothing / classes spread over all classes."""
    spread = smoothing / classes
    return F.one_hot(labels.long(), classes).float() * (1 - smoothing) + spread


def mixed_targets(targets: Tensor, mixture: Mixture) -> Tensor:
    """Targets (B, classes) mixed with the reversed batch by each image's own share."""
    own = mixture.own.to(targets.device, targets.dtype)[:, None]
    return targets * own + targets.flip(0) * (1 - own)
