"""The cache: used when it fits, made again when it does not, never trusted when damaged."""

import os
import re
import resource
import shutil
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nextify.data import (
    ImageFiles,
    Images,
    batches,
    cache,
    contents,
    decode,
    decoding,
    kept,
    load,
    telling,
)
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


def test_what_takes_long_is_told_once_where_no_terminal_shows_a_bar(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make_folder(COUNTS)
    for module in (cache, contents):
        monkeypatch.setattr(module, "_BLOCK", 2)
    load(str(root))
    assert capsys.readouterr().err == ""  # so few take no time
    monkeypatch.setattr(telling, "_LONG", 0.0)
    load(str(root), image_size=20)
    lines = [line[9:] for line in capsys.readouterr().err.splitlines()]
    assert [re.sub(r"0\.\d s", "TIME", line) for line in lines] == [
        "reading 9 images; about TIME",  # which are too new to be known by their times
        "decoding 9 images; about TIME",
    ]
    load(str(root), image_size=20)
    assert "decoding" not in capsys.readouterr().err


def test_a_line_a_minute_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr(telling.time, "monotonic", lambda: clock[0])

    def blocks() -> Iterator[int]:
        for at in range(1, 31):
            clock[0] += 10.0
            yield at

    assert list(telling.told(blocks(), "checking", 30, 960)) == list(range(1, 31))
    lines = [line[9:] for line in capsys.readouterr().err.splitlines()]
    assert lines[0] == "checking 960 images; about 5.0 min"
    assert lines[1] == "23% of 960 images; 1 min 00 s so far, about 3 min 50 s left"
    assert len(lines) == 5


def test_on_a_terminal_a_bar_is_shown_and_no_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(telling, "_LONG", 0.0)
    monkeypatch.setattr(telling.sys.stderr, "isatty", lambda: True)
    assert list(telling.told(iter("abc"), "decoding", 3, 96)) == ["a", "b", "c"]
    assert "96 images" not in capsys.readouterr().err


def test_small_files_are_read_by_one_thread() -> None:
    """More would wait for one another: of a small image most of the work is Python's."""
    assert contents.readers(torch.tensor([900, 4000, 7000])) == 1
    assert contents.readers(torch.tensor([900, 4000, 9000])) == contents.cores()
    assert contents.readers(torch.tensor([], dtype=torch.int64)) == 1


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    root = make_folder({"cat": 10, "dog": 9})
    (root / "cat" / "7.png").write_bytes(b"nothing")
    for module in (cache, contents):
        monkeypatch.setattr(module, "readers", lambda sizes: threads)
        monkeypatch.setattr(module, "_BLOCK", 3)
    found = load(str(root), skip_unreadable=True)
    assert found.skipped == ("cat/7.png",) and len(found.train) + len(found.test) == 18
    assert isinstance(found.train, Images) and isinstance(found.test, Images)
    left = {*root.rglob("*.png")} - {root / "cat" / "7.png"}
    pixels = {decode(path, 32).numpy().tobytes() for path in left}
    assert pixels == {
        one.numpy().tobytes() for part in (found.train, found.test) for one in part.pixels
    }


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


def rewritten_in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)


def replaced_by_another(path: Path, content: bytes) -> None:
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    beside.replace(path)


