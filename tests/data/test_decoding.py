"""Every kind of image file gives the pixels that it shows."""

import os
import struct
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, PngImagePlugin

from nextify.data import SUFFIXES, UnreadableImage, decode, decoding
from nextify.data.decoding import centre_square, decode_opened, open_rgb, resized, shorter_side
from nextify.errors import InputError

Pixels = npt.NDArray[np.uint8]
SIDE = 16

_GRADIENT = np.arange(SIDE * SIDE, dtype=np.uint8).reshape(SIDE, SIDE)
GREY = np.stack([_GRADIENT] * 3, axis=-1)
COLOUR = np.random.default_rng(0).integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)


def pixels_of(path: Path, size: int = SIDE) -> Pixels:
    """(size, size, 3), as decoded."""
    decoded = decode(path, size)
    assert decoded.dtype == torch.uint8 and decoded.shape == (3, size, size)
    return decoded.permute(1, 2, 0).numpy()


def on_white(colour: Pixels, alpha: Pixels) -> npt.NDArray[np.float64]:
    part = alpha[..., None] / 255
    return colour * part + 255 * (1 - part)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "gif"])
def test_plain_colours(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    few = COLOUR // 64 * 85  # GIF holds no more than 256 colours
    Image.fromarray(few).save(path, **({"lossless": True} if suffix == "webp" else {}))
    assert np.array_equal(pixels_of(path), few)


def test_jpeg_is_close(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "image.JPG", quality=100)
    assert np.abs(pixels_of(tmp_path / "image.JPG").astype(int) - GREY).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "pgm", "jpeg", "tiff"])
def test_grey(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(_GRADIENT).save(path)
    assert np.abs(pixels_of(path).astype(int) - GREY).max() <= (3 if suffix == "jpeg" else 0)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(_GRADIENT.astype(np.uint16) * 257).save(path)
    assert np.array_equal(pixels_of(path), GREY)


def test_a_dark_16_bit_image_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 4), 514, dtype=np.uint16)).save(tmp_path / "dark.png")
    assert (pixels_of(tmp_path / "dark.png", 4) == 2).all()


def test_16_bit_big_endian_tiff(tmp_path: Path) -> None:
    image = Image.frombytes("I;16B", (SIDE, SIDE), (_GRADIENT.astype(">u2") * 257).tobytes())
    image.save(tmp_path / "image.tif")
    assert np.array_equal(pixels_of(tmp_path / "image.tif"), GREY)


@pytest.mark.parametrize("white", [65535, 2**31 - 1])
def test_32_bit_integers(tmp_path: Path, white: int) -> None:
    values = (_GRADIENT.astype(np.float64) / 255 * white).round().astype(np.int32)
    Image.fromarray(values).save(tmp_path / "image.tif")
    assert np.array_equal(pixels_of(tmp_path / "image.tif"), GREY)


@pytest.mark.parametrize("white", [1, 255, 65535, 1e6])
def test_fractions(tmp_path: Path, white: float) -> None:
    values = _GRADIENT.astype(np.float32) / 255 * white
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "image.tif")
    assert np.array_equal(pixels_of(tmp_path / "image.tif"), GREY)


def test_what_shines_keeps_the_scale_of_the_others(tmp_path: Path) -> None:
    """Reflectances: one highlight above 1 does not make all the rest black."""
    values = (_GRADIENT / 255).astype(np.float32)
    values[0, 0] = 1.3
    Image.fromarray(values).save(tmp_path / "image.tif")
    found = pixels_of(tmp_path / "image.tif")
    assert found[0, 0, 0] == 255 and np.array_equal(found[1:], GREY[1:])


def test_fractions_that_are_no_numbers_are_black(tmp_path: Path) -> None:
    values = np.full((2, 2), 1, dtype=np.float32)
    values[0, 0], values[0, 1], values[1, 0] = np.nan, np.inf, -1
    Image.fromarray(values).save(tmp_path / "image.tif")
    assert pixels_of(tmp_path / "image.tif", 2)[..., 0].tolist() == [[0, 0], [0, 255]]


def test_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(_GRADIENT > 99).save(tmp_path / "image.png")
    assert np.array_equal(pixels_of(tmp_path / "image.png"), (GREY > 99) * np.uint8(255))


def test_palette(tmp_path: Path) -> None:
    image = Image.fromarray(COLOUR).quantize(16)
    image.save(tmp_path / "image.png")
    assert np.array_equal(pixels_of(tmp_path / "image.png"), np.array(image.convert("RGB")))


