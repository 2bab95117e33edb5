"""Training augmentation of whole batches, where every image has its own draw.

    augment = Augment(image_size=32, crop="padded", flip=True, randaugment_magnitude=9,
                      erasing=0.25, mean=(0.49, 0.48, 0.45), std=(0.25, 0.24, 0.26))
    mix = Mix(mixup=0.8, cutmix=1.0, label_smoothing=0.1, classes=10)
    generator = torch.Generator().manual_seed(seed)
    images, targets = mix(augment(pixels, generator), labels, generator)

`policy` puts the steps in order; each other module holds one of them: `crop`, `randaugment` (which
draws, and uses `table`, `warp` and `enhance`), `erase` and `mix`. `box` is what crops, erasing and
CutMix share: one rectangle per image.

Every random number is drawn on the CPU from the generator that the caller passes, then moved: the
same seed gives the same batch on any device, up to the rounding of floats. The sizes of all
intermediate tensors follow from those draws, so nothing waits for an accelerator.
"""

from nextify.data.augment.mix import Mix
from nextify.data.augment.policy import Augment, evaluation_view
