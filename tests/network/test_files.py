"""A network file that is damaged, or claims what cannot be, is refused in one line and at once."""

import json
import random
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nextify import build, design
from nextify.errors import InputError
from nextify.network import Card, load_network, save_network

DESIGN = design("convnext-mini", depths=(1, 1), widths=(8, 16))
CARD = Card(
    design=DESIGN,
    classes=("ash", "birch", "cedar"),
    image_size=32,
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.2, 0.2),
    about={"accuracy": 0.5, "data": {"image_size": 32, "classes": 3}},
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("network") / "network.safetensors"
    save_network(build(DESIGN, 3, image_size=32), CARD, path)
    return path


def rewritten(whole: Path, path: Path, card: str) -> Path:
    """The same weights with another card."""
    with safe_open(whole, "pt") as file:
        metadata = {**file.metadata(), "card": card}
    save_file(load_file(whole), path, metadata)
    return path


def changed(**values: object) -> str:
    """The card as JSON, with some fields changed; those of the design as `design__NAME`."""
    card = asdict(CARD)
    for name, value in values.items():
        where, _, inner = name.partition("__")
        if inner:
            card[where][inner] = value
        else:
            card[where] = value
    return json.dumps(card)


def test_a_card_comes_back_equal(whole, tmp_path):
    assert load_network(whole)[1] == CARD
    assert load_network(rewritten(whole, tmp_path / "same.safetensors", changed()))[1] == CARD


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"image_size": 16384}, "'image_size' is of 16384, and it was trained with 32"),
        ({"image_size": 16384, "about": {}}, "'image_size' of 16384 pixels takes"),
        ({"image_size": True}, "'image_size' is True; it must be a whole number"),
        ({"image_size": 10**400}, "'image_size' is 1000"),
        ({"design__widths": [10**9, 10**9]}, "parameters, and it holds"),
        ({"design__depths": [2000, 2000]}, "parameters, and it holds"),
        ({"design__kernel_size": 99_999}, "parameters, and it holds"),
        ({"design__depths": "deep"}, "field 'design.depths' is 'deep'; it must be a list"),
        ({"design__kind": "cnn"}, "unknown kind of design: 'cnn'"),
        ({"std": [1e-300] * 3}, "std (1e-300"),
        ({"mean": [float("nan")] * 3}, "field 'mean[0]' is nan; it must be a finite number"),
        ({"mean": 0.5}, "field 'mean' is 0.5; it must be a list"),
        ({"classes": ["ash", "ash", "oak"]}, "field 'classes' has 'ash' twice"),
        ({"classes": ["ash", "oak"]}, "field 'classes' is of 2, and it was trained with 3"),
        ({"classes": [], "about": {}}, "field 'classes' is empty"),
        ({"classes": [1, 2, 3]}, "field 'classes[0]' is 1; it must be a text"),
        ({"classes": "x" * 10**6}, "it must be a list"),
        ({"about": None}, "field 'about' is None; it must be a table of fields"),
        ({"colour": "red"}, "unknown field 'colour'"),
    ],
)
def test_a_card_that_cannot_be_is_refused_at_once(whole, tmp_path, monkeypatch, values, words):
    monkeypatch.setattr("nextify.network.files.memory", lambda: 1 << 30)
    path = rewritten(whole, tmp_path / "net.safetensors", changed(**values))
    before = time.process_time()
    with pytest.raises(InputError) as refused:
        load_network(path)
    said = str(refused.value)
    assert words in said and str(path) in said and "\n" not in said and len(said) < 600
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    "card", ["", "null", "[" * 100_000, '{"design": {}, "design": {}}', "{" + '"a":' * 10**5]
)
def test_a_card_that_is_none(whole, tmp_path, card):
    with pytest.raises(InputError, match="damaged card") as refused:
        load_network(rewritten(whole, tmp_path / "net.safetensors", card))
    assert "\n" not in str(refused.value)


def test_flipped_bytes_and_cuts(whole, tmp_path):
    """A network that is read has the weights that were written."""
    content, path, chance = whole.read_bytes(), tmp_path / "net.safetensors", random.Random(0)
    weights, read = load_file(whole), 0
    for at in range(60):
        damaged = bytearray(content)
        if at % 6 == 5:
            del damaged[chance.randrange(len(damaged)) :]
        else:
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            network, _ = load_network(path)
        except InputError as error:
            assert "\n" not in str(error)
            continue
        read += 1
        assert all(entry.equal(weights[name]) for name, entry in network.state_dict().items())
    assert read < 20
