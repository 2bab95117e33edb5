"""The command data, and evaluate at several sizes."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nextify import commands
from nextify.cli.main import main
from nextify.commands.surveying import augmented
from nextify.data import load
from nextify.designs import recipe
from nextify.errors import InputError

from .conftest import TINY, make_images


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("NEXTIFY_CACHE", str(folder / "cache"))
        make_images(folder / "pets", {"cat": 20, "dog": 20})
        assert main(["train", *TINY, "epochs=1", "--output", "net", "--json"]) == 0
    return folder / "net"


def test_data_says_what_is_there_and_writes_a_page(nextify, pets):
    shutil.copy("pets/cat/0.png", "pets/dog/copy.png")
    answer = nextify("data", "pets", "--image-size", "16", "--report", "seen")
    assert answer.code == 0
    assert "images: pets" in answer.err
    assert "The same picture under two classes. 2 images" in answer.out
    assert Path("seen/report.html").is_file() and "report: seen/report.html" in answer.out
    found = json.loads(nextify("data", "pets", "--image-size", "16", "--report", "seen",
                               "--json").out)  # fmt: skip
    assert found["report"] == "seen/report.html"
    assert found["under_two_classes"] == {"exact": 2, "near": 0}
    assert found["command"] == "nextify data pets --image-size 16"
    assert [each["class"] for each in found["classes"]] == ["cat", "dog"]
    assert "seen" not in nextify("data", "pets", "--json").out  # a report is no class


def test_data_in_python_and_what_is_refused(pets, refused):
    found = commands.data("pets", image_size=16, quiet=True).survey
    assert found.classes == ("cat", "dog") and found.recipe == "modern-small"
    assert "unknown recipe 'modrn'" in refused("data", "pets", "--recipe", "modrn")
    assert "folder 'pest' does not exist" in refused("data", "./pest")


def test_augmentation_is_what_training_draws(pets):
    images = load("pets", image_size=16)
    plain = recipe("modern-small", randaugment=0.0, random_erasing=0.0, flip=False, crop="none")
    rows = augmented(images, plain)
    assert len(rows) == 2 and {len(row) for row in rows} == {7}
    assert all(len({*row}) == 1 for row in rows)  # nothing is drawn
    assert all(len({*row}) > 1 for row in augmented(images, recipe("modern-small")))
    streamed = load("pets", image_size=16, memory_limit=0)
    assert augmented(streamed, plain) == rows
    cropped = replace(plain, crop="resized")
    assert all(len({*row}) == 7 for row in augmented(streamed, cropped))


def test_the_preview_has_the_crops_of_the_default(pets):
    cropped = recipe("modern-small", crop="resized", crop_area=0.35)
    found = commands.data("pets", image_size=48, quiet=True).survey
    assert found.augmented == augmented(load("pets", image_size=48), cropped)
    found = commands.data("pets", image_size=16, quiet=True).survey
    assert found.augmented == augmented(load("pets", image_size=16), recipe("modern-small"))


def test_evaluate_at_several_sizes(nextify, refused, trained):
    shutil.copytree(trained, "net")
    shutil.copytree(trained.parent / "pets", "pets", dirs_exist_ok=True)
    options = ("--data", "pets", "--threads", "1")
    sizes = "12,8,16"
    values = json.loads(nextify("evaluate", "net", *options, "--test-image-size", sizes,
                                "--json").out)  # fmt: skip
    assert values["base"] == 8 and [each["size"] for each in values["sizes"]] == [8, 12, 16]
    for each in values["sizes"]:
        one = nextify("evaluate", "net", *options, "--test-image-size", str(each["size"]), "--json")
        alone = json.loads(one.out)
        assert (alone["accuracy"], alone["images"]) == (each["accuracy"], each["images"])
    base, other = values["sizes"][0], values["sizes"][1]
    assert base["difference"] is None
    assert other["difference"] == pytest.approx(other["accuracy"] - base["accuracy"])
    assert other["difference_low"] <= other["difference"] <= other["difference_high"]
    table = nextify("evaluate", "net", *options, "--test-image-size", sizes).out
    assert "differences are to 8 pixels" in table and len(table.splitlines()) == 7
    assert "test_image_size is '8,x'" in refused("evaluate", "net", "--test-image-size", "8,x")
    python = commands.evaluate("net", data="pets", test_image_size=[8, 12], quiet=True)
    assert [each.size for each in python.sizes] == [8, 12]
    with pytest.raises(InputError, match="3 pixels are too small"):
        commands.evaluate("net", data="pets", test_image_size="3,8", quiet=True)
