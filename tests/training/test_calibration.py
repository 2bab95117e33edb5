"""A temperature: fitted on images that it is never judged by, kept with the network, and of no
influence on answers."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open

import nextify as nx
from nextify.data import load
from nextify.data.augment import evaluation_view
from nextify.data.dataset import told_apart
from nextify.designs import design
from nextify.errors import InputError
from nextify.network import Card, load_network, save_network
from nextify.training.calibration import fitting_half
from nextify.training.classify import answered, classify
from nextify.training.evaluate import evaluate
from nextify.training.exporting import agree
from training.conftest import SMALL
from training.test_scored_images import coloured

CARD = Card(design("convnext-mini", **SMALL), ("a", "b", "c", "d"), 16, (0.3,) * 3, (0.2,) * 3, {})


@pytest.fixture
def network():
    return nx.build(design("convnext-mini", **SMALL), 4, image_size=16, seed=1).eval()


def test_what_is_heard_is_what_is_scored(corners, network):
    with torch.no_grad():
        network.head[-1].weight.mul_(30)
    found = answered(network, CARD, corners)
    alone = evaluate(network, corners, corners.test)
    assert (found.scores.accuracy, found.scores.nll) == (alone.accuracy, alone.nll)
    assert torch.equal(found.answers == found.labels, alone.correct)
    with torch.inference_mode():
        logits = network(evaluation_view(corners.test.pixels, 16, CARD.mean, CARD.std))
    torch.testing.assert_close(found.log_probabilities, logits.log_softmax(1), rtol=1e-4, atol=1e-5)
    scored = found.scored(1.0)
    assert scored.nll == pytest.approx(alone.nll, rel=1e-5)
    assert scored.calibration_error == pytest.approx(alone.calibration_error, abs=1e-6)
    cooler = found.scored(2.5)
    assert torch.equal(cooler.correct, alone.correct) and cooler.accuracy == alone.accuracy
    want = torch.nn.functional.cross_entropy(logits / 2.5, corners.test.labels).item()
    assert cooler.nll == pytest.approx(want, rel=1e-4)
    want = (logits / 2.5).softmax(1).max(1).values
    torch.testing.assert_close(found.confidence(2.5), want, rtol=1e-4, atol=1e-5)


def test_the_fitted_temperature_beats_its_neighbours(corners, network):
    found = answered(network, CARD, corners)
    with torch.no_grad():  # right more often than by chance
        found.log_probabilities[torch.arange(0, 130, 2), found.labels[::2]] += 2
    best = found.temperature()
    losses = [found.scored(best * factor).nll for factor in (0.9, 1, 1.1)]
    assert min(losses) == losses[1]


def test_too_few_images_fit_nothing(corners, network):
    found = answered(network, CARD, corners)
    with pytest.raises(InputError, match="5 images are too few"):
        found.take(torch.arange(130) < 5).temperature()


@pytest.mark.parametrize("limit", [None, 0])
def test_the_halves_are_those_of_contents(tmp_path, monkeypatch, limit):
    monkeypatch.setenv("NEXTIFY_CACHE", str(tmp_path / "cache"))
    sides = {f"{side}/{name}": 9 for side in ("train", "test") for name in ("blue", "red")}
    root = coloured(tmp_path / "one", sides)
    one = load(str(root), image_size=16, memory_limit=limit).test
    names = [name for name, _ in told_apart(one)]
    half = dict(zip(names, fitting_half(one).tolist(), strict=True))
    assert len(half) == 18 and 2 < sum(half.values()) < 16
    assert names[0].startswith("test/blue/")
    (root / "test" / "blue" / "0.png").unlink()  # the others stay where they are
    fewer = load(str(root), image_size=20, memory_limit=limit, test_image_size=24).test
    told = told_apart(fewer)
    for (name, _), is_fit in zip(told, fitting_half(fewer).tolist(), strict=True):
        assert half[name] == is_fit
    assert told_apart(fewer.take(torch.tensor([1, 4]))) == [told[1], told[4]]


def test_the_file_keeps_it_and_old_files_have_none(tmp_path, network):
    plain, warm = tmp_path / "plain.safetensors", tmp_path / "warm.safetensors"
    save_network(network, CARD, plain)
    save_network(network, replace(CARD, temperature=1.75), warm)
    with safe_open(plain, "pt") as file:
        assert "temperature" not in file.metadata()["card"]
    assert load_network(plain)[1].temperature == 1.0
    again, card = load_network(warm)
    assert card == replace(CARD, temperature=1.75)
    for name, entry in network.state_dict().items():
        assert torch.equal(entry, again.state_dict()[name])
    for wrong in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match="temperature"):
            replace(CARD, temperature=wrong)


def test_predictions_have_its_probabilities(tmp_path, network):
    image = coloured(tmp_path, {"blue": 1}) / "blue" / "0.png"
    (plain,) = classify(network, CARD, [image], top=4)
    (warm,) = classify(network, replace(CARD, temperature=0.25), [image], top=4)
    assert [name for name, _ in plain.classes] == [name for name, _ in warm.classes]
    logits = torch.tensor([value for _, value in plain.classes]).log()
    torch.testing.assert_close(
        torch.tensor([value for _, value in warm.classes]), (logits / 0.25).softmax(0)
    )


def test_answers_that_are_no_numbers_are_refused(corners, network, tmp_path):
    with torch.no_grad():
        network.head[-1].bias[0] = float("nan")
    with pytest.raises(InputError, match="answers to 130 of 130 images are no finite numbers"):
        answered(network, CARD, corners)
    image = coloured(tmp_path, {"blue": 1}) / "blue" / "0.png"
    with pytest.raises(InputError, match="answers to an image are no finite numbers"):
        list(classify(network, CARD, [image]))
    with pytest.raises(InputError, match="answers to an image are no finite numbers"):
        agree(network, network, iter([torch.zeros(2, 3, 16, 16)]))