@pytest.mark.parametrize("transparency", [3, bytes(range(0, 256, 16))])
def test_palette_with_transparency_lies_on_white(tmp_path: Path, transparency: int | bytes) -> None:
    image = Image.fromarray(COLOUR).quantize(16)
    image.save(tmp_path / "image.png", transparency=transparency)
    alphas = np.full(16, 255, dtype=np.uint8)
    if isinstance(transparency, int):
        alphas[transparency] = 0
    else:
        alphas[:] = list(transparency)
    expected = on_white(np.array(image.convert("RGB")), alphas[np.array(image)])
    assert np.abs(pixels_of(tmp_path / "image.png") - expected).max() <= 1


def test_alpha_lies_on_white(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([COLOUR, _GRADIENT])).save(tmp_path / "image.png")
    difference = pixels_of(tmp_path / "image.png") - on_white(COLOUR, _GRADIENT)
    assert np.abs(difference).max() <= 1


def test_grey_with_alpha_lies_on_white(tmp_path: Path) -> None:
    alpha = _GRADIENT[::-1]
    Image.merge("LA", (Image.fromarray(_GRADIENT), Image.fromarray(alpha))).save(
        tmp_path / "image.png"
    )
    assert np.abs(pixels_of(tmp_path / "image.png") - on_white(GREY, alpha)).max() <= 1


def test_one_transparent_colour_lies_on_white(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "image.png", transparency=tuple(COLOUR[0, 0].tolist()))
    expected = COLOUR.copy()
    expected[0, 0] = 255
    assert np.array_equal(pixels_of(tmp_path / "image.png"), expected)


@pytest.mark.parametrize("suffix", ["tif", "jpg"])
def test_cmyk(tmp_path: Path, suffix: str) -> None:
    flat = np.full((SIDE, SIDE, 3), (200, 100, 50), dtype=np.uint8)
    Image.fromarray(flat).convert("CMYK").save(tmp_path / f"image.{suffix}")
    assert np.abs(pixels_of(tmp_path / f"image.{suffix}").astype(int) - flat).max() <= 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
    upright = COLOUR[:6, :10]  # not square, so that a missing turn shows in the shape
    # How a camera stores the upright picture, for each value of the tag (EXIF 2.3, 4.6.4).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: upright.transpose(1, 0, 2)[::-1],
        7: upright.transpose(1, 0, 2)[::-1, ::-1],
        8: upright.transpose(1, 0, 2)[:, ::-1],
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "image.png", exif=exif)
    assert np.array_equal(np.array(open_rgb(tmp_path / "image.png")), upright)


