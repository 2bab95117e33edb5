"""Which images a network is scored on, and which class is which."""

import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nextify as nx
from nextify.data import ImageFiles, Images, View, decode, load, view
from nextify.data.subsets import whole
from nextify.designs import design
from nextify.errors import InputError
from nextify.network import Card, load_network, save_network
from nextify.requests import DataSpec
from nextify.training import prepare, train_in_folder
from nextify.training.classify import answered, load_for
from nextify.training.folder import card_of
from nextify.training.seen import draw_of, require_fair, require_unseen, seen_in, was_trained_on
from training.conftest import SMALL, small_recipe

DESIGN = design("convnext-mini", **SMALL)
COLOURS = {"blue": (20, 20, 220), "green": (20, 200, 20), "red": (220, 20, 20)}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXTIFY_CACHE", str(tmp_path / "cache"))


def coloured(root: Path, counts: dict[str, int], seed: int = 0) -> Path:
    """Noisy images of one colour each; keys end in its name."""
    draw = np.random.default_rng(seed)
    for folder, count in counts.items():
        (root / folder).mkdir(parents=True)
        for index in range(count):
            noise = draw.integers(-15, 15, size=(16, 16, 3))
            pixels = np.clip(np.array(COLOURS[folder.split("/")[-1]]) + noise, 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(root / folder / f"{index}.png")
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return coloured(tmp_path / "colours", {"blue": 10, "green": 5, "red": 5})


def card_for(root: Path, **options: object) -> Card:
    """The card of a network that is trained on a folder."""
    dataset = load(str(root), image_size=16, **options)
    run = prepare(DESIGN, small_recipe(batch_size=4), dataset).run
    return card_of(run, dataset, {"data": run.data, **draw_of(dataset)})


def seen(card: Card, root: Path, **options: object):
    return load_for(card, DataSpec(source=str(root), **options))


def files_of(images) -> set[bytes]:
    assert isinstance(images, Images)
    return {one.numpy().tobytes() for one in images.pixels}


def test_every_image_of_a_folder_without_splits_is_scored(folder, tmp_path):
    card = card_for(folder)
    other = coloured(tmp_path / "new", {"blue": 4, "green": 1, "red": 3}, seed=1)  # one is enough
    for limit in (None, 0):
        dataset = seen(card, other, memory_limit=limit)
        assert dataset.counts()[1] == [4, 1, 3] and dataset.origin.all_tested
    pixels = {decode(path, 16).numpy().tobytes() for path in other.rglob("*.png")}
    assert files_of(seen(card, other).test) == pixels


def test_the_test_split_is_scored_where_there_is_one(folder, tmp_path):
    counts = {f"{side}/{name}": 2 for side in ("train", "val") for name in COLOURS}
    dataset = seen(card_for(folder), coloured(tmp_path / "split", counts, seed=1))
    assert len(dataset.test) == 6 and not dataset.origin.all_tested


@pytest.mark.parametrize("limit", [None, 0])
@pytest.mark.parametrize(
    "options", [{}, {"split_seed": 3}, {"train_limit": 8}, {"test_image_size": 20}]
)
def test_what_training_kept_apart_is_scored_and_no_more(folder, options, limit):
    """With no option repeated: the card tells how they were drawn."""
    trained = load(str(folder), image_size=16, memory_limit=limit, **options)
    card = card_for(folder, memory_limit=limit, **options)
    dataset = seen(card, folder, memory_limit=limit)
    assert dataset.origin.split_seed == options.get("split_seed", 0)
    if isinstance(trained.test, ImageFiles):
        assert isinstance(dataset.test, ImageFiles) and dataset.test.paths == trained.test.paths
    else:
        assert files_of(dataset.test) == files_of(trained.test)


def test_a_card_from_before_it_told_the_split(folder, tmp_path):
    card = card_for(folder)
    card = replace(card, about={"data": card.about["data"]})
    assert len(seen(card, folder).test) == 4
    other = coloured(tmp_path / "new", {"blue": 10, "green": 5, "red": 5}, seed=1)
    assert len(seen(card, other).test) == 20


@pytest.mark.parametrize("limit", [None, 0])
@pytest.mark.parametrize("parts", [("",), ("train/", "test/")])
def test_a_network_that_saw_all_images_is_scored_on_others(tmp_path, parts, limit):
    root = coloured(tmp_path / "all", {f"{part}{name}": 5 for part in parts for name in COLOURS})
    dataset = load(str(root), image_size=16, memory_limit=limit)
    card = card_for(root, memory_limit=limit)
    card = replace(
        card, about={"data": whole(dataset).identity()} | seen_in(dataset, test_seen=True)
    )
    moved = root.rename(tmp_path / "moved")
    for size in (16, 24):
        with pytest.raises(
            InputError, match="trained on all images of 'moved', the test images am"
        ):
            require_unseen(card, seen(card, moved, memory_limit=limit, test_image_size=size))
    other = coloured(
        tmp_path / "new", {f"{part}{name}": 5 for part in parts for name in COLOURS}, 1
    )
    require_unseen(card, seen(card, other))
    assert not was_trained_on(card, seen(card, other))


def test_images_that_were_kept_from_a_network_that_saw_all_others_are_known(tmp_path):
    root = coloured(tmp_path / "all", {f"{part}/{name}": 5 for part in ("train", "val", "test")
                                       for name in COLOURS})  # fmt: skip
    dataset = load(str(root), image_size=16)
    card = replace(card_for(root), about=seen_in(dataset, test_seen=False))
    here = seen(card, root)
    require_unseen(card, here)
    assert was_trained_on(card, here)
    next((root / "test" / "red").iterdir()).unlink()
    assert not was_trained_on(card, seen(card, root))


def test_another_size_that_is_asked_for_is_that_of_the_test(folder):
    card = card_for(folder)
    assert [seen(card, folder, **said).test_size for said in (
        {}, {"image_size": 16}, {"image_size": 24}, {"image_size": 24, "test_image_size": 20}
    )] == [16, 16, 24, 20]  # fmt: skip


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"data": "x"}, r"about\.data"),
        ({"weights_saw": ["x"]}, r"about\.weights_saw"),
        ({"permuted_pixels": 2**70}, "it is a seed"),
        ({"permuted_pixels": "abc"}, "it is a seed"),
    ],
)
def test_cards_of_another_form_are_refused(folder, about, words):
    with pytest.raises(InputError, match=words):
        replace(card_for(folder), about=about)


