"""The page of an evaluation: every class is in it, numbers agree, and what comes from outside is
only text."""

import csv
import json
import re

import numpy as np
import pytest
from sklearn import metrics

from nextify.report.evaluation import words
from nextify.report.evaluation.files import write_evaluation

from .fake_evaluation import HOSTILE, evaluated, scaled, wrong
from .test_report import _text

FIGURES = {
    f"{name}.{kind}" for name in ("confusion", "reliability") for kind in ("svg", "png", "pdf")
}
TEXTS = {"report.html", "report.json", "classes.csv", "confusion.csv"}


def lines_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("count", [25, 300])
def test_any_number_of_classes(tmp_path, count):
    content = evaluated(tuple(f"class {at}" for at in range(count)), scaled=scaled())
    files = write_evaluation(content, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FIGURES | TEXTS
    text, values = _text(files.html.read_text()), json.loads(files.json.read_text())
    assert f"Right about {100 * content.right / content.images:.2f} %" in text
    places = np.indices(content.counts.shape).reshape(2, -1)
    labels, answers = np.repeat(places, content.counts.flatten(), axis=1)
    balanced = metrics.balanced_accuracy_score(labels, answers)
    assert f"balanced accuracy {100 * balanced:.2f} %" in text
    assert f"macro F1 {100 * metrics.f1_score(labels, answers, average='macro'):.2f} %" in text
    lines = lines_of(files.csv)
    assert [line["class"] for line in lines] == list(content.classes)
    for line, each in zip(lines, values["classes"], strict=True):
        assert int(line["images"]) == each["n"] and int(line["right"]) == each["right"]
        assert line["recall"] == "" or float(line["recall"]) == pytest.approx(each["recall"])
        assert each["interval"]["low"] <= each["recall"] <= each["interval"]["high"]
    pairs = lines_of(tmp_path / "confusion.csv")
    errors = sum(int(pair["images"]) for pair in pairs)
    assert errors == content.images - content.right
    shown = re.findall(r"<th scope=\"row\">(class \d+)</th>", files.html.read_text())
    worst = sorted(content.lines, key=lambda line: line.recall)[:60]
    expected = content.classes if count <= 60 else [line.name for line in worst]
    assert shown == list(expected)


def test_names_from_outside_are_only_text_and_equal_contents_give_equal_bytes(tmp_path):
    for folder in ("a", "b"):
        content = evaluated(
            (HOSTILE, "dog"), wrong=(wrong(HOSTILE),), network=HOSTILE, data=HOSTILE
        )
        page = write_evaluation(content, tmp_path / folder).html.read_text()
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
    assert "<script" not in page and "\u202e" not in page
    assert page.count("&lt;script&gt;alert(1)") >= 4
    assert "said <b>&lt;script" in page and "> 99.9 %" in _text(page)
    assert "<span>--calibrate</span></code></pre>" in page  # to be copied, not read


def test_calibration_before_and_after(tmp_path):
    plain = " ".join(words.calibrated(evaluated(("cat", "dog"))))
    assert "is fitted and kept with the network by:" in plain and "on 300 images" in plain
    none = evaluated(("cat", "dog"), calibrates=False)
    assert "by:" not in " ".join(words.calibrated(none))
    assert "--calibrate" not in write_evaluation(none, tmp_path).html.read_text()
    told = " ".join(words.calibrated(evaluated(("cat", "dog"), scaled=scaled(0.7))))
    assert "temperature of 0.700, fitted on 200 other test images" in told
    assert "more extreme" in told and "by:" not in told
    assert "changes by −0.2000 to −0.1000 nats" in told
    assert told.count("calibration error 10.00 %") == 2


def test_equal_classes_need_no_balanced_accuracy():
    content = evaluated(("cat", "dog"), 0)
    assert content.counts.sum(1).tolist() == [1, 1]
    assert "balanced" not in " ".join(words.answer(content))
