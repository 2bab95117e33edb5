"""Make src/nextify/data/embedded/fashion_mnist.npz from the published Fashion-MNIST.

    apt-get install dataset-fashion-mnist
    python scripts/embed_fashion_mnist.py [FOLDER [OUTPUT]]

FOLDER holds the four gzipped IDX files (default: where Debian's package puts them). The same
input gives the same arrays everywhere, and with the same zlib the same bytes; the sha256 that is
printed belongs into nextify/data/embedded/__init__.py.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from nextify.data.embedded import FILE
from nextify.data.fashion_mnist import CLASSES, DEBIAN_FOLDER, read_side

PER_CLASS = 1000
OUTPUT = Path(__file__).parent.parent / "src/nextify/data/embedded" / FILE


def embed(folder: Path, output: Path) -> None:
    """Write the first training images of each class and all test images to `output`."""
    train, test = read_side(folder, "train"), read_side(folder, "t10k")
    labels = train.labels.numpy()
    firsts = [np.flatnonzero(labels == label)[:PER_CLASS] for label in range(len(CLASSES))]
    chosen = np.sort(np.concatenate(firsts))
    np.savez_compressed(
        output,
        train_pixels=train.pixels.numpy()[chosen, 0],
        train_labels=labels[chosen].astype(np.uint8),
        test_pixels=test.pixels.numpy()[:, 0],
        test_labels=test.labels.numpy().astype(np.uint8),
    )


def main(folder: str = str(DEBIAN_FOLDER), output: str = str(OUTPUT)) -> None:
    embed(Path(folder), Path(output))
    content = Path(output).read_bytes()
    print(f"{output}: {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
