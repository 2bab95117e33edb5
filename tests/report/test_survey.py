"""What is said of a set of images: each warning with its numbers, and the page."""

import json
from collections import Counter
from dataclasses import replace
from html import unescape

import pytest

from nextify.findings.clues import Clue
from nextify.findings.survey import Count, Files, Pair, Repeats, Shot, Survey
from nextify.report.survey import words
from nextify.report.survey.files import write_survey

NONE = Count(0, 0)
CLEAN = Survey(
    name="pets", source="A folder.", classes=("cat", "dog<"), image_size=32, drawn=None,
    counts={"training": (500, 400), "test": (100, 80)}, unreadable={}, left_out={}, outside={},
    files=Files(Counter({(64, 48): 1000, (30, 30): 80}), Counter(JPEG=1080), Counter(RGB=1080),
                (("train/cat/1.jpg", 30, 30),)),
    repeats=Repeats(leaks={("test", "training"): NONE}, crossed=NONE, within=NONE, pairs=()),
    clues=(Clue("size", 2, 0.55, 0.55, 0.4),), samples={"cat": (b"\x89PNG1",), "dog<": ()},
    recipe="modern-small", augmented=((b"\x89PNG2", b"\xff\xd8"),), command="nextify data pets",
)  # fmt: skip
DOG = Shot("test", "dog<", "test/dog/1.jpg", b"\x89PNG3")
CAT = Shot("training", "cat", "train/cat/2.jpg", b"\x89PNG4")

SPOILED = {
    "exact": ({"repeats": replace(CLEAN.repeats, leaks={("test", "training"): Count(9, 9)})},
              "18 of the 180 test images (10.0 %) have a duplicate among the training images: 9 "
              "with every pixel the same, 9 the same shot"),
    "drawn": ({"repeats": replace(CLEAN.repeats, leaks={("test", "training"): Count(0, 1)}),
               "drawn": 0}, "make train/ and test/ yourself"),
    "crossed": ({"repeats": replace(CLEAN.repeats, crossed=Count(2, 0))},
                "2 images of all have a duplicate under another class: 2 with every pixel"),
    "clue": ({"clues": (Clue("format", 2, 0.61, 0.25, 0.01), Clue("size", 3, 0.58, 0.25, 0.01),
                        Clue("corners", 3, 0.26, 0.25, 0.01))},
             "The file's format and mode alone answers 61.0 % of the images right, and chance "
             "25.0 % (the size in pixels 58 %)."),
    "few to test": ({"counts": {"training": (500, 400), "test": (100, 9)}},
                    "all 109 test images is known to ± 5.7 points; on those of one class, of dog< "
                    "9 (± "),
    "few to train": ({"counts": {"training": (24, 12), "test": (100, 80)}}, "dog< 12"),
    "unequal": ({"counts": {"training": (500, 50), "test": (100, 80)}},
                "cat has 500 training images, 10.0 times as many as dog< with 50. Accuracy is "
                "mostly that of the large classes: "),
    "just unequal": ({"counts": {"training": (41, 20), "test": (100, 80)}}, "2.0 times as many"),
    "unreadable": ({"unreadable": {"train/cat/x.jpg": "it is a web page"}},
                   "1 image: train/cat/x.jpg (it is a web page)."),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_each_warning_has_its_numbers(case):
    changes, text = SPOILED[case]
    ((_, said),) = words.warnings(replace(CLEAN, **changes))
    assert text in said and said.endswith(".")


def test_nothing_is_said_of_clean_images():
    assert words.warnings(CLEAN) == []
    twice = {"training": (40, 20), "test": (40, 80)}  # as scores by class have it
    assert words.warnings(replace(CLEAN, counts=twice)) == []
    assert words.headline(CLEAN) == "Nothing was found that spoils studies."
    assert "80 images are smaller than networks see them, and enlarged" in str(words.notes(CLEAN))
    assert "64 x 48 93%, 30 x 30 7%" in str(words.notes(CLEAN))


def test_the_page_holds_all_pictures_and_names_escaped(tmp_path):
    pair = Pair(DOG, CAT, exact=False, likeness=0.91234567, mirrored=True)
    found = replace(CLEAN, repeats=replace(CLEAN.repeats, pairs=(pair,), crossed=Count(0, 2)))
    written = write_survey(found, tmp_path / "report")
    page = written.html.read_text()
    for data in ("iVBORzE", "iVBORzI", "/9g", "iVBORzM", "iVBORzQ"):
        assert f"base64,{data}" in page or data in page, data
    assert "dog<" not in page and "dog<" in unescape(page)
    assert "likeness 0.91, mirrored" in page and "Under two classes" in page
    assert "On one side" not in page
    assert 'src="http' not in page and "nextify data pets" in unescape(page)
    _, line = (written.html.parent / "duplicates.csv").read_text().splitlines()
    assert line == "test/dog/1.jpg,test,dog<,train/cat/2.jpg,training,cat,no,0.912346,yes"
    values = json.loads(written.json.read_text())
    assert values["under_two_classes"] == {"exact": 0, "near": 2}
    assert values["warnings"][0]["about"] == "The same picture under two classes"
    assert written.csv.read_text() == "class,training,test\ncat,500,100\ndog<,400,80\n"
    assert write_survey(found, tmp_path / "again").html.read_bytes() == written.html.read_bytes()


def test_a_set_without_files_or_pairs_has_a_page(tmp_path):
    written = write_survey(replace(CLEAN, files=None, clues=(), augmented=()), tmp_path / "report")
    assert written.figures == () and "augmentation" not in written.html.read_text()
    assert len((written.html.parent / "duplicates.csv").read_text().splitlines()) == 2
