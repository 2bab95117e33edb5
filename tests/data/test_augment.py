"""Augmentation against Pillow, timm and torchvision, and the laws of its draws.

Statistical tolerances are five standard errors of the compared estimates; seeds are fixed, so a
test either always passes or never.
"""

import math
import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import timm.data.auto_augment as timm_augment
import timm.data.mixup as timm_mixup
import timm.data.random_erasing as timm_erasing
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import RandomResizedCrop, v2
from torchvision.transforms.v2 import functional as reference

from nextify.data.augment import Augment, Mix, evaluation_view
from nextify.data.augment.box import Boxes, draw_boxes, drawn_boxes, inside
from nextify.data.augment.crop import resized
from nextify.data.augment.erase import AREA, ASPECT, draw_erasing, draw_noise, erase_
from nextify.data.augment.mix import (
    Mixture,
    beta,
    boxes_around,
    mixed,
    mixed_targets,
    smoothed,
)
from nextify.data.augment.policy import RATIO
from nextify.data.augment.randaugment import (
    NOTHING,
    OPERATIONS,
    WARPS,
    Layer,
    apply_layer,
    draw_layer,
    drawn_layer,
)
from nextify.errors import InputError

NAMES = [op.name for op in OPERATIONS]
FILL = (124, 116, 104)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FULL = Augment(
    image_size=32,
    crop="resized",
    flip=True,
    randaugment_magnitude=9,
    erasing=0.5,
    mean=MEAN,
    std=STD,
)
OFF = replace(FULL, crop="none", flip=False, randaugment_magnitude=0, erasing=0.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 12, channels: int = 3, size: int = 32, seed: int = 0) -> Tensor:
    """Noise, smooth pictures, narrow ranges and two flat images, uint8."""
    draws = generator(seed)
    noise = torch.randint(0, 256, (count, channels, size, size), generator=draws)
    coarse = torch.rand(count, channels, 5, 5, generator=draws) * 255
    smooth = torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 255)
    narrow = 90 + smooth / 8
    kind = (torch.arange(count) % 3).view(-1, 1, 1, 1)
    mixture = torch.where(kind == 0, noise.float(), torch.where(kind == 1, smooth, narrow))
    mixture[-1], mixture[-2] = 0, 200
    return mixture.round().to(torch.uint8)


def layer(name: str, count: int, magnitude: float, sign: float) -> Layer:
    """`count` times the same operation at the same magnitude."""
    numbers = torch.tensor([[magnitude / 10, sign]], dtype=torch.float64).expand(count, 2)
    return Layer(torch.full((count,), NAMES.index(name)), numbers[:, 0], numbers[:, 1])


def by_timm(
    pixels: Tensor, name: str, magnitude: float, sign: float, monkeypatch: object
) -> Tensor:
    """timm's operation on each image, its random sign given."""
    monkeypatch.setattr(  # type: ignore[attr-defined]
        timm_augment, "random", SimpleNamespace(random=lambda: 0.9 if sign < 0 else 0.1)
    )
    settings = {"img_mean": FILL, "interpolation": Image.Resampling.BILINEAR}
    operation = timm_augment.AugmentOp(name, prob=1.0, magnitude=magnitude, hparams=settings)
    images = [Image.fromarray(image.permute(1, 2, 0).numpy()) for image in pixels]
    done = [torch.from_numpy(np.array(operation(image))) for image in images]
    return torch.stack(done).permute(0, 3, 1, 2)


def difference(a: Tensor, b: Tensor) -> Tensor:
    return (a.int() - b.int()).abs()


# RandAugment's operations


def test_operations_are_timms_increasing_set() -> None:
    assert sorted(NAMES) == sorted(timm_augment._RAND_INCREASING_TRANSFORMS)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("magnitude", [0.0, 3.3, 9.0, 9.9])
