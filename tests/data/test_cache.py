"""The cache: used when it fits, made again when it does not, never trusted when damaged."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from nextify.data import ImageFiles, Images, decoding, kept, load
from nextify.errors import InputError

MakeFolder = Callable[..., Path]
COUNTS = {"cat": 4, "dog": 5}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """The image files that were decoded, as they are."""
    paths: list[Path] = []
    original = decoding.open_rgb

    def recording(path: Path, *others: Any) -> Image.Image:
        paths.append(path)
        return original(path, *others)

    monkeypatch.setattr(decoding, "open_rgb", recording)
    yield paths


def cache_files(own_cache: Path) -> list[Path]:
    return list((own_cache / "images").iterdir())


@pytest.mark.parametrize("memory_limit", [None, 0])
def test_a_second_load_decodes_nothing(
    make_folder: MakeFolder, opened: list[Path], own_cache: Path, memory_limit: int | None
) -> None:
    root = make_folder(COUNTS)
    first = load(str(root), memory_limit=memory_limit)
    assert len(opened) == 9 and len(cache_files(own_cache)) == 1
    second = load(str(root), memory_limit=memory_limit)
    assert len(opened) == 9
    assert first.identity() == second.identity()
    if isinstance(first.train, Images) and isinstance(second.train, Images):
        assert torch.equal(first.train.pixels, second.train.pixels)
    else:
        assert isinstance(first.train, ImageFiles) and isinstance(second.train, ImageFiles)
        assert first.train.paths == second.train.paths


def test_another_split_uses_the_same_pixels(make_folder: MakeFolder, opened: list[Path]) -> None:
    root = make_folder(COUNTS)
    first, second = load(str(root)), load(str(root), split_seed=1)
    assert len(opened) == 9 and first.fingerprint != second.fingerprint


def test_another_size_decodes_again(make_folder: MakeFolder, opened: list[Path]) -> None:
    root = make_folder(COUNTS)
    load(str(root))
    load(str(root), image_size=20)
    assert len(opened) == 18


def truncate(content: bytes) -> bytes:
    return content[: len(content) * 2 // 3]


def flip_a_pixel(content: bytes) -> bytes:
    return content[:-500] + bytes([content[-500] ^ 1]) + content[-499:]


def replace_by_text(_: bytes) -> bytes:
    return b"not a cache"


def empty(_: bytes) -> bytes:
    return b""


@pytest.mark.parametrize("damage", [truncate, flip_a_pixel, replace_by_text, empty])
def test_a_damaged_cache_is_made_again(
    make_folder: MakeFolder, opened: list[Path], own_cache: Path, damage: Callable[[bytes], bytes]
) -> None:
    root = make_folder(COUNTS)
    first = load(str(root))
    (path,) = cache_files(own_cache)
    content = path.read_bytes()
    path.write_bytes(damage(content))
    with pytest.warns(RuntimeWarning, match="is damaged or was changed by another program"):
        assert load(str(root)).fingerprint == first.fingerprint
    assert len(opened) == 18
    assert path.read_bytes() == content


@pytest.mark.parametrize("memory_limit", [None, 0])
def test_a_changed_image_is_decoded_again(
    make_folder: MakeFolder, opened: list[Path], memory_limit: int | None
) -> None:
    root = make_folder(COUNTS)
    first = load(str(root), memory_limit=memory_limit)
    path = root / "cat" / "0.png"
    status = path.stat()
    Image.new("RGB", (12, 12), "red").save(path)
    path.write_bytes(path.read_bytes().ljust(status.st_size, b"\0"))  # of the same size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert load(str(root), memory_limit=memory_limit).fingerprint != first.fingerprint
    assert len(opened) == 18


@pytest.mark.parametrize("memory_limit", [None, 0])
def test_place_and_time_do_not_change_the_fingerprint(
    make_folder: MakeFolder, memory_limit: int | None
) -> None:
    one, two = make_folder(COUNTS, "one/pets"), make_folder(COUNTS, "two/pets")
    for path in two.rglob("*.png"):
        os.utime(path, ns=(0, 0))
    first, second = (load(str(root), memory_limit=memory_limit) for root in (one, two))
    assert first.identity() == second.identity()
    other = load(str(make_folder(COUNTS, "three/pets", seed=1)), memory_limit=memory_limit)
    assert other.fingerprint != first.fingerprint


def test_an_unwritable_cache_is_a_warning(make_folder: MakeFolder, own_cache: Path) -> None:
    own_cache.write_text("a file where the folder should be")
    with pytest.warns(RuntimeWarning, match="cannot be written .*; set NEXTIFY_CACHE to a folder"):
        dataset = load(str(make_folder(COUNTS)))
    assert len(dataset.train) == 7


def test_a_full_disk_is_a_warning_and_leaves_nothing(
    make_folder: MakeFolder, own_cache: Path
) -> None:
    root, limits = make_folder(COUNTS), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        with pytest.warns(RuntimeWarning, match="cannot be written .*File too large"):
            load(str(root))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cache_files(own_cache) == []


def test_unreadable_images_are_remembered(
    make_folder: MakeFolder, opened: list[Path], own_cache: Path
) -> None:
    root = make_folder(COUNTS)
    (root / "cat" / "1.png").write_text("broken")
    with pytest.raises(InputError, match="cannot be read"):
        load(str(root))
    assert load(str(root), skip_unreadable=True).skipped == ("cat/1.png",)
    with pytest.raises(InputError, match="cannot be read"):
        load(str(root))
    assert len(opened) == 9


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NEXTIFY_CACHE")
    assert kept.cache_folder() == tmp_path / ".cache" / "nextify"
    monkeypatch.setenv("NEXTIFY_CACHE", "~/elsewhere")
    assert kept.cache_folder() == tmp_path / "elsewhere"


def test_no_progress_bar_where_no_one_watches(
    make_folder: MakeFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    load(str(make_folder(COUNTS)))
    assert capfd.readouterr() == ("", "")


def test_a_progress_bar_on_a_terminal(
    make_folder: MakeFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    load(str(make_folder(COUNTS)))
    out, err = capsys.readouterr()
    assert out == "" and "Decoding images" in err
