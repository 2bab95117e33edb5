"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019) with soft, smoothed targets."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from nextify.data.augment.box import Boxes, draw, inside, sent, whole_number


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
class MixDraws:
    """Random numbers for the images of a batch, or of several, on the CPU, as they are drawn.

    chances: (2, B) float32, the first of CutMix, the second of nothing any more: without it all
    later draws of a run would be others; shares: (2, B) float64, of mixup and of CutMix;
    middles: (2, B) float64, of the boxes. Without images where nothing is mixed.
    """

    chances: Tensor
    shares: Tensor
    middles: Tensor

    @classmethod
    def joined(cls, parts: Sequence["MixDraws"]) -> "MixDraws":
        """Those of batch after batch."""
        if len(parts) == 1:
            return parts[0]
        fields = zip(*((each.chances, each.shares, each.middles) for each in parts), strict=True)
        return cls(*(torch.cat(of, 1) for of in fields))

    def take(self, chosen: Tensor) -> "MixDraws":
        """Those of some images of the batch."""
        if self.shares.shape[1] == 0:
            return self
        return MixDraws(self.chances[:, chosen], self.shares[:, chosen], self.middles[:, chosen])


@dataclass(frozen=True, slots=True)
class Mix:
    """Mixes each image with its partner, the image as far from the end of the batch as it is from
    the start (timm's pairing: batches are shuffled, so partners are random).

    >>> mix = Mix(mixup=0.8, cutmix=1.0, label_smoothing=0.1, classes=10)
    >>> images, targets = mix(torch.rand(4, 3, 8, 8), torch.arange(4), torch.Generator())
    >>> images.shape, targets.shape, targets.sum(1).allclose(torch.ones(4))
    (torch.Size([4, 3, 8, 8]), torch.Size([4, 10]), True)

    mixup, cutmix: the parameters of symmetric beta distributions of an image's own share, 0 is off.
    Every image is mixed; where both are on, by CutMix as often as by mixup. Every image has its own
    draw; the official ConvNeXt code draws once for a batch. The law of one image is the same, only
    neighbours are no longer alike.
    """

    mixup: float
    cutmix: float
    label_smoothing: float
    classes: int

    def __call__(
        self, images: Tensor, labels: Tensor, generator: Generator
    ) -> tuple[Tensor, Tensor]:
        """images (B, C, H, W) float and labels (B,) -> mixed images, and targets (B, classes)."""
        return self.apply(images, labels, self.draw(len(images), generator))

    def draw(self, batch: int, generator: Generator) -> MixDraws:
        """Own draws for the images of one batch."""
        if not (self.mixup or self.cutmix):
            return MixDraws(*[torch.empty(2, 0)] * 3)
        chances = torch.rand(2, batch, generator=generator)
        shares = beta((self.mixup or 1.0, self.cutmix or 1.0), batch, generator)
        return MixDraws(chances, shares, draw((2, batch), generator))

    def apply(
        self, images: Tensor, labels: Tensor, draws: MixDraws, batch: int | None = None
    ) -> tuple[Tensor, Tensor]:
        """What was drawn, done to the images of one batch, or of several that follow one another,
        each of `batch` images."""
        smooth = smoothed(labels, self.classes, self.label_smoothing)
        if not (self.mixup or self.cutmix):
            return images, smooth
        mixture = self.mixture(draws, *images.shape[2:])
        return mixed(images, mixture, batch), mixed_targets(smooth, mixture, batch)

    def mixture(self, draws: MixDraws, height: int, width: int) -> Mixture:
        """What was drawn, for images of height x width pixels."""
        both = self.mixup and self.cutmix
        cut = draws.chances[0] < (0.5 if both else float(self.cutmix > 0))
        blending, cutting = draws.shares
        share = torch.where(cut, cutting, blending)
        boxes = cut_boxes(share, draws.middles, height, width)
        boxes = Boxes(boxes.top, boxes.left, boxes.height * cut, boxes.width)
        # A box at the border is cut off, so its area says more than the share that was drawn.
        kept = 1 - (boxes.height * boxes.width).double() / (height * width)
        return Mixture(share.masked_fill(cut, 1.0), boxes, torch.where(cut, kept, share))


def beta(concentrations: tuple[float, ...], count: int, generator: Generator) -> Tensor:
    """Draws from symmetric beta distributions, (distributions, count) float64.

    `torch.distributions` takes no generator; this is the function underneath it.
    """
    parameters = torch.tensor(concentrations, dtype=torch.float64)
    each = parameters[:, None, None].expand(-1, count, 2)
    return torch._sample_dirichlet(each, generator)[..., 0]


def cut_boxes(share: Tensor, middles: Tensor, height: int, width: int) -> Boxes:
    """Boxes of area 1 - share, centred on any pixel and cut off at the border (timm)."""
    ratio = (1 - share).sqrt()
    y, x = whole_number(middles[0], height), whole_number(middles[1], width)
    return boxes_around(y, x, ratio, height, width)


def boxes_around(y: Tensor, x: Tensor, ratio: Tensor, height: int, width: int) -> Boxes:
    """The boxes with centres (y, x) whose sides are `ratio` times the image's, inside it."""
    tall, wide = (ratio * height).long(), (ratio * width).long()
    top, left = (y - tall // 2).clamp(min=0), (x - wide // 2).clamp(min=0)
    bottom = (y + (tall + 1) // 2).clamp(max=height)
    right = (x + (wide + 1) // 2).clamp(max=width)
    return Boxes(top, left, bottom - top, right - left)


def partners(values: Tensor, batch: int | None) -> Tensor:
    """Each image's partner, in its batch: as far from its end as the image is from its start.

    >>> partners(torch.arange(6), 3).tolist()
    [2, 1, 0, 5, 4, 3]
    """
    if batch is None or batch == len(values):
        return values.flip(0)
    return values.view(-1, batch, *values.shape[1:]).flip(1).view(values.shape)


def mixed(images: Tensor, mixture: Mixture, batch: int | None = None) -> Tensor:
    """images (B, C, H, W) mixed with the reversed batch: new memory, channels last.

    batch: images in a batch; None: all are one.
    """
    count, channels, height, width = images.shape
    lines = images.permute(0, 2, 3, 1).reshape(count, height, width * channels)
    partner = partners(lines, batch)
    blend = sent(mixture.blend.to(images.dtype), images.device)[:, None, None]
    box = inside(mixture.boxes.to(images.device), height, width, channels)
    # In place where possible: a new buffer of this size costs more than the arithmetic.
    blended = (lines * blend).addcmul_(partner, 1 - blend)
    torch.where(box, partner, blended, out=blended)
    return blended.view(count, height, width, channels).permute(0, 3, 1, 2)


def smoothed(labels: Tensor, classes: int, smoothing: float) -> Tensor:
    """labels (B,) int -> (B, classes) float32 with smoothing / classes spread over all classes."""
    spread = smoothing / classes
    return F.one_hot(labels.long(), classes).float() * (1 - smoothing) + spread


def mixed_targets(targets: Tensor, mixture: Mixture, batch: int | None = None) -> Tensor:
    """Targets (B, classes) mixed with the reversed batch by each image's own share."""
    own = sent(mixture.own.to(targets.dtype), targets.device)[:, None]
    return targets * own + partners(targets, batch) * (1 - own)