@pytest.mark.parametrize("change", [rewritten_in_place, replaced_by_another])
@pytest.mark.parametrize("memory_limit", [None, 0])
def test_other_images_of_the_same_size_and_time_are_seen(
    make_folder: MakeFolder,
    memory_limit: int | None,
    change: Callable[[Path, bytes], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As unpacking or syncing a new version over an old one leaves them."""
    root = make_folder({"cat": 0, "dog": 0})
    paths = [root / name / f"{n}.bmp" for name in ("cat", "dog") for n in range(3)]

    def version(seed: int) -> list[bytes]:
        draw = torch.Generator().manual_seed(seed)
        made = []
        for _ in paths:
            pixels = torch.randint(256, (12, 12, 3), generator=draw, dtype=torch.uint8)
            Image.fromarray(pixels.numpy()).save(root / "made.bmp")
            made.append((root / "made.bmp").read_bytes())
        (root / "made.bmp").unlink()
        return made

    for path, content in zip(paths, version(0), strict=True):
        path.write_bytes(content)
        os.utime(path, (1_500_000_000, 1_500_000_000))
    monkeypatch.setattr(contents, "_SETTLED", 0)  # as if all were older than a few seconds
    time.sleep(0.02)
    first = load(str(root), memory_limit=memory_limit)
    assert load(str(root), memory_limit=memory_limit).fingerprint == first.fingerprint
    time.sleep(0.02)
    for path, content in zip(paths, version(1), strict=True):
        change(path, content)
        os.utime(path, (1_500_000_000, 1_500_000_000))
    second = load(str(root), memory_limit=memory_limit)
    assert second.fingerprint != first.fingerprint
    if isinstance(second.train, Images):
        there = {decode(path, 32).numpy().tobytes() for path in paths}
        assert {one.numpy().tobytes() for one in second.train.pixels} < there


def test_files_without_a_time_of_change_are_known_by_parts(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on file systems that are made by a program, where both times are one."""
    root, original = make_folder(COUNTS), os.stat
    path = root / "cat" / "0.png"

    def coarse(place: str | bytes, **more: object) -> object:
        status = original(place, **more)  # type: ignore[arg-type]
        if isinstance(place, bytes):
            fields = ("st_size", "st_mode")
            values = {name: getattr(status, name) for name in fields}
            return SimpleNamespace(**values, st_mtime_ns=5, st_ctime_ns=5, st_ino=7)
        return status

    monkeypatch.setattr(contents.os, "stat", coarse)
    first = load(str(root))
    content = bytearray(path.read_bytes())
    Image.new("RGB", (12, 12), "red").save(path)
    path.write_bytes(path.read_bytes().ljust(len(content), b"\0"))
    assert load(str(root)).fingerprint != first.fingerprint


def test_a_moved_or_copied_folder_is_not_decoded_again(
    make_folder: MakeFolder, opened: list[Path]
) -> None:
    root = make_folder(COUNTS)
    first = load(str(root))
    root.rename(root.with_name("renamed"))
    shutil.copytree(root.with_name("renamed"), root.with_name("copy"))
    for name in ("renamed", "copy"):
        again = load(str(root.with_name(name)))
        assert again.fingerprint == first.fingerprint and len(opened) == 9


def test_a_cache_that_others_wrote_is_not_used(
    make_folder: MakeFolder, opened: list[Path], own_cache: Path
) -> None:
    """Whoever does not know this user's key cannot make a file that is used."""
    root = make_folder(COUNTS)
    first = load(str(root))
    (path,) = cache_files(own_cache)
    rows = load_file(path)
    rows["rows"].zero_()
    with safe_open(path, "pt") as file:
        about = file.metadata()
    save_file(rows, path, about)
    with pytest.warns(RuntimeWarning, match="changed by another program"):
        assert load(str(root)).fingerprint == first.fingerprint
    assert len(opened) == 18


def test_the_key_is_the_users_alone(make_folder: MakeFolder, own_cache: Path) -> None:
    load(str(make_folder(COUNTS)))
    (key,) = own_cache.glob("key-*")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 and key.stat().st_size == 32
    kept._key_in.cache_clear()
    key.write_bytes(b"short")
    load(str(make_folder(COUNTS, "other")))
    assert key.stat().st_size == 32


def test_processes_that_decode_the_same_at_once(
    make_folder: MakeFolder, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED", 10**12)  # however slow this machine is today
    root = make_folder({"cat": 10, "dog": 10})
    with ThreadPoolExecutor(4) as pool:
        found = {one.fingerprint for one in pool.map(lambda _: load(str(root)), range(8))}
    assert len(found) == 1 and len(cache_files(own_cache)) == 1


def test_a_streamed_image_that_changes_is_refused(make_folder: MakeFolder) -> None:
    dataset = load(str(make_folder(COUNTS)), memory_limit=0)
    assert isinstance(dataset.train, ImageFiles)
    Image.new("RGB", (12, 12)).save(dataset.train.paths[3])
    message = f"image '{dataset.train.paths[3]}' is another than when the images were first read"
    for workers in (0, 1):
        for seed in (None, torch.Generator()):
            with pytest.raises(InputError, match=re.escape(message)) as caught:
                list(batches(dataset.train, 2, generator=seed, device="cpu", workers=workers))
            assert "\n" not in str(caught.value)


def test_an_image_that_changes_while_it_is_read_is_refused(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(COUNTS)
    original = cache._read

    def written_meanwhile(*arguments: Any) -> Any:
        Image.new("RGB", (12, 12)).save(root / "dog" / "1.png")
        return original(*arguments)

    monkeypatch.setattr(cache, "_read", written_meanwhile)
    with pytest.raises(InputError, match=r"dog/1.png' is another than when .* were first read"):
        load(str(root))


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
