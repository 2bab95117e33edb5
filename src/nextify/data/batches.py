"""Batches of images, in order or shuffled, from memory or from files."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from nextify.data.dataset import ImageFiles, Images
from nextify.data.decoding import decode_quietly, open_rgb, quiet_pillow, random_box, resized
from nextify.errors import InputError
from nextify.machine.processes import SPAWN


def batches(
    images: Images | ImageFiles,
    batch_size: int,
    *,
    generator: torch.Generator | None,
    device: torch.device | str,
    workers: int = 0,
    drop_last: bool = False,
    order: Tensor | None = None,
    part: Tensor | None = None,
    skip: int = 0,
    crop_area: float | None = 0.08,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Every image once: (B, C, S, S) uint8 pixels and (B,) int64 labels, on the device.

    With a generator (of the CPU, so that the order is the same on every device) the images come
    shuffled, for training; without one in order, for evaluation. S is the stored size, but for
    shuffled `ImageFiles` with a `crop_area`: these come as random resized crops of the whole image
    at the size that the network sees, since a crop of the stored square would lose detail. Such a
    crop shows at least this share of the image, and is drawn from the generator's seed and the
    image's index alone, whatever the number of `workers` (processes that decode; 0 is this one).
    An `order` of one's own (`nextify.data.balance`), drawn before, is taken in place of the
    shuffled one; an image that comes again in it is cropped anew.

    Of whole batches (`drop_last`) one may leave out the first ones (`skip`), and of each take those
    images that stand at some places in it (`part`).

    >>> from nextify.data.dataset import Images
    >>> three = Images(torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.tensor([5, 6, 7]))
    >>> [labels.tolist() for _, labels in batches(three, 2, generator=None, device="cpu")]
    [[5, 6], [7]]
    """
    if order is None:
        order = torch.arange(len(images))
        if generator is not None:
            order = shuffled(len(images), generator)
    if isinstance(images, ImageFiles):
        order = order + len(images) * _times_before(order)
    if drop_last:
        order = order[: len(images) // batch_size * batch_size]
    if part is not None:
        order, batch_size = order.view(-1, batch_size)[:, part].flatten(), len(part)
    order = order[skip * batch_size :]
    match images:
        case Images():
            return _from_memory(images, order, batch_size, device)
        case ImageFiles():
            crops = None
            if generator is not None:
                seed = int(torch.randint(2**62, (), generator=generator))
                crops = None if crop_area is None else (seed, crop_area)
            decoded = _Decoded(images, crops)
            return _from_files(decoded, order, batch_size, device, workers)


def shuffled(count: int, generator: torch.Generator) -> Tensor:
    """The order of so many images in training: (count,) int64, on the CPU."""
    return torch.randperm(count, generator=generator)


def _times_before(order: Tensor) -> Tensor:
    """How often each index came before it.

    >>> _times_before(torch.tensor([2, 0, 2, 2, 0])).tolist()
    [0, 0, 1, 2, 1]
    """
    grouped, places = order.sort(stable=True)
    starts = torch.searchsorted(grouped, grouped)
    return torch.empty_like(order).scatter_(0, places, torch.arange(len(order)) - starts)


def _from_memory(
    images: Images, order: Tensor, batch_size: int, device: torch.device | str
) -> Iterator[tuple[Tensor, Tensor]]:
    order = order.to(images.pixels.device)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        pixels = images.pixels.index_select(0, chosen)
        labels = images.labels.index_select(0, chosen)
        yield pixels.to(device), labels.to(device)


def _from_files(
    images: "_Decoded", order: Tensor, batch_size: int, device: torch.device | str, workers: int
) -> Iterator[tuple[Tensor, Tensor]]:
    on_gpu = torch.device(device).type == "cuda"
    for dealt in _loaded(images, order.tolist(), batch_size, workers, pinned=on_gpu):
        match dealt:
            case InputError():
                raise dealt
            case _Arrays():
                pixels, labels = dealt.tensors()
            case _:
                pixels, labels = dealt
        yield pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)


@dataclass(frozen=True, eq=False)
class _Arrays:
    """A batch as it comes from a process that decodes.

    As arrays it goes through a pipe. Tensors would go through shared memory, of which containers
    have little, and a socket, whose name a long TMPDIR makes too long: processes that are killed,
    or wait for ever.
    """

    pixels: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def tensors(self) -> tuple[Tensor, Tensor]:
        """The same memory as tensors."""
        return torch.from_numpy(self.pixels), torch.from_numpy(self.labels)

    def pin_memory(self) -> tuple[Tensor, Tensor]:
        """In memory that a GPU copies by itself. The loader's thread calls this, which also reads
        the pipe: the thread that trains waits for neither."""
        pixels, labels = self.tensors()
        return pixels.pin_memory(), labels.pin_memory()


_Batch = _Arrays | tuple[Tensor, Tensor] | InputError
"""With the tensors of a batch in pinned memory."""


def _loaded(
    images: "_Decoded", order: list[int], batch_size: int, workers: int, *, pinned: bool
) -> Iterator[_Batch]:
    loader: DataLoader[int] = DataLoader(
        order,  # type: ignore[arg-type]
        batch_size,
        num_workers=workers,
        collate_fn=images,
        pin_memory=pinned,
        # The loader seeds its workers from this one instead of from torch's global state.
        generator=torch.Generator(),
    )
    try:
        if workers:
            SPAWN.Lock()  # fails where the loader would, which then complains a second time
        found: Iterator[_Batch] = iter(loader)
    except (OSError, AssertionError) as error:  # the second one in a daemon, which may start none
        warnings.warn(
            f"no process can be started that decodes images ({error}); this one does it, as with "
            "--loaders 0",
            RuntimeWarning,
            stacklevel=2,
        )
        found = _loaded(images, order, batch_size, 0, pinned=pinned)
    try:
        yield from found
    except RuntimeError as error:
        if not str(error).startswith("DataLoader worker"):
            raise
        raise InputError(
            "a process that decoded images has died, most likely for want of memory; use fewer "
            "--loaders, or --loaders 0"
        ) from error


@dataclass(frozen=True, eq=False)
class _Decoded:
    """The files as torch's loader asks for them, by the indices of a batch, to which the number of
    images is added for each time that one came before; with `crops`, a seed and the least share of
    an image, cropped at random. A file that is another than it was is an error and not another
    image."""

    images: ImageFiles
    crops: tuple[int, float] | None

    def __call__(self, indices: list[int]) -> _Batch:
        """A batch, or why there is none: an error raised in a worker would come as a long text."""
        try:
            with quiet_pillow():
                pixels = np.stack([self._pixels(index).numpy() for index in indices])
        except InputError as error:
            return InputError(str(error))
        places = [index % len(self.images) for index in indices]
        return _Arrays(pixels, self.images.labels[places].numpy())

    def _pixels(self, index: int) -> Tensor:
        images, place = self.images, index % len(self.images)
        path, digest = images.paths[place], images.digest(place)
        if self.crops is not None:
            seed, least = self.crops
            image, draw = open_rgb(path, None, digest), np.random.default_rng((seed, index))
            return resized(image, random_box(image.size, draw, least), images.image_size)
        if images.view is not None:
            return images.view(open_rgb(path, None, digest))
        return decode_quietly(path, images.stored_size, digest)
