"""train and evaluate where classes are unequal, runs end early, and epochs are logged."""

import csv
import json

from .conftest import TINY, make_images

PHOTOS = tuple("photos" if word == "pets" else word for word in TINY)


def test_unequal_classes_an_early_end_and_a_log(nextify, own_folder):
    make_images(own_folder / "photos", {"cat": 60, "dog": 15, "fox": 12})
    fields = ("epochs=30", "patience=1", "balance=loss", "accumulate=2", "learning_rate=1e-5")
    answer = nextify("train", *PHOTOS, *fields, "--output", "net", "--log", "csv")
    assert answer.code == 0
    assert "to choose the best epoch by (a fifth of the training images, held out)" in answer.err
    assert ", balanced accuracy " in answer.out and ", macro F1 " in answer.out
    assert "ended early, after epoch " in answer.out and " of 30: none was better on" in answer.out
    record = json.loads((own_folder / "net/record.json").read_text())
    counts = record["result"]["per_class"]
    assert counts["true"] == [12, 3, 2] and sum(counts["answered"]) == 17
    with (own_folder / "net/epochs.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert [line["epoch"] for line in lines] == [str(at["epoch"]) for at in record["curve"]]
    assert lines[-1]["validation_accuracy"] == str(record["curve"][-1]["accuracy"])
    scored = nextify("evaluate", "net", "--data", "photos")
    assert f"balanced accuracy {_balanced(counts):.2%}" in scored.out
    told = json.loads(nextify("evaluate", "net", "--data", "photos", "--json").out)
    assert told["balanced_accuracy"] == _balanced(counts) and 0 <= told["macro_f1"] <= 1


def _balanced(counts: dict) -> float:
    pairs = zip(counts["right"], counts["true"], strict=True)
    return sum(right / true for right, true in pairs) / len(counts["true"])


def test_equal_classes_have_no_second_score(nextify, pets):
    answer = nextify("train", *TINY, "--epochs", "1")
    assert answer.code == 0 and "balanced accuracy" not in answer.out


def test_a_study_watches_no_validation_images(nextify, pets):
    answer = nextify("study", "small", "patience=3", "--data", "pets", "--plan")
    assert answer.code == 2 and answer.err.count("\n") == 1
    assert "'patience' is 3, which watches validation images" in answer.err


def test_other_names_for_these_fields(nextify, pets):
    for theirs, ours in (("--swa", "average_epochs"), ("--grad-accum", "accumulate"),
                         ("--early-stop", "patience"), ("--class-weights", "balance")):  # fmt: skip
        answer = nextify("train", *TINY, theirs, "2")
        assert answer.code == 2 and ours in answer.err.replace("-", "_")