def test_renamed_files_of_which_some_were_trained_on_are_refused(folder):
    """The seed draws by places among the names: other images would be tested."""
    card = card_for(folder)
    for at, file in enumerate(sorted((folder / "blue").iterdir())):
        file.rename(file.with_name(f"{(7 * at + 3) % 10}{at}.png"))
    with pytest.raises(InputError, match="was trained on test images of 'colours', as they are"):
        require_unseen(card, seen(card, folder))


@pytest.mark.parametrize(
    ("trained", "here", "is_seen"),
    [
        ({}, {}, False),
        ({}, {"split_seed": 5}, True),
        ({}, {"hold_out": True}, True),
        ({"hold_out": True}, {}, False),
        ({"hold_out": True}, {"hold_out": True}, False),
        ("whole", {}, True),
    ],
)
def test_weights_that_have_seen_test_images_are_refused_and_remembered(
    folder, tmp_path, trained, here, is_seen
):
    if trained == "whole":
        dataset = load(str(folder), image_size=16)
        card = replace(card_for(folder), about=seen_in(dataset, test_seen=True))
    else:
        card = card_for(folder, **trained)
    file = tmp_path / "first.safetensors"
    save_network(nx.build(DESIGN, classes=3), card, file)
    dataset = load(str(folder), image_size=16, **here)
    recipe = small_recipe(epochs=1, batch_size=4)
    ready = prepare(DESIGN, recipe, dataset, weights=str(file))
    found = train_in_folder(ready.run, dataset, tmp_path / "net", weights=ready.weights)
    _, later = load_network(found.network)
    if not is_seen:
        require_fair([str(file)], dataset)
        require_unseen(later, dataset)
        return
    with pytest.raises(InputError, match=r"first\.safetensors were trained on test images of 'col"):
        require_fair([str(file)], dataset)
    with pytest.raises(InputError, match="started from weights that were trained on test images"):
        require_unseen(later, dataset)


