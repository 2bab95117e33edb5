"""What a folder holds that is no image of a class: left out, counted, and the same for predict."""

import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from nextify.data import Dataset, load
from nextify.data.walk import Found, images_below
from nextify.errors import InputError

MakeFolder = Callable[..., Path]
PETS = {"cat": 3, "dog": 3}


def total(dataset: Dataset) -> int:
    return len(dataset.train) + len(dataset.test)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 9)).save(path, "PNG")


@pytest.mark.parametrize(
    "name",
    ["@eaDir", "#recycle", "#snapshot", "__MACOSX", "$RECYCLE.BIN", "System Volume Information",
     "lost+found", "@Recycle", "__pycache__"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["", "cat/"])
def test_what_other_programs_leave_is_no_image(
    make_folder: MakeFolder, name: str, place: str
) -> None:
    root = make_folder(PETS)
    picture(root / place / name / "0.png" / "thumb.jpg")
    dataset = load(str(root))
    assert dataset.classes == ("cat", "dog") and total(dataset) == 6
    assert dataset.origin.left_out == {("folder", name): 1}


def test_every_file_that_is_left_out_is_counted(make_folder: MakeFolder) -> None:
    root = make_folder({**PETS, "cat/young": 1, ".hidden": 1})
    for name in ("a.heic", "b.HEIC", "c.txt", "young/d.txt", "none", ".DS_Store", "._1.png"):
        (root / "cat" / name).write_text("x")
    picture(root / "beside.png")
    left_out = load(str(root)).origin.left_out
    assert left_out == {
        ("suffix", ".heic"): 2, ("suffix", ".txt"): 2, ("suffix", ""): 1, ("hidden", ""): 3,
        ("loose", ""): 1,
    }  # fmt: skip


def test_pipes_sockets_and_devices_are_not_opened(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder(PETS)
    os.mkfifo(root / "cat" / "pipe.png")
    (root / "cat" / "zeros.png").symlink_to("/dev/zero")
    monkeypatch.chdir(root / "cat")  # the names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        dataset = load(str(root))
    assert total(dataset) == 6 and dataset.origin.left_out == {("special", ""): 3}


def test_links_in_circles_end_soon(make_folder: MakeFolder) -> None:
    """Each of twelve folders leads to all others: 12! ways, but twelve folders."""
    folders = [f"cat/{name}" for name in "abcdefghijkl"]
    root = make_folder({**dict.fromkeys(folders, 1), "dog": 2})
    for one in folders:
        for other in folders:
            if one != other:
                (root / one / f"to-{other[-1]}").symlink_to(root / other)
    dataset = load(str(root))
    assert total(dataset) == 14
    assert all(reason == "known" for reason, _ in dataset.origin.left_out)


def test_very_deep_folders_are_read(
    make_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, depth = make_folder(PETS), 1200
    monkeypatch.chdir(root / "cat")
    for _ in range(depth):
        Path("x").mkdir()
        os.chdir("x")
    Image.new("RGB", (9, 9)).save("0.png")
    assert total(load(str(root))) == 7
    Path("0.png").unlink()
    for _ in range(depth):  # what clears up afterwards cannot
        os.chdir("..")
        Path("x").rmdir()


def test_links_out_of_the_folder_are_followed_and_counted(make_folder: MakeFolder) -> None:
    outside = make_folder({"cats": 2, "dogs/deep": 3}, "outside")
    root = make_folder({"dog": 2})
    (root / "cat").symlink_to(outside / "cats")
    (root / "dog" / "more").symlink_to(outside / "dogs")
    (root / "dog" / "one.png").symlink_to(outside / "cats" / "0.png")
    (root / "dog" / "own.png").symlink_to(root / "dog" / "0.png")
    dataset = load(str(root))
    assert total(dataset) == 9
    assert dataset.origin.outside == {"cat": 2, "more": 3, "one.png": 1}


def own_folders(root: Path) -> None:
    """What `train`, `study` and `choose` leave."""
    for name in ("runs/net/record.json", "runs/net/network.safetensors",
                 "runs/mine/choice.json"):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("{}")
    sqlite3.connect(root / "runs" / "a.study").close()
    picture(root / "runs" / "a-report" / "steps.png")
    page = root / "runs" / "a-report" / "report.html"
    page.write_text('<head><meta name="generator" content="nextify"></head>')


@pytest.mark.parametrize("name", ["runs", "results", "net"])
def test_results_of_nextify_are_no_class(make_folder: MakeFolder, name: str) -> None:
    root = make_folder(PETS)
    own_folders(root)
    place = root / "runs"
    if name == "net":  # `train --output net`
        place = place / "net"
    place.rename(root / name) if name != "runs" else None
    if name == "net":
        (root / "runs").rename(root.parent / "elsewhere")
    dataset = load(str(root))
    assert dataset.classes == ("cat", "dog")
    assert dataset.origin.left_out == {("own", name): 1}


def test_a_report_alone_and_empty_runs_are_no_class(make_folder: MakeFolder) -> None:
    root = make_folder(PETS)
    own_folders(root)
    (root / "runs" / "a-report").rename(root / "report")
    (root / "runs").rename(root.parent / "elsewhere")
    (root / "runs").mkdir()
    assert load(str(root)).classes == ("cat", "dog")


def test_a_class_may_be_called_runs(make_folder: MakeFolder) -> None:
    root = make_folder({"runs": 2, "walks": 2})
    sqlite3.connect(root / "runs" / "a.study").close()
    assert load(str(root)).classes == ("runs", "walks")


def test_a_class_of_other_files_is_refused_with_their_number(make_folder: MakeFolder) -> None:
    root = make_folder({**PETS, "eel": 0})
    for name in ("a", "b"):
        (root / "eel" / f"{name}.heic").touch()
    with pytest.raises(InputError, match=r"class 'eel' holds no images: .* \(there are 2 .heic\)"):
        load(str(root))


def test_a_walk_alone(make_folder: MakeFolder) -> None:
    """As `predict` walks."""
    root = make_folder({"b/x": 1, "a": 2, ".c": 1, "@eaDir": 1})
    found = Found.below(root)
    assert list(images_below(root, found)) == ["a/0.png", "a/1.png", "b/x/0.png"]
    assert found.left_out == {("hidden", ""): 1, ("folder", "@eaDir"): 1}


def test_what_nextify_made_is_no_photograph(make_folder: MakeFolder) -> None:
    root = make_folder({"a": 1, "runs/page": 2})
    page = root / "runs" / "page" / "report.html"
    page.write_text('<meta name="generator" content="nextify">')
    found = Found.below(root)
    assert list(images_below(root, found)) == ["a/0.png"]
    assert found.left_out == {("own", "runs"): 1}
