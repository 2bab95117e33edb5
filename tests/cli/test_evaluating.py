"""evaluate --report and --calibrate: the page agrees with the scores, and no image that fitted the
temperature judges it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score

import nextify as nx
from nextify.data import load
from nextify.data.dataset import told_apart
from nextify.designs import design
from nextify.network import Card, load_network, save_network
from nextify.training.calibration import fitting_half
from nextify.training.classify import classify
from nextify.training.seen import seen_in

from .conftest import contents, make_images

DESIGN = design("convnext-mini", stem_stride=1)


@pytest.fixture
def net(own_folder):
    """A network at its initialisation, in a file: what it answers does not matter here."""
    card = Card(DESIGN, ("cat", "dog"), 8, (0.5,) * 3, (0.2,) * 3, {})
    save_network(nx.build(DESIGN, 2, image_size=8), card, "net.safetensors")
    return "net.safetensors"


@pytest.fixture
def images(own_folder):
    shutil.rmtree("pets", ignore_errors=True)
    for side in ("train", "test"):
        make_images(own_folder / "pets" / side, {"cat": 70, "dog": 40})
    return "pets"


def test_page_and_scores(nextify, net, images):
    answer = nextify("evaluate", net, "--data", images, "--report", "page", "--json")
    assert answer.code == 0, answer.err
    values, page = json.loads(answer.out), json.loads(Path("page/report.json").read_text())
    dataset = load(images, image_size=8)
    answers = [each.classes[0][0] for each in classify(*load_network(net), paths(dataset))]
    labels = [dataset.classes[at] for at in dataset.test.labels.tolist()]
    assert page["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(labels, answers))
    assert page["macro_f1"] == pytest.approx(f1_score(labels, answers, average="macro"))
    assert values["accuracy"] == page["accuracy"] and "temperature" not in values
    assert values["images"] == values["calibration_images"] == 110
    assert values["report"] == "page/report.html"
    assert page["command"] == f"nextify evaluate {net} --data {images}"
    every = zip(paths(dataset), answers, labels, strict=True)
    wrong = {path: answer for path, answer, label in every if answer != label}
    for each in page["wrong"]:
        assert wrong[Path(images, each["name"])] == each["answer"]
    assert len(page["wrong"]) == min(24, len(wrong))
    surest = [each["probability"] for each in page["wrong"]]
    assert surest == sorted(surest, reverse=True)
    html = Path("page/report.html").read_text()
    assert html.count("data:image/jpeg") == len(page["wrong"])


def paths(dataset):
    return [Path("pets", name) for name, _ in told_apart(dataset.test)]


def test_calibrate(nextify, net, images):
    before = nx.evaluate(net, data=images, quiet=True)
    answer = nextify("evaluate", net, "--data", images, "--calibrate")
    assert answer.code == 0, answer.err
    card = load_network(net)[1]
    dataset = load(images, image_size=8)
    half = fitting_half(dataset.test)
    assert card.about["calibration"] == {"part": "half", "images": int(half.sum()), "data": "pets"}
    assert f"temperature {card.temperature:.3f} is kept in {net}" in answer.err
    assert f"on the {int((~half).sum())} images that had no part in fitting it" in answer.out
    again = nx.evaluate(net, data=images, quiet=True)
    assert again.scores.accuracy == before.scores.accuracy
    assert again.content.before.images == again.content.scaled.after.images == int((~half).sum())
    assert again.scores.nll == again.content.scaled.after.nll
    values = json.loads(nextify("evaluate", net, "--data", images, "--json").out)
    assert (values["images"], values["calibration_images"]) == (110, int((~half).sum()))
    assert "test images may have fitted" in refused(nextify, net, dataset, half)


def refused(nextify, net, dataset, half):
    """What is said of images that all fitted the temperature."""
    for path, is_fit in zip(paths(dataset), half.tolist(), strict=True):
        if not is_fit:
            path.unlink()
    answer = nextify("evaluate", net, "--data", "pets")
    assert answer.code == 2
    return answer.err


def test_validation_images_fit_it_where_there_are_some(nextify, net, images):
    make_images(Path("pets/val"), {"cat": 33, "dog": 33})
    assert nextify("evaluate", net, "--data", images, "--calibrate").code == 0
    card = load_network(net)[1]
    assert card.about["calibration"] == {"part": "validation", "images": 66, "data": "pets"}
    found = nx.evaluate(net, data=images, quiet=True).content
    assert found.scaled.part == "validation" and found.before.images == 110


def test_validation_images_that_it_was_trained_on_do_not_fit_it(nextify, net, images):
    """As `choose` trains its winner: it would be told more certain of itself than it may be."""
    make_images(Path("pets/val"), {"cat": 33, "dog": 33})
    network, card = load_network(net)
    seen = seen_in(load(images, image_size=8), test_seen=False)
    save_network(network, replace(card, about={**card.about, **seen}), net)
    assert nextify("evaluate", net, "--data", images, "--calibrate").code == 0
    assert load_network(net)[1].about["calibration"]["part"] == "half"


def test_too_few_images_leave_the_network_as_it_is(nextify, net, pets):
    was = contents()
    answer = nextify("evaluate", net, "--data", "pets", "--calibrate")
    assert answer.code == 2 and "too few to calibrate by (at least 30)" in answer.err
    assert contents() == was
    assert not nx.evaluate(net, data="pets", quiet=True).content.calibrates
