"""The order of the steps: crop and flip, RandAugment, normalise, erase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from nextify.data.augment.box import Boxes, draw, draw_boxes, drawn_boxes, whole_number
from nextify.data.augment.crop import centre, resized, window
from nextify.data.augment.erase import draw_erasing, draw_noise, erase_
from nextify.data.augment.randaugment import apply_layer, draw_layer, drawn_layer
from nextify.errors import InputError

RATIO: Final = (3 / 4, 4 / 3)  # of a resized crop: its width / height
LAYERS, NOISE = 2, 0.5  # of RandAugment: operations an image, and the deviation of magnitudes
NOWHERE = Boxes(*[torch.empty(0, dtype=torch.int64, device="cpu")] * 4)  # nothing is erased
NO_NOISE = torch.empty(0, 3, dtype=torch.float32, device="cpu")


@dataclass(frozen=True, slots=True)
class Draws:
    """Random numbers for the images of a batch, or of several, on the CPU, as they are drawn.

    flip: (B,) bool; place: (K, B) float64, of the crop; layers: of RandAugment's; erased: the boxes
    of random erasing, and noise: (P, 3), for their pixels.
    """

    flip: Tensor
    place: Tensor
    layers: tuple[tuple[Tensor, Tensor], ...]
    erased: Boxes
    noise: Tensor

    @classmethod
    def joined(cls, parts: Sequence["Draws"]) -> "Draws":
        """Those of batch after batch."""
        if len(parts) == 1:
            return parts[0]
        layers = zip(*(each.layers for each in parts), strict=True)
        sides = zip(*(each.erased.sides() for each in parts), strict=True)
        return cls(
            torch.cat([each.flip for each in parts]),
            torch.cat([each.place for each in parts], 1),
            tuple(_joined_layer(of) for of in layers),
            Boxes(*(torch.cat(side) for side in sides)),
            torch.cat([each.noise for each in parts]),
        )

    def take(self, chosen: Tensor) -> "Draws":
        """Those of some images of the batch."""
        boxes, noise = self.erased, self.noise
        if len(boxes.top):
            of_each = torch.split(noise, (boxes.height * boxes.width).tolist())
            noise = torch.cat([of_each[at] for at in chosen.tolist()])
            boxes = boxes.take(chosen)
        layers = tuple((uniform[:, chosen], normal[chosen]) for uniform, normal in self.layers)
        return Draws(self.flip[chosen], self.place[:, chosen], layers, boxes, noise)


def _joined_layer(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    uniform, normal = zip(*parts, strict=True)
    return torch.cat(uniform, 1), torch.cat(normal)


@dataclass(frozen=True, kw_only=True, slots=True)
class Augment:
    """Random views of a batch, each image with its own draws, normalised for training.

    >>> augment = Augment(image_size=32, crop="padded", flip=True, randaugment_magnitude=9,
    ...                   erasing=0.25, mean=(0.5,), std=(0.25,))
    >>> pixels = torch.zeros(8, 1, 32, 32, dtype=torch.uint8)
    >>> augment(pixels, torch.Generator().manual_seed(0)).shape
    torch.Size([8, 3, 32, 32])

    image_size: side of the views, pixels.
    crop: "none" is the centre; "padded" a random window after black borders of an eighth of
    image_size (He et al. 2016); "resized" a random box of aspect 3/4 to 4/3, stretched (Szegedy
    et al. 2015; bicubic).
    crop_area: the least share of the image that such a box has.
    flip: mirror left and right with probability 1/2.
    randaugment_*: see `randaugment`; magnitude 0 is off. What a rotation uncovers gets the colour
    `mean`, as in timm.
    erasing: the probability that a random box becomes noise (see `erase`), 0 is off.
    mean, std: of each channel on the scale 0 .. 1, one value for all or three.

    Grey images are worked on as one channel, and expanded at the end.
    Raises `InputError` for a mean or deviation on another scale; a recipe has checked the rest.
    """

    image_size: int
    crop: Literal["none", "padded", "resized"]
    crop_area: float = 0.08
    flip: bool
    randaugment_magnitude: float = 0.0
    randaugment_probability: float = 0.5
    erasing: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        _check_statistics(self.mean, self.std)

    def __call__(self, pixels: Tensor, generator: Generator) -> Tensor:
        """pixels (B, 1 or 3, S, S) uint8 -> (B, 3, size, size) float32, channels last.

        `generator` lives on the CPU; `pixels` are not changed and may be on any device.
        """
        _check_pixels(pixels, self._smallest())
        return self.apply(pixels, self.draw(len(pixels), generator))

    def draw(self, batch: int, generator: Generator) -> Draws:
        """Own draws for the images of one batch."""
        flip = torch.rand(batch, generator=generator) < (0.5 if self.flip else 0.0)
        place = self._draw_place(batch, generator)
        changes = self.randaugment_magnitude and self.randaugment_probability
        layers = tuple(draw_layer(batch, generator) for _ in range(LAYERS if changes else 0))
        boxes, noise = NOWHERE, NO_NOISE
        if self.erasing:
            boxes = draw_erasing(batch, self.image_size, self.erasing, generator)
            noise = draw_noise(boxes, 3, generator)
        return Draws(flip, place, layers, boxes, noise)

    def apply(self, pixels: Tensor, draws: Draws) -> Tensor:
        """What was drawn, done to the images of one batch, or of several."""
        _check_pixels(pixels, self._smallest())
        fill = tuple(min(255, round(255 * value)) for value in self.mean)
        views = self._cropped(pixels, draws)
        strength = self.randaugment_magnitude, NOISE, self.randaugment_probability
        if draws.layers:
            views, fill = _fillable(views, fill)
        for layer in draws.layers:
            views = apply_layer(views, drawn_layer(layer, *strength), fill)
        images = normalised(views, self.mean, self.std)
        return erase_(images, draws.erased, draws.noise) if self.erasing else images

    def _smallest(self) -> int:
        """Side of the smallest images that give a view, pixels."""
        size = self.image_size
        return {"none": size, "padded": size - 2 * (size // 8), "resized": 1}[self.crop]

    def _draw_place(self, batch: int, generator: Generator) -> Tensor:
        if self.crop == "resized":
            return draw_boxes(batch, generator)
        return draw((2 if self.crop == "padded" else 0, batch), generator)

    def _cropped(self, pixels: Tensor, draws: Draws) -> Tensor:
        size, flip = self.image_size, draws.flip
        if self.crop == "resized":
            source, area = pixels.shape[-1], (self.crop_area, 1.0)
            boxes = drawn_boxes(draws.place, source, area, RATIO, largest=source, otherwise=source)
            return resized(pixels, boxes, flip, size)
        if self.crop == "padded":
            bordered = F.pad(pixels, [size // 8] * 4)  # 4 pixels on 32 x 32 in He et al.
            top, left = whole_number(draws.place, bordered.shape[-1] - size + 1)
            return window(bordered, top, left, flip, size)
        middle, corner = centre(pixels, size), torch.zeros(len(pixels), dtype=torch.int64)
        return window(middle, corner, corner, flip, size) if self.flip else middle


def evaluation_view(
    pixels: Tensor, image_size: int, mean: tuple[float, ...], std: tuple[float, ...]
) -> Tensor:
    """The centre of each image, normalised: (B, 1 or 3, S, S) uint8 -> (B, 3, size, size) float32.

    Channels last; grey becomes three equal channels before `mean` and `std` (one value or three).
    Raises `InputError` where images are smaller than `image_size`.

    >>> evaluation_view(torch.full((1, 1, 4, 4), 255, dtype=torch.uint8), 2, (0.5,), (0.25,))[0, 0]
    tensor([[2., 2.],
            [2., 2.]])
    """
    _check_statistics(mean, std)
    _check_pixels(pixels, image_size)
    return normalised(centre(pixels, image_size), mean, std)


def normalised(pixels: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(pixels / 255 - mean) / std as (B, 3, H, W) float32, channels last, in new memory."""
    batch, _, height, width = pixels.shape
    scale = [1 / (255 * s) for s in std]
    shift = [-m / s for m, s in zip(mean, std, strict=True)]
    # Worked on as lines of width * 3 values, in place: broadcasting over three innermost channels
    # takes ten times as long, and each new buffer of this size as long again for its page faults.
    lines = pixels.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).reshape(batch, height, width * 3)
    lines = lines.float().mul_(_line(scale, width, pixels)).add_(_line(shift, width, pixels))
    return lines.view(batch, height, width, 3).permute(0, 3, 1, 2)


