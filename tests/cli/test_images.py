"""Images as people have them, by the commands: said, left out, recognised."""

import json
import shutil
from pathlib import Path

import pytest

from .conftest import TINY, make_images

TRAIN = ("train", *TINY, "epochs=1", "--output", "net")


def test_evaluation_says_which_images_it_scores(nextify, pets):
    assert nextify(*TRAIN).code == 0
    own = nextify("evaluate", "net", "--data", "pets")
    assert "on 8 test images of pets" in own.out and "the fifth that was kept from it" in own.err
    make_images(Path("new"), {"cat": 3, "dog": 1})
    answer = nextify("evaluate", "net", "--data", "new")
    assert "on 4 test images of new" in answer.out
    assert answer.err.startswith("images: new, all 4 to test on (there are no splits)\n")
    assert json.loads(nextify("evaluate", "net", "--data", "new", "--json").out)["images"] == 4


def test_working_inside_the_folder_of_images(nextify, pets, monkeypatch):
    """What the first command leaves is no class of the second."""
    monkeypatch.chdir(pets)
    line = [word.replace("pets", "./") for word in TRAIN]
    for place in ("net", "more/net", "runs/a"):
        answer = nextify(*line[:-1], place)
        assert answer.code == 0, answer.err
    assert "left out: more/, net/ (results of nextify)" in answer.err


@pytest.mark.parametrize("place", ["pets", "pets/cat"])
def test_no_run_goes_among_the_images(refused, pets, place):
    """They would be left out as results of nextify by the next command."""
    text = refused(*TRAIN[:-1], place)
    assert f"--output {place} is a folder of the images in pets" in text


@pytest.mark.slow
@pytest.mark.parametrize("more", [(), ("--report", "page")])
def test_a_study_inside_the_folder_of_images(processes, pets, monkeypatch, more):
    monkeypatch.chdir(pets)
    answer = processes.finish("compare", "batch_size=8", "epochs=1", "--data", "./", "--image-size",
                              "8", "resnet-small", "stem_stride=1", "--seeds", "1", "--workers",
                              "1", *more)  # fmt: skip
    assert answer.code == 0, answer.err


def test_a_renamed_folder_is_the_same_data(nextify, pets):
    assert nextify(*TRAIN).code == 0
    pets.rename("moved")
    line = [word.replace("pets", "moved") for word in TRAIN]
    answer = nextify(*line)
    assert answer.code == 0 and "holds this run already" in answer.err
    answer = nextify("evaluate", "net", "--data", "moved")
    assert "not the images" not in answer.err and "on 8 test images" in answer.out


def test_predict_sees_folders_as_training_does(nextify, pets):
    assert nextify(*TRAIN).code == 0
    shutil.move("pets/dog", "dogs")
    Path("pets/dog").symlink_to(Path("dogs").absolute())
    make_images(Path("pets/.hidden"), {"a": 1})
    make_images(Path("pets/cat/@eaDir"), {"a": 1})
    Path("pets/cat/notes.txt").touch()
    answer = nextify("predict", "net", "pets", "--json")
    assert len(json.loads(answer.out)["images"]) == 40
    assert answer.err.splitlines() == [
        "left out: 1 .txt; 1 hidden; @eaDir/ (left by other programs)",
        "links: 20 images from outside the folder, by the links dog",
        "40 images to classify; classes of the network: 2 (cat, dog); seen at 8 pixels a side",
    ]


def test_names_do_not_command_the_terminal(nextify, own_folder):
    make_images(own_folder / "odd", {"\x1b[2Jcat": 10, "dog\x07\u202e": 10})
    line = [word.replace("pets", "odd") for word in TRAIN]
    for answer in (nextify(*line), nextify("predict", "net", "odd"), nextify("evaluate", "net")):
        for text in (answer.out, answer.err):
            assert not {"\x1b", "\x07", "\u202e"} & set(text)
    assert "\\x1b[2Jcat" in nextify("predict", "net", "odd").out