def test_renamed_images_are_the_same(folder):
    card = card_for(folder)
    moved = folder.rename(folder.with_name("moved"))
    dataset = seen(card, moved)
    assert len(dataset.test) == 4 and was_trained_on(card, dataset)


def test_a_run_on_a_renamed_folder_is_the_run_that_is_there(folder, tmp_path):
    def train(root: Path, on_step=None):
        dataset = load(str(root), image_size=16)
        run = prepare(DESIGN, small_recipe(epochs=2, batch_size=8), dataset).run
        return train_in_folder(run, dataset, tmp_path / "net", on_step=on_step)

    def stop(step: int, steps: int) -> None:
        if step > steps // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(folder, stop)
    moved = folder.rename(folder.with_name("moved"))
    steps: list[int] = []
    train(moved, lambda step, _: steps.append(step))
    assert min(steps) == 3, "it did not go on from the checkpoint"
    shutil.copytree(moved, folder)
    assert train(folder).was_there
    Image.new("RGB", (16, 16)).save(folder / "red" / "0.png")
    with pytest.raises(InputError, match="holds another run"):
        train(folder)


def test_classes_in_another_order_are_found_by_their_names(folder, tmp_path):
    """A network whose first output is red: its answers count for the class of that name."""
    card = replace(card_for(folder), classes=("red", "green", "blue"))
    network = _by_colour(card)
    save_network(network, card, tmp_path / "network.safetensors")
    network, card = load_network(tmp_path)
    other = coloured(tmp_path / "new", {"blue": 4, "green": 2, "red": 3}, seed=1)
    dataset = seen(card, other)
    assert dataset.classes == card.classes and dataset.origin.reordered
    assert dataset.counts()[1] == [3, 2, 4]
    labels = answered(network, card, dataset).scores.correct.shape
    assert labels == (9,)
    assert dataset.test.labels.tolist() == [2, 2, 2, 2, 1, 1, 0, 0, 0]


def _by_colour(card: Card):
    return nx.build(card.design, classes=3, image_size=16, seed=0)


def test_other_classes_are_refused(folder, tmp_path):
    card = replace(card_for(folder), classes=("red", "green", "black"))
    with pytest.raises(InputError, match=r"classes \(red, green, black\) are not those of data"):
        seen(card, folder)


@pytest.mark.parametrize("shape", [(1, 40_000), (40_000, 1), (3, 90_000)])
def test_strips_are_seen_without_being_enlarged_whole(shape):
    """Which would take 8 GB: only the middle is made. Here of a ramp, whose middle is grey."""
    ramp = np.linspace(0, 255, max(shape)).reshape((1, -1) if shape[0] < shape[1] else (-1, 1))
    grey = np.broadcast_to(ramp, shape).astype(np.uint8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seen = View(224, 0.875, "bicubic")(Image.fromarray(grey).convert("RGB"))
    assert seen.shape == (3, 224, 224) and (seen.int() - 127).abs().max() <= 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_the_middle_of_a_strip_is_that_of_the_whole(monkeypatch, interpolation):
    pixels = np.random.default_rng(0).integers(256, size=(30, 400, 3), dtype=np.uint8)
    seen = View(24, 0.875, interpolation)
    whole = seen(Image.fromarray(pixels))
    monkeypatch.setattr(view, "_MOST", 0)
    assert (seen(Image.fromarray(pixels)).int() - whole.int()).abs().max() <= 1
