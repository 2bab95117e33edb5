"""What is said of images before work starts."""

from dataclasses import replace

import pytest
import torch

from nextify.data import Dataset, ImageFiles, Images, Origin
from nextify.report.announce import (
    announced_effort,
    announced_images,
    announced_left_out,
    evaluated_note,
)
from nextify.studies import plan_screening
from nextify.studies.kinds.efforts import LESS, THOROUGH, USUAL
from studies.known_truth import small_task


def test_how_much_is_decided_on():
    usual = plan_screening(small_task(6))
    sharp = plan_screening(small_task(6, seeds=1, experiment="resolution-5"))
    plans = [sharp, usual]
    told = announced_effort(plans, THOROUGH, [5400.0, 5400.0], 0, None)
    assert told == (
        "screening: resolution-5, 32 networks, which tells every interaction of two choices apart: "
        "the whole choice takes about 1.5 h; --experiment says otherwise"
    )
    told = announced_effort(plans, USUAL, [18_000.0, 9000.0], 1, None)
    assert told == (
        "screening: resolution-4, 16 networks: with resolution-5, which tells every interaction of "
        "two choices apart, the whole choice takes about 5.0 h, and more than 3.0 h; --experiment "
        "resolution-5 for it, --within TIME for less"
    )
    told = announced_effort(plans, USUAL, [None, None], 1, None)
    assert "nothing was timed: that is 32 runs instead of 32" in told
    told = announced_effort([sharp, usual, usual], LESS[-1], [18_000.0, 9000.0, 4200.0], 2, "80min")
    assert "16 networks by 1 seed for 1/3 of the epochs, 2 finalists" in told
    told = announced_effort([sharp, usual, usual], LESS[-2], [18_000.0, 9000.0, 4200.0], 2, "80min")
    assert told == (
        "screening: resolution-4, 16 networks by 1 seed, 2 finalists by 3 seeds: the whole choice "
        "takes about 70.0 min, within 80min; the most thorough takes 5.0 h"
    )


def dataset(counts: tuple[list[int], list[int]], origin: Origin, streamed: bool = False) -> Dataset:
    """Of classes a, b, c ... with so many training and test images."""

    def side(numbers: list[int]) -> Images | ImageFiles:
        labels = torch.tensor([label for label, n in enumerate(numbers) for _ in range(n)])
        if streamed:
            return ImageFiles((), labels, (), 110, 96)
        return Images(torch.zeros(len(labels), 1, 1, 1, dtype=torch.uint8), labels)

    train, test = map(side, counts)
    return Dataset(
        name="pets", classes=tuple("abcdefghijkl"[: len(counts[0])]), train=train, test=test,
        image_size=96, source="", mean=(0.5,) * 3, std=(0.5,) * 3, fingerprint="0" * 64,
        origin=origin,
    )  # fmt: skip


def test_a_drawn_split() -> None:
    text = announced_images(dataset(([95, 5], [38, 2]), Origin(split_seed=3), streamed=True))
    assert text.splitlines() == [
        "images: pets, 100 to train on and 40 to test on (a fifth of each class, drawn with split "
        "seed 3)",
        "2 classes (training + test images): a 95+38, b 5+2",
        "largest class: a, 95.0% of the training images; always to answer it scores 95.0%",
        "seen at 96 pixels a side: the largest centred square of each image, resized; decoded from "
        "their files as they are needed",
    ]


def test_images_that_are_nearly_black_are_told() -> None:
    """As 12 bits in files of 16 are."""
    found = dataset(([95, 5], [38, 2]), Origin())
    assert "nearly black" not in announced_images(found)
    dark = announced_images(replace(found, mean=(0.016, 0.016, 0.016)))
    assert "mean is 1.6% of white; files of 16 bits are read as 0 to 65,535" in dark


def test_folders_of_splits_what_is_left_out_and_what_is_twice() -> None:
    left_out = {
        ("suffix", ".heic"): 1200, ("suffix", ""): 1, ("hidden", ""): 2, ("loose", ""): 3,
        ("special", ""): 1, ("known", "x"): 1, ("folder", "@eaDir"): 9, ("own", "runs"): 1,
        ("split", "val"): 1, ("beside", "labels"): 1,
    }  # fmt: skip
    origin = Origin(
        train="train", test="test", left_out=left_out, outside={"more": 5}, duplicates=2
    )
    lines = announced_images(dataset(([3] * 12, [1] * 12), origin)).splitlines()
    assert len(lines) <= 8
    assert lines[0] == "images: pets, 36 to train on and 12 to test on (train/ and test/)"
    assert lines[
        1
    ] == "12 classes (training + test images): a 3+1, b 3+1, c 3+1, d 3+1, e 3+1, " + (
        "f 3+1 and 6 more"
    )
    assert lines[4] == (
        "left out: 1,200 .heic, 1 without an ending; 2 hidden; 1 pipes, sockets or devices; "
        "3 images outside the class folders; 1 links to folders that are read already; @eaDir/ "
        "(left by other programs); runs/ (results of nextify); val/ (other splits); labels/ "
        "(beside the splits)"
    )
    assert lines[5] == "links: 5 images from outside the folder, by the links more"
    assert lines[6].startswith("duplicates: 2 of the 12 test images are also among the training")


def test_a_part_of_the_images() -> None:
    few = announced_images(dataset(([2, 2], [1, 1]), Origin(limited_from=100)))
    assert few.startswith("images: pets, 4 of 100 to train on and 2 to test on\n")
    held = announced_images(dataset(([2, 2], [1, 1]), Origin(held_out=True)))
    assert "(a fifth of the training images, held out)" in held
    every = announced_images(dataset(([2, 2], [2, 2]), Origin(all_tested=True, reordered=True)))
    assert every.splitlines()[:3] == [
        "images: pets, all 4 to test on (there are no splits)",
        "2 classes in the order of the network's outputs, by name: a 2, b 2",
        "each class, 50.0% of the images; always to answer it scores 50.0%",
    ]


def test_names_cannot_command_a_terminal() -> None:
    one = replace(dataset(([2, 2], [1, 1]), Origin(outside={"\x1b[2J": 1})), name="a\nb")
    one = replace(one, classes=("\x1b]0;owned\x07", "\u202egnp"))
    text = announced_images(one)
    assert text.isprintable() or set(text) - {"\n"} == {c for c in text if c.isprintable()}
    assert "images: a\\x0ab," in text and "\\x1b]0;owned\\x07 2+1" in text


@pytest.mark.parametrize(("left_out", "outside"), [({}, {})])
def test_nothing_is_said_of_nothing(left_out: dict, outside: dict) -> None:
    assert announced_left_out(left_out, outside) == []


def test_what_a_score_is_worth() -> None:
    drawn, given = (
        dataset(([2, 2], [1, 1]), origin) for origin in (Origin(split_seed=0), Origin())
    )
    assert "scored on the fifth that was kept from it" in str(evaluated_note(True, drawn))
    assert "may be among its training images" in str(evaluated_note(False, given))
    assert evaluated_note(True, given) is None