def test_damaged_exif_does_not_hide_the_image(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(COLOUR).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")
    assert np.array_equal(pixels_of(path), COLOUR)


TURNED = COLOUR.transpose(1, 0, 2)[::-1]  # as a camera stores COLOUR for orientation 6


def tiff(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """EXIF data of tags, types, counts and values."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}L", 8)
    body = b"".join(struct.pack(f"{order}HHL", *entry[:3]) + entry[3] for entry in entries)
    return head + struct.pack(f"{order}H", len(entries)) + body + b"\0" * 16


TURN = (0x0112, 3, 1, b"\6\0\0\0")
FLOAT = struct.pack("<f", 1.0)
ODD_EXIF = {
    "resolution unit as a byte": tiff(TURN, (0x0128, 1, 1, b"\2\0\0\0")),
    "resolution unit too large": tiff(TURN, (0x0128, 4, 1, b"\xff" * 4)),
    "resolution as bytes": tiff(TURN, (0x011A, 1, 1, b"\x48\0\0\0")),
    "resolution over zero": tiff(TURN, (0x011A, 5, 1, b"\0\0\0\0")),
    "description as a float": tiff((0x010E, 11, 1, FLOAT), TURN),
    "description as a rational": tiff((0x010E, 5, 1, b"\x26\0\0\0"), TURN),
    "description out of the data": tiff((0x010E, 2, 999, b"\xff\xff\0\0"), TURN),
    "a type that is none": tiff((0x010E, 99, 1, b"\0\0\0\0"), TURN),
    "a folder of tags that is none": tiff(TURN, (0x8769, 4, 1, b"\xff\xff\xff\xff")),
    "tags out of order": tiff((0x9999, 3, 1, b"\0\0\0\0"), TURN),
    "more entries than there are": tiff(TURN)[:8] + b"\xff\0" + tiff(TURN)[10:],
    "orientation as a byte": tiff((0x0112, 1, 1, b"\6\0\0\0")),
    "orientation as a long": tiff((0x0112, 4, 1, b"\6\0\0\0")),
    "orientation twice": tiff((0x0112, 3, 2, b"\6\0\6\0")),
    "big endian": tiff((0x0112, 3, 1, b"\0\6\0\0"), order=">"),
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("exif", ODD_EXIF.values(), ids=ODD_EXIF)
def test_an_odd_tag_does_not_lose_the_turn(tmp_path: Path, exif: bytes, suffix: str) -> None:
    path, how = tmp_path / f"image.{suffix}", {"quality": 100, "lossless": True}
    stored = Image.fromarray(np.ascontiguousarray(TURNED.repeat(4, 0).repeat(4, 1)))
    stored.save(
        path, exif=b"Exif\0\0" + exif, **how, **({"subsampling": 0} if suffix == "jpg" else {})
    )
    difference = pixels_of(path, 4 * SIDE) - COLOUR.repeat(4, 0).repeat(4, 1).astype(int)
    assert np.abs(difference).mean() < 5


@pytest.mark.parametrize("value", [0, 1, 9, 255])
def test_an_orientation_that_is_none_turns_nothing(tmp_path: Path, value: int) -> None:
    exif = b"Exif\0\0" + tiff((0x0112, 3, 1, bytes([value, 0, 0, 0])))
    Image.fromarray(COLOUR).save(tmp_path / "image.png", exif=exif)
    assert np.array_equal(pixels_of(tmp_path / "image.png"), COLOUR)


@pytest.mark.parametrize("suffix", ["bmp", "dib", "tga"])
def test_an_alpha_that_was_never_written_hides_nothing(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(np.dstack([COLOUR, np.zeros_like(_GRADIENT)])).save(path)
    if suffix != "tga":  # with a head that says where the alpha is, which Pillow does not write
        pixels = np.dstack([COLOUR[::-1, :, ::-1], np.zeros_like(_GRADIENT)]).tobytes()
        masks = struct.pack("<4L", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        head = struct.pack("<LllHHLLllLL", 108, SIDE, SIDE, 1, 32, 3, len(pixels), 0, 0, 0, 0)
        head += masks + b"BGRs" + bytes(48)
        start = struct.pack("<2sLLL", b"BM", 122 + len(pixels), 0, 122) if suffix == "bmp" else b""
        path.write_bytes(start + head + pixels)
    assert np.array_equal(pixels_of(path), COLOUR)
    assert torch.equal(decode_opened(Image.open(path), SIDE), decode(path, SIDE))


def test_a_png_that_is_all_transparent_is_white(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([COLOUR, np.zeros_like(_GRADIENT)])).save(tmp_path / "image.png")
    assert (pixels_of(tmp_path / "image.png") == 255).all()


MORE_SUFFIXES = {
    "jfif": "JPEG", "jpe": "JPEG", "pjpeg": "JPEG", "mpo": "MPO", "apng": "PNG", "dib": "DIB",
    "pnm": "PPM", "pbm": "PPM", "tga": "TGA", "jp2": "JPEG2000", "avif": "AVIF", "ico": "ICO",
    "pcx": "PCX", "sgi": "SGI", "dds": "DDS", "qoi": "QOI",
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "kind"), MORE_SUFFIXES.items())
def test_what_pillow_reads_is_taken(tmp_path: Path, suffix: str, kind: str) -> None:
    if f".{suffix}" not in SUFFIXES:
        pytest.skip("this Pillow cannot read it")
    path = tmp_path / f"image.{suffix}"
    if kind == "QOI":  # of one colour, in one run; Pillow does not write them before 11.3
        body = b"\xfe\xff\0\0" + bytes([0xC0 | 61] * 4 + [0xC0 | 6]) + b"\0" * 7 + b"\1"
        path.write_bytes(b"qoif" + struct.pack(">LLBB", SIDE, SIDE, 3, 0) + body)
    else:
        Image.new("RGB", (SIDE, SIDE), "red").save(path, kind)
    assert np.abs(pixels_of(path).astype(int) - (255, 0, 0)).max() <= 3


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "CMYK", "I;16", "F", "1"])
def test_large_images_are_worked_on_in_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """To the same pixels: only less of them is in memory at once."""
    draw, shape = np.random.default_rng(0), (37, 53)
    image = Image.fromarray(draw.integers(256, size=(*shape, 3), dtype=np.uint8))
    if mode in ("I;16", "F"):
        deep = draw.integers(9, 60_000, size=shape)
        image = Image.fromarray(deep.astype(np.uint16 if mode == "I;16" else np.float32))
    elif "A" in mode:
        image.putalpha(Image.fromarray(draw.integers(256, size=shape, dtype=np.uint8)))
        image = image.convert(mode)
    else:
        image = image.convert(mode)
    image.save(tmp_path / "image.tif")
    whole = decode(tmp_path / "image.tif", 16)
    monkeypatch.setattr(decoding, "_LARGE", 100)
    monkeypatch.setattr(decoding, "_BAND", 200)
    assert torch.equal(decode(tmp_path / "image.tif", 16), whole)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "I;16"])
def test_a_small_file_of_many_pixels_takes_no_gigabyte(tmp_path: Path, mode: str) -> None:
    """A file of half a megabyte and 9,450 pixels a side, which took 1 to 2.5 GiB."""
    Image.new(mode, (9450, 9450)).save(tmp_path / "large.png")
    script = (
        "import resource as r; from nextify.data import decode\n"
        "peak = lambda: r.getrusage(r.RUSAGE_SELF).ru_maxrss\n"
        f"before = peak(); decode({str(tmp_path / 'large.png')!r}, 32); print(peak() - before)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert int(answer.stdout) < 750 << 10


def test_the_centre_square_is_taken(tmp_path: Path) -> None:
    Image.fromarray(COLOUR[:8]).save(tmp_path / "wide.png")
    assert np.array_equal(pixels_of(tmp_path / "wide.png", 8), COLOUR[:8, 4:12])
    assert centre_square((9, 4)) == (2, 0, 6, 4)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1)])
def test_slim_images(tmp_path: Path, shape: tuple[int, int]) -> None:
    Image.new("RGB", shape, (1, 2, 3)).save(tmp_path / "slim.png")
    assert (pixels_of(tmp_path / "slim.png", 4) == (1, 2, 3)).all()


def test_a_large_jpeg_may_be_decoded_smaller(tmp_path: Path) -> None:
    smooth = Image.fromarray(COLOUR[:4, :4]).resize((800, 640), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "large.jpg", quality=95)
    whole = open_rgb(tmp_path / "large.jpg")
    assert whole.size == (800, 640)
    assert open_rgb(tmp_path / "large.jpg", enough=64).size == (100, 80)
    expected = resized(whole, centre_square(whole.size), 32).int()
    assert (decode(tmp_path / "large.jpg", 32).int() - expected).abs().max() <= 3
    with Image.open(tmp_path / "large.jpg") as opened:
        for _ in range(2):
            assert torch.equal(decode_opened(opened, 32), decode(tmp_path / "large.jpg", 32))
        assert opened.size == (800, 640)
        opened.load()
        assert torch.equal(decode_opened(opened, 32).int(), expected)


def test_shorter_side(tmp_path: Path) -> None:
    Image.new("RGB", (7, 5)).save(tmp_path / "image.png")
    assert shorter_side(tmp_path / "image.png") == 5
    assert shorter_side(tmp_path / "none.png") is None


REMEDY = "; replace or remove it, or use --skip-unreadable to leave it out and count it"


def assert_refused(path: Path, why: str) -> None:
    with pytest.raises(UnreadableImage) as caught:
        decode(path, SIDE)
    assert isinstance(caught.value, InputError) and why in caught.value.why
    assert str(caught.value) == f"image {str(path)!r} cannot be read: {caught.value.why}{REMEDY}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif"])
def test_truncated_images_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(COLOUR.repeat(9, 0).repeat(9, 1)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert_refused(path, "")


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("hello")
    assert_refused(tmp_path / "text.png", "not an image in a known format")
    (tmp_path / "empty.png").touch()
    assert_refused(tmp_path / "empty.png", "not an image in a known format")
    assert_refused(tmp_path / "none.png", "there is no such file")
    (tmp_path / "folder.png").mkdir()
    assert_refused(tmp_path / "folder.png", "it is a folder")


def test_postscript_is_never_run(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert_refused(tmp_path / "image.png", "not an image in a known format")


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "image.png").touch()
    monkeypatch.setattr("nextify.data.decoding.Image.open", denied)  # tests may run as root
    assert_refused(tmp_path / "image.png", "permission denied")


@pytest.mark.parametrize("limit", [200, 100])  # Pillow warns at once its limit, raises at twice
def test_decompression_bombs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    assert_refused(tmp_path / "bomb.png", f"more than {limit} pixels (a decompression bomb?)")


def test_a_jpeg_of_many_passes_is_refused(tmp_path: Path) -> None:
    """A few bytes more make a pass over all pixels more."""
    path = tmp_path / "image.jpg"
    Image.fromarray(COLOUR).save(path, progressive=True)
    content = path.read_bytes()
    last = content[content.rindex(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + 5 * last + content[-2:])
    decode(path, SIDE)
    path.write_bytes(content[:-2] + 5_000 * last + content[-2:])
    assert_refused(path, "it is a JPEG of too many passes")
    hollow = 4_000_000 * b"\xff\xe0\x00\x02"  # each costs little, and all of them minutes
    path.write_bytes(content[:-2] + hollow + content[-2:])
    began = time.process_time()
    assert_refused(path, "it is a JPEG of too many passes")
    assert time.process_time() - began < 5.0


def test_what_stands_behind_a_jpeg_or_in_its_segments_is_no_pass(tmp_path: Path) -> None:
    """As films behind photographs that move, and previews within: a comment here."""
    path, more = tmp_path / "image.jpg", 200 * b"\xff\xda\x00\x02"
    Image.fromarray(COLOUR).save(path, progressive=True, comment=b"\xff\xd9" + more)
    plain = decode(path, SIDE)
    path.write_bytes(path.read_bytes() + more)
    assert torch.equal(decode(path, SIDE), plain)
    content = path.read_bytes()[: -len(more)]
    last = content[content.rindex(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + 5_000 * last + content[-2:])
    assert_refused(path, "it is a JPEG of too many passes")  # the comment's end is not its own


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tif"])
def test_of_many_frames_the_first_is_taken(tmp_path: Path, suffix: str) -> None:
    first, *others = (Image.new("RGB", (8, 8), (255, n, 0)) for n in range(0, 250, 5))
    path = tmp_path / f"image.{suffix}"
    first.save(path, save_all=True, append_images=others)
    assert pixels_of(path, 8)[0, 0].tolist() == pytest.approx([255, 0, 0], abs=2)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert_refused(tmp_path / "pipe.png", "it is a pipe, a socket or a device")
    assert shorter_side(tmp_path / "pipe.png") is None
    (tmp_path / "zeros.png").symlink_to("/dev/zero")
    assert_refused(tmp_path / "zeros.png", "it is a pipe, a socket or a device")
    with (tmp_path / "huge.bmp").open("wb") as file:
        file.truncate(200 << 30)
    assert_refused(tmp_path / "huge.bmp", "it has 200.0 GiB, and an image has 1 GiB at most")


STRANGERS = {
    b"version https://git-lfs.github.com/spec/v1": "a pointer of Git LFS",
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic": "a HEIC photograph",
    b"  <!DOCTYPE html><html>": "a web page",
    b'{"error": 404}': "a text (JSON)",
    b"PK\3\4....": "a zip archive",
}


@pytest.mark.parametrize(("start", "what"), STRANGERS.items(), ids=STRANGERS.values())
def test_what_a_file_is_instead_is_said(tmp_path: Path, start: bytes, what: str) -> None:
    (tmp_path / "image.jpg").write_bytes(start)
    assert_refused(tmp_path / "image.jpg", what)


def test_a_text_bomb_is_refused(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    Image.fromarray(COLOUR).save(tmp_path / "image.png", pnginfo=info)
    assert_refused(tmp_path / "image.png", "")


def test_warnings_are_as_before_afterwards(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "image.png")
    before = warnings.filters[:]
    decode(tmp_path / "image.png", 4)
    assert warnings.filters == before


FORMATS = ("jpg", "png", "bmp", "gif", "webp", "tif", "ppm", "tga", "jp2", "ico")


@pytest.mark.parametrize("suffix", FORMATS)
def test_read_at_once_or_piece_by_piece_a_file_gives_the_same(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small files are read at once: pixels, sizes and what is said of damaged ones stay."""
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(COLOUR).resize((40, 32)).save(path)
    whole = path.read_bytes()
    damaged = [whole[: len(whole) * part // 8] for part in range(9)]
    damaged += [whole[:at] + b"\x5a\xa5" + whole[at + 2 :] for at in range(0, len(whole), 97)][:40]

    def seen() -> list[object]:
        found: list[object] = [shorter_side(path)]
        try:
            found.append(decode(path, 8).numpy().tobytes())
        except UnreadableImage as error:
            found.append(error.why)
        return found

    for content in damaged:
        path.write_bytes(content)
        monkeypatch.setattr(decoding, "_PART", 1 << 20)
        at_once = seen()
        monkeypatch.setattr(decoding, "_PART", 16)
        assert seen() == at_once
