"""What a request leaves unsaid, settled: by the images, or by the study that goes on."""

from dataclasses import replace

import pytest

from nextify.designs import path
from nextify.designs.suited import LARGE, suited_fields, suited_recipe
from nextify.requests import Choose, Compare, Study, made
from nextify.studies import Frame, plan_path
from nextify.studies.kinds.comparison import read_networks
from nextify.studies.kinds.settle import settled
from nextify.studies.kinds.shape import suited_shape

DATA = {"name": "x", "fingerprint": "0", "image_size": 28, "classes": 10, "train": 500, "test": 9}


@pytest.mark.parametrize("images", [2, 20, 160, 700, 1_231, 9_999, 10_000, 60_000, LARGE - 1])
def test_lengths_make_updates_of_batches_that_there_are(images):
    lengths = suited_fields("modern-small", images, 32)
    batch, epochs = lengths["batch_size"], lengths["epochs"]
    assert 1 <= batch <= min(64, images) and 6 <= epochs <= 100
    updates = epochs * (images // batch)
    assert updates >= 900 or epochs == 100
    assert batch == 64 or images // batch >= 10 or batch <= 8


def test_where_it_was_tuned_the_small_recipe_is_as_it_was_tuned():
    for side in (28, 224):
        found = suited_fields("modern-small", 10_000, side)
        assert found == {"batch_size": 64, "epochs": 6, "crop": "none", "crop_area": 0.08}
    assert suited_recipe(10_000) == suited_recipe(LARGE - 1) == "modern-small"
    assert suited_recipe(LARGE) == "modern"


@pytest.mark.parametrize(
    ("epochs", "side", "crop"), [(20, 48, "resized"), (19, 48, "none"), (20, 47, "none")]
)
def test_photographs_that_are_seen_often_are_cropped(epochs, side, crop):
    found = suited_fields("modern-small", 1_231, side, epochs=epochs)
    assert (found["crop"], found["crop_area"]) == (crop, 0.35 if crop == "resized" else 0.08)
    given = suited_fields("modern-small", 1_231, side, epochs=epochs, crop="resized")
    assert given["crop_area"] == 0.08, "a crop that is asked for is the papers'"
    assert suited_fields("finetune-small", 1_231, side, epochs=epochs)["crop"] == "padded"
    assert suited_fields("modern", 1_231, side, epochs=epochs)["crop"] == "resized"


@pytest.mark.parametrize(
    ("asked", "recipe", "changes"),
    [
        ({}, "modern-small", ("epochs=49", "crop=resized", "crop_area=0.35")),
        (
            {"changes": ["crop_area=0.5"]},
            "modern-small",
            ("crop_area=0.5", "epochs=49", "crop=resized"),
        ),
        ({"changes": ["crop=none"]}, "modern-small", ("crop=none", "epochs=49")),
        ({"changes": ["epochs=3"]}, "modern-small", ("epochs=3",)),
        ({"changes": ["batch_size=16"]}, "modern-small", ("batch_size=16", "epochs=12")),
        ({"recipe": "modern"}, "modern", ()),
    ],
)
def test_what_is_said_stays(asked, recipe, changes):
    found = settled(made(Study, {"path": "small", **asked}), 1_231, 96)
    assert (found.recipe, found.changes) == (recipe, changes)
    assert settled(found, 50, 28) == found  # whatever is asked later: it is said now


def test_of_few_images_batches_are_small():
    asked = made(Choose, {"params": "200k"})
    assert settled(asked, 160, 32).changes == ("batch_size=16", "epochs=94")


def test_networks_share_what_is_settled():
    asked = made(Compare, {"networks": ["vit-mini", "resnet-small", "epochs=3"], "images": "40,1"})
    found = settled(asked, 1_231, 32)
    assert found.networks[:2] == ("batch_size=40", "epochs=31") and found.recipe == "modern-small"
    networks = read_networks(found.networks, found.recipe)
    assert [each.recipe.epochs for each in networks] == [31, 3]
    assert settled(replace(asked, most_epochs=9), 1_231, 32).networks[1] == "epochs=9"


def test_a_study_goes_on_as_its_file_says():
    of = Frame(path("small"), data=DATA, data_source="x", seeds=[0],
               recipe_changes={"batch_size": 50, "epochs": 7})  # fmt: skip
    found = settled(made(Study, {"path": "small"}), 500, 96, plan_path(of))
    assert found.recipe == "modern-small" and set(found.changes) == {"batch_size=50", "epochs=7"}


@pytest.mark.parametrize(
    ("budgets", "size", "shape"),
    [
        ({"params": 300_000}, 96, ("small", 4)),
        ({"params": 200_000}, 32, ("small", 2)),
        ({"params": 12_000_000, "macs": 2_200_000_000}, 224, ("resnet50", 4)),
        # Parameters that nothing needs are no reason for the deep path, on small images.
        ({"params": 400_000, "macs": 2_500_000}, 48, ("small", 4)),
        ({"params": 2_000_000, "macs": 100_000_000}, 127, ("small", 4)),
        ({"params": 2_000_000, "macs": 100_000_000}, 128, ("resnet50", 4)),
        ({"params": 1_000}, 28, ("small", 4)),  # none is so small: planning says what is possible
    ],
)
def test_the_shape_follows_from_budgets_and_images(budgets, size, shape):
    found = suited_shape(budgets, image_size=size, classes=10)
    assert (found.path, found.stem_stride) == shape
    assert suited_shape(budgets, image_size=size, classes=10, stem_stride=1).stem_stride == 1