def _line(values: list[float], width: int, like: Tensor) -> Tensor:
    """One value or three, repeated for a line of `width` pixels."""
    line = torch.empty(width, 3, dtype=torch.float32, device=like.device)
    for channel, value in enumerate(values * (3 // len(values))):
        line[:, channel] = value  # not by a copy to a GPU, which would be waited for
    return line.view(-1)


def _fillable(pixels: Tensor, fill: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """Pixels and a fill colour with as many channels; grey stays grey if the colour is."""
    if pixels.shape[1] == 1 and len(set(fill)) == 1:
        return pixels, fill[:1]
    return pixels.expand(-1, 3, -1, -1), fill if len(fill) == 3 else fill * 3


def _check_statistics(mean: tuple[float, ...], std: tuple[float, ...]) -> None:
    if len(mean) != len(std) or len(mean) not in (1, 3):
        raise InputError(f"mean {mean} and std {std}: give both one value, or both three")
    if not all(0 <= value <= 1 for value in mean) or not all(value > 0 for value in std):
        raise InputError(f"mean {mean} and std {std}: use the scale 0 to 1, and std above 0")


def _check_pixels(pixels: Tensor, smallest: int) -> None:
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] not in (1, 3):
        found = f"{pixels.dtype} of shape {tuple(pixels.shape)}"
        raise InputError(f"pixels {found}: use uint8 of shape (B, 1 or 3, S, S)")
    height, width = pixels.shape[-2:]
    if height != width or width < smallest:
        raise InputError(
            f"pixels {height} x {width}: use square images of at least {smallest} pixels a side"
        )