@pytest.mark.parametrize("name", NAMES)
def test_operation_equals_timm(
    name: str, magnitude: float, sign: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = pictures()
    ours = apply_layer(pixels, layer(name, len(pixels), magnitude, sign), FILL)
    apart = difference(ours, by_timm(pixels, name, magnitude, sign, monkeypatch))
    if name in [op.name for op in WARPS]:
        # Sums of four products are truncated: the last bit decides in float32 or in float64.
        assert apart.max() <= 1
        assert (apart > 0).float().mean() < 0.01
    else:
        assert apart.max() == 0


@pytest.mark.parametrize("size", [16, 28, 64, 224])
@pytest.mark.parametrize("name", ["Equalize", "AutoContrast"])
def test_histogram_operations_are_exact_at_any_size(
    name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = pictures(9, size=size, seed=size)
    ours = apply_layer(pixels, layer(name, len(pixels), 9, 1), FILL)
    assert torch.equal(ours, by_timm(pixels, name, 9, 1, monkeypatch))


def test_posterize_to_no_bits_is_black() -> None:
    pixels = pictures()
    assert apply_layer(pixels, layer("PosterizeIncreasing", len(pixels), 10, 1), FILL).sum() == 0


@pytest.mark.parametrize("name", NAMES)
def test_grey_equals_expanded_grey(name: str) -> None:
    grey, what = pictures(channels=1), layer(name, 12, 9, -1)
    colour = apply_layer(grey.expand(-1, 3, -1, -1), what, (77, 77, 77))
    assert torch.equal(apply_layer(grey, what, (77,)).expand(-1, 3, -1, -1), colour)


def test_mixed_layer_equals_each_operation_alone() -> None:
    pixels, what = pictures(64), drawn_layer(draw_layer(64, generator()), 9, 0.5, 0.7)
    together = apply_layer(pixels, what, FILL)
    assert len(what.operation.unique()) > 12
    for i in range(64):
        own = Layer(what.operation[i : i + 1], what.level[i : i + 1], what.sign[i : i + 1])
        assert difference(apply_layer(pixels[i : i + 1], own, FILL)[0], together[i]).max() <= 1
        assert what.operation[i] != NOTHING or torch.equal(together[i], pixels[i])


def test_layer_draws_follow_timms_law() -> None:
    n = 60_000
    drawn = drawn_layer(draw_layer(n, generator()), 9, 0.5, 0.5)
    done = drawn.operation != NOTHING
    assert abs(done.float().mean() - 0.5) < 5 * 0.5 / math.sqrt(n)
    counts = drawn.operation[done].bincount(minlength=NOTHING)
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-4
    law = scipy.stats.norm(0.9, 0.05).cdf
    below = drawn.level[drawn.level < 1].numpy()
    assert scipy.stats.kstest(below, lambda x: law(x) / law(1.0)).pvalue > 1e-4
    assert abs((drawn.level == 1).float().mean() - (1 - law(1.0))) < 5 * 0.15 / math.sqrt(n)
    assert abs(drawn.sign.mean()) < 5 / math.sqrt(n)


# Crops


def shares(boxes: Boxes, size: int) -> dict[str, np.ndarray]:
    height, width = boxes.height.double(), boxes.width.double()
    return {
        "area": (height * width / size**2).numpy(),
        "aspect": (width / height).log().numpy(),
        "top": (boxes.top / (size - height + 1)).numpy(),
        "left": (boxes.left / (size - width + 1)).numpy(),
    }


def as_boxes(rows: list[tuple[int, int, int, int]]) -> Boxes:
    return Boxes(*torch.tensor(rows).unbind(1))


def assert_same_law(ours: np.ndarray, theirs: np.ndarray) -> None:
    error = math.sqrt(ours.var() / len(ours) + theirs.var() / len(theirs))
    assert abs(ours.mean() - theirs.mean()) < 5 * error
    assert scipy.stats.ks_2samp(ours, theirs).pvalue > 1e-4


@pytest.mark.parametrize(("size", "least"), [(32, 0.08), (224, 0.08), (96, 0.35)])
def test_resized_crop_boxes_follow_torchvision(size: int, least: float) -> None:
    n, image = 5000, torch.zeros(3, size, size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        rows = [RandomResizedCrop.get_params(image, [least, 1.0], list(RATIO)) for _ in range(n)]
    draws = draw_boxes(n, generator())
    boxes = drawn_boxes(draws, size, (least, 1.0), RATIO, largest=size, otherwise=size)
    theirs, ours = shares(as_boxes(rows), size), shares(boxes, size)
    for name, values in ours.items():
        assert_same_law(values, theirs[name])


@pytest.mark.parametrize(("source", "size"), [(32, 32), (28, 28), (40, 17), (64, 32), (20, 48)])
def test_resized_crop_equals_torchvision(source: int, size: int) -> None:
    pixels, count = pictures(30, size=source), 30
    draws = draw_boxes(count, generator())
    boxes = drawn_boxes(draws, source, (0.08, 1), RATIO, largest=source, otherwise=source)
    flip = torch.arange(count) % 2 == 1
    ours = resized(pixels, boxes, flip, size)
    for i in range(count):
        top, left, height, width = (
            int(side[i]) for side in (boxes.top, boxes.left, boxes.height, boxes.width)
        )
        expected = reference.resized_crop(
            pixels[i].float(), top, left, height, width, [size, size],
            interpolation=v2.InterpolationMode.BICUBIC, antialias=True,
        ).round().clamp(0, 255)  # fmt: skip
        expected = expected.flip(-1) if flip[i] else expected
        assert difference(ours[i], expected).max() <= 1
        # Sums that lie half way between two levels: the order of summation decides.
        assert (difference(ours[i], expected) > 0).float().mean() < 0.01


def test_resized_crop_is_within_a_level_of_pillow() -> None:
    pixels = 60 + pictures(9) // 2  # no overshoot beyond 0 or 255, which Pillow cuts between passes
    whole = Boxes(*(torch.full((9,), side) for side in (3, 5, 20, 24)))
    ours = resized(pixels, whole, torch.zeros(9, dtype=torch.bool), 32)
    for image, mine in zip(pixels, ours, strict=True):
        picture = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((5, 3, 29, 23))
        expected = np.array(picture.resize((32, 32), Image.Resampling.BICUBIC))
        assert difference(mine, torch.from_numpy(expected).permute(2, 0, 1)).max() <= 1


def as_levels(images: Tensor, policy: Augment) -> Tensor:
    """Normalised images back as uint8."""
    mean, std = (torch.tensor(v).view(1, -1, 1, 1) for v in (policy.mean, policy.std))
    return ((images * std + mean) * 255).round().to(torch.uint8)


@pytest.mark.parametrize(("source", "flip"), [(32, True), (32, False), (36, True)])
def test_padded_crop_is_any_window_equally_often(source: int, flip: bool) -> None:
    n, policy = 4000, replace(OFF, crop="padded", flip=flip)
    image = torch.randint(1, 256, (3, source, source), generator=generator(), dtype=torch.uint8)
    views = as_levels(policy(image.expand(n, -1, -1, -1), generator(1)), policy)
    bordered, span = torch.nn.functional.pad(image, (4, 4, 4, 4)), source + 8 - 32 + 1
    seen = Counter(view.contiguous().numpy().tobytes() for view in views)
    counts = np.zeros((2, span, span))
    for top, left in np.ndindex(span, span):
        window = bordered[:, top : top + 32, left : left + 32].contiguous()
        counts[:, top, left] = [seen[w.numpy().tobytes()] for w in (window, window.flip(-1))]
    used = counts if flip else counts[0]
    assert used.sum() == n
    assert scipy.stats.chisquare(used.ravel()).pvalue > 1e-4


@pytest.mark.parametrize(("source", "size"), [(32, 32), (35, 32), (33, 32), (30, 27)])
def test_centre_equals_torchvision(source: int, size: int) -> None:
    pixels = pictures(size=source)
    levels = reference.center_crop(pixels, [size, size]).float() / 255
    expected = reference.normalize(levels, list(MEAN), list(STD))
    view = evaluation_view(pixels, size, MEAN, STD)
    torch.testing.assert_close(view, expected, rtol=1e-5, atol=1e-6)
    assert view.is_contiguous(memory_format=torch.channels_last)


# Erasing


def test_erasing_follows_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    n, size, rows = 5000, 32, []

    def record(_: bool, __: bool, shape: tuple[int, int, int], **___: object) -> Tensor:
        return torch.ones(shape)

    monkeypatch.setattr(timm_erasing, "_get_pixels", record)
    random.seed(0)
    erase = timm_erasing.RandomErasing(0.25, mode="pixel", device="cpu")
    for _ in range(4 * n):
        image = erase(torch.zeros(1, size, size))[0]
        if image.any():
            at_rows, at_columns = image.any(1).nonzero()[:, 0], image.any(0).nonzero()[:, 0]
            rows.append((int(at_rows[0]), int(at_columns[0]), len(at_rows), len(at_columns)))
    boxes = draw_erasing(4 * n, size, 0.25, generator())
    erased = boxes.height > 0
    assert abs(erased.float().mean() - 0.25) < 5 * math.sqrt(0.25 * 0.75 / (4 * n))
    ours = Boxes(boxes.top[erased], boxes.left[erased], boxes.height[erased], boxes.width[erased])
    theirs = shares(as_boxes(rows), size)
    for name, values in shares(ours, size).items():
        assert_same_law(values, theirs[name])


def test_erasing_limits() -> None:
    boxes = draw_erasing(5000, 64, 1.0, generator())
    values = shares(boxes, 64)
    assert values["area"].min() > AREA[0] * 0.85
    assert values["area"].max() < AREA[1] * 1.05
    assert values["aspect"].min() > math.log(ASPECT[0]) - 0.15
    assert boxes.height.max() < 64
    assert (boxes.top + boxes.height).max() <= 64


def test_erased_pixels_are_normal_noise_and_others_stay() -> None:
    images = torch.full((200, 3, 32, 32), 7.0).contiguous(memory_format=torch.channels_last)
    boxes = draw_erasing(200, 32, 0.5, generator())
    erase_(images, boxes, draw_noise(boxes, 3, generator(1)))
    mask = inside(boxes, 32, 32)[:, None].expand(-1, 3, -1, -1)
    assert mask.flatten(1).any(1).sum() == (boxes.height > 0).sum() > 50
    assert (images[~mask] == 7).all()
    assert scipy.stats.kstest(images[mask].numpy(), "norm").pvalue > 1e-4
    assert len(images[mask].unique()) > 0.99 * mask.sum()


# Mixup and CutMix


def batch(count: int = 8, size: int = 32) -> tuple[Tensor, Tensor]:
    return torch.randn(count, 3, size, size, generator=generator()), torch.arange(count) % 5


def given(lam: float, cut: bool, y: int, x: int, size: int) -> Mixture:
    """The mixture of a batch with this share and this centre of the box."""
    ratio = torch.tensor([1 - lam if cut else 0.0], dtype=torch.float64).sqrt()
    boxes = boxes_around(torch.tensor([y]), torch.tensor([x]), ratio, size, size)
    kept = 1 - (boxes.height * boxes.width).double() / size**2
    share = torch.tensor([lam], dtype=torch.float64)
    return Mixture(torch.ones(1).double() if cut else share, boxes, kept if cut else share)


def for_all(mixture: Mixture, count: int) -> Mixture:
    """A mixture of one entry, for as many images."""
    box = mixture.boxes
    sides = (side.expand(count) for side in (box.top, box.left, box.height, box.width))
    return Mixture(mixture.blend.expand(count), Boxes(*sides), mixture.own.expand(count))


CASES = [
    (0.3, False, 0, 0),
    (0.999, False, 0, 0),
    (0.3, True, 16, 16),
    (0.71, True, 0, 31),
    (0.05, True, 30, 2),
    (0.9, True, 7, 7),
]


@pytest.mark.parametrize(("lam", "cut", "y", "x"), CASES)
def test_mixing_equals_timm(
    lam: float, cut: bool, y: int, x: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, labels = batch()
    theirs = timm_mixup.Mixup(0.8, 1.0, label_smoothing=0.1, num_classes=5)
    monkeypatch.setattr(theirs, "_params_per_batch", lambda: (lam, cut))
    centres = iter([y, x])
    monkeypatch.setattr(np.random, "randint", lambda *_, **__: next(centres))
    expected, targets = theirs(images.clone(), labels)
    mixture = for_all(given(lam, cut, y, x, 32), len(images))
    torch.testing.assert_close(mixed(images, mixture), expected, rtol=1e-6, atol=1e-6)
    own = mixed_targets(smoothed(labels, 5, 0.1), mixture)
    torch.testing.assert_close(own, targets, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("lam", "cut", "y", "x"), CASES)
def test_mixing_a_pair_equals_torchvision(lam: float, cut: bool, y: int, x: int) -> None:
    # In a batch of two, torchvision's partner (the next image) is ours (the mirrored one).
    # Its boxes have even sides, so lam is moved to the next box that has.
    images, labels = batch(2)
    lam = 1 - (2 * int(16 * math.sqrt(1 - lam)) / 32) ** 2 if cut else lam
    mixture = for_all(given(lam, cut, y, x, 32), 2)
    box = mixture.boxes
    corner = (int(box.left[0]), int(box.top[0]))
    sides = (*corner, corner[0] + int(box.width[0]), corner[1] + int(box.height[0]))
    kind = v2.CutMix(num_classes=5) if cut else v2.MixUp(num_classes=5)
    values = {"lam": lam, "box": sides, "lam_adjusted": float(mixture.own[0])}
    values |= {"labels": labels, "batch_size": 2}
    expected, targets = kind.transform(images, values), kind.transform(labels, values)
    half = 16 * math.sqrt(1 - lam)
    if cut:
        assert sides == (
            max(0, x - int(half)), max(0, y - int(half)),
            min(32, x + int(half)), min(32, y + int(half)),
        )  # fmt: skip
    torch.testing.assert_close(mixed(images, mixture), expected, rtol=1e-6, atol=1e-6)
    own = mixed_targets(smoothed(labels, 5, 0.0), mixture)
    torch.testing.assert_close(own, targets.float(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [27, 32])
def test_boxes_equal_timm(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(0)
    for _ in range(200):
        lam, centre = draws.random(), draws.integers(0, size, 2)
        values = iter(centre)
        monkeypatch.setattr(np.random, "randint", lambda *_, v=values, **__: next(v))
        low, high, left, right = timm_mixup.rand_bbox((size, size), lam)
        box = given(lam, True, int(centre[0]), int(centre[1]), size).boxes
        ours = [int(side) for side in (box.top, box.height, box.left, box.width)]
        assert ours == [low, high - low, left, right - left]


@pytest.mark.parametrize("concentration", [0.2, 0.8, 1.0, 3.0])
def test_beta_law(concentration: float) -> None:
    draws = beta((concentration,), 20_000, generator())[0].numpy()
    law = scipy.stats.beta(concentration, concentration)
    assert scipy.stats.kstest(draws, law.cdf).pvalue > 1e-4


def test_mix_draws_follow_their_probabilities() -> None:
    n, mix = 20_000, Mix(mixup=0.8, cutmix=1.0, label_smoothing=0.0, classes=5)
    drawn = mix.mixture(mix.draw(n, generator()), 32, 32)
    blended, cut = drawn.blend < 1, drawn.boxes.height * drawn.boxes.width > 0
    assert not (blended & cut).any()
    # Half of the smallest boxes, below one pixel, are empty: P(lam > 1 - 1/1024) is 0.001.
    assert abs(cut.float().mean() - 0.5) < 5 * 0.5 / math.sqrt(n) + 0.001
    assert abs(blended.float().mean() - 0.5) < 5 * 0.5 / math.sqrt(n)
    area = inside(drawn.boxes, 32, 32).flatten(1).double().mean(1)
    assert torch.equal(drawn.own, torch.where(cut, 1 - area, drawn.blend))


def test_mix_and_targets() -> None:
    images, labels = batch(64)
    mix = Mix(mixup=0.8, cutmix=1.0, label_smoothing=0.1, classes=5)
    out, targets = mix(images, labels, generator())
    assert out.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(targets.sum(1), torch.ones(64))
    own = targets[torch.arange(64), labels]
    partner_differs = labels != labels.flip(0)
    assert len(own[partner_differs].unique()) > 40


def test_no_mixing_smooths_only() -> None:
    images, labels = batch()
    mix = Mix(mixup=0, cutmix=0, label_smoothing=0.1, classes=5)
    out, targets = mix(images, labels, generator())
    assert torch.equal(out, images)
    expected = timm_mixup.mixup_target(labels, 5, 1.0, 0.1)
    torch.testing.assert_close(targets, expected)


def test_mix_leaves_its_arguments_alone() -> None:
    images, labels = batch()
    before = images.clone()
    Mix(mixup=0.8, cutmix=1.0, label_smoothing=0.1, classes=5)(images, labels, generator())
    assert torch.equal(images, before)


# The whole policy


POLICIES = {
    "full": FULL,
    "padded": replace(FULL, crop="padded"),
    "padded alone": replace(OFF, crop="padded"),
    "resized alone": replace(OFF, crop="resized"),
    "flip alone": replace(OFF, flip=True),
    "randaugment alone": replace(OFF, randaugment_magnitude=9),
    "erasing alone": replace(OFF, erasing=0.25),
}


@pytest.mark.parametrize("name", POLICIES)
def test_policy_is_reproducible_and_touches_nothing_else(name: str) -> None:
    pixels, state = pictures(), torch.get_rng_state()
    before = pixels.clone()
    first = POLICIES[name](pixels, generator())
    assert torch.equal(pixels, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, POLICIES[name](pixels, generator()))
    assert not torch.equal(first, POLICIES[name](pixels, generator(1)))
    assert first.shape == (12, 3, 32, 32) and first.dtype == torch.float32
    assert first.is_contiguous(memory_format=torch.channels_last)
    assert first.isfinite().all()


@pytest.mark.parametrize("statistics", [((0.3,), (0.2,)), ((0.3,) * 3, (0.2,) * 3), (MEAN, STD)])
@pytest.mark.parametrize("name", POLICIES)
def test_grey_images_equal_grey_in_colour(
    name: str, statistics: tuple[tuple[float, ...], tuple[float, ...]]
) -> None:
    policy = replace(POLICIES[name], mean=statistics[0], std=statistics[1])
    grey = pictures(40, channels=1)
    colour = policy(grey.expand(-1, 3, -1, -1), generator())
    torch.testing.assert_close(policy(grey, generator()), colour, rtol=0, atol=1e-6)


def test_every_image_has_its_own_draw() -> None:
    n = 64
    image = pictures()[0].expand(n, -1, -1, -1)
    views = FULL(image, generator())
    assert len({view.contiguous().numpy().tobytes() for view in views}) == n


def test_neighbours_are_independent() -> None:
    n = 20_000
    drawn = drawn_layer(draw_layer(n, generator()), 9, 0.5, 0.5)
    boxes = draw_erasing(n, 32, 0.5, generator())
    series = [drawn.level, drawn.sign, drawn.operation.double(), boxes.height.double()]
    for values in series:
        table = np.corrcoef(values[:-1].numpy(), values[1:].numpy())
        assert abs(table[0, 1]) < 5 / math.sqrt(n)


@pytest.mark.parametrize("channels", [1, 3])
def test_empty_policy_is_the_evaluation_view(channels: int) -> None:
    pixels = pictures(channels=channels, size=36)
    assert torch.equal(OFF(pixels, generator()), evaluation_view(pixels, 32, MEAN, STD))


def test_batch_of_one() -> None:
    assert FULL(pictures(2)[:1], generator()).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": (0.5, 0.5)}, "give both one value, or both three"),
        ({"mean": (124.0, 116.0, 104.0)}, "scale 0 to 1"),
    ],
)
def test_bad_policies_are_rejected(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        replace(OFF, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "pixels",
    [
        torch.zeros(2, 3, 32, 32),
        torch.zeros(3, 32, 32, dtype=torch.uint8),
        torch.zeros(2, 2, 32, 32, dtype=torch.uint8),
        torch.zeros(2, 3, 32, 40, dtype=torch.uint8),
        torch.zeros(2, 3, 31, 31, dtype=torch.uint8),
    ],
)
def test_bad_pixels_are_rejected(pixels: Tensor) -> None:
    with pytest.raises(InputError, match="pixels"):
        OFF(pixels, generator())
