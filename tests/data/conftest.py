"""Image files made on the spot, and a cache folder of each test's own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

MakeFolder = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("NEXTIFY_CACHE", str(cache))
    return cache


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Writes noise as PNG files: make_folder({"cat": 3, "dog": 2}) gives the folder's path.

    Keys are folders below it, values the number of images in each.
    """

    def make(counts: dict[str, int], name: str = "pets", side: int = 12, seed: int = 0) -> Path:
        draw = np.random.default_rng(seed)
        root = tmp_path / name
        for folder, count in counts.items():
            (root / folder).mkdir(parents=True)
            for index in range(count):
                pixels = draw.integers(256, size=(side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / folder / f"{index}.png")
        return root

    return make
