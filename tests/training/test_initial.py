"""Runs that start from trained weights: who they are, what trains, the same bits again."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import nextify as nx
from nextify.designs import Run, design, recipe
from nextify.errors import InputError
from nextify.network import Card, save_network, save_weights
from nextify.records import EpochPoint
from nextify.training import (
    InitialWeights,
    Settings,
    evaluate,
    initial_weights,
    train,
    train_with_network,
)
from nextify.training.initial import design_of
from nextify.training.state import start
from recorded_runs import run_from_dict
from training.conftest import SMALL, small_recipe, small_run

DESIGN = design("convnext-mini", **SMALL)
CLASSES = ("a", "b", "c", "d")
PLAIN = {"mixup": 0.0, "cutmix": 0.0, "randaugment": 0.0, "random_erasing": 0.0}


@pytest.fixture(scope="module")
def trained() -> dict[str, torch.Tensor]:
    """Weights of four classes, with the statistics of no data set."""
    return nx.build(DESIGN, classes=4, seed=7).state_dict()


def run_from(weights: InitialWeights, corners, seed: int = 0, **changes) -> Run:
    values = {"weight_init": "pretrained", "head_init_scale": 0.001, **PLAIN, **changes}
    return Run(
        design=DESIGN,
        recipe=small_recipe(**values),
        data=corners.identity(),
        seed=seed,
        initial=weights.about,
    )


# ---- who they are


def test_the_fingerprint_is_of_the_tensors(trained, tmp_path):
    first = initial_weights(trained, DESIGN, CLASSES[:4])
    shuffled = dict(reversed([(name, entry.clone()) for name, entry in trained.items()]))
    assert initial_weights(shuffled, DESIGN, CLASSES[:4]).about == first.about
    save_weights(loaded_network(trained), tmp_path / "weights.pth", "torchvision")
    from_file = initial_weights(tmp_path / "weights.pth", DESIGN, CLASSES[:4])
    assert from_file.about.fingerprint == first.about.fingerprint
    shuffled["stem.conv.bias"][0] += 1e-3
    assert (
        initial_weights(shuffled, DESIGN, CLASSES[:4]).about.fingerprint != first.about.fingerprint
    )


def loaded_network(entries: dict[str, torch.Tensor]) -> nn.Module:
    network = nx.build(DESIGN, classes=4)
    network.load_state_dict(entries)
    return network


def test_a_head_that_will_be_new_is_not_in_the_fingerprint(trained):
    other = {name: entry + 1 if "classifier" in name else entry for name, entry in trained.items()}
    kept = [initial_weights(entries, DESIGN, CLASSES[:4]) for entries in (trained, other)]
    assert kept[0].about.fingerprint != kept[1].about.fingerprint
    new = [initial_weights(entries, DESIGN, CLASSES[:3]) for entries in (trained, other)]
    assert new[0].about.fingerprint == new[1].about.fingerprint
    assert all(weights.loaded.head_is_new for weights in new)


def test_a_head_is_kept_only_for_its_own_classes(trained, tmp_path):
    about = {"image_size": 16, "mean": (0.5,) * 3, "std": (0.2,) * 3, "about": {}}
    for names, is_new in ((CLASSES, False), (("a", "b", "d", "e"), True), (tuple("0123"), False)):
        card = Card(design=DESIGN, classes=names, **about)  # numbers: nobody knows the names
        save_network(loaded_network(trained), card, tmp_path / "network.safetensors")
        weights = initial_weights(tmp_path, DESIGN, CLASSES)
        assert weights.loaded.head_is_new == is_new, names
        assert ("head.classifier.bias" in weights.entries) != is_new
        assert initial_weights(tmp_path, DESIGN, CLASSES, new_head=True).loaded.head_is_new
    assert not initial_weights(trained, DESIGN, CLASSES).loaded.head_is_new


NUMBERS = tuple(map(str, range(12)))  # as folders sort: 0, 1, 10, 11, 2, ...


@pytest.mark.parametrize(
    ("theirs", "ours", "order"),
    [
        (("d", "c", "b", "a"), ("a", "b", "c", "d"), [3, 2, 1, 0]),
        (("cafe\u0301", "tea"), ("caf\u00e9", "tea"), [0, 1]),  # from a Mac
        (NUMBERS, tuple(sorted(NUMBERS)), [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]),
        (NUMBERS, tuple(f"{n:02}" for n in range(12)), list(range(12))),
        (NUMBERS, tuple(f"class {n}" for n in range(12)), list(range(12))),
        (("0", "1", "2"), ("1", "2", "3"), [0, 1, 2]),
        (NUMBERS, tuple(sorted(map(str, range(1, 13)))), None),  # 1, 10, 11, 12, 2: whose is 10?
        (None, tuple(sorted(NUMBERS)), [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9]),
        (None, ("a", "b", "c"), [0, 1, 2]),
    ],
)
def test_a_kept_heads_outputs_follow_the_names(tmp_path, theirs, ours, order):
    network = nx.build(DESIGN, classes=len(ours), seed=7)
    source = network.state_dict()
    if theirs is not None:
        about = {"image_size": 16, "mean": (0.5,) * 3, "std": (0.2,) * 3, "about": {}}
        source = tmp_path
        save_network(network, Card(design=DESIGN, classes=theirs, **about),
                     tmp_path / "network.safetensors")  # fmt: skip
    weights = initial_weights(source, DESIGN, ours)
    assert weights.loaded.head_is_new == (order is None)
    if order is not None:
        for part in ("weight", "bias"):
            name = f"head.classifier.{part}"
            assert torch.equal(weights.entries[name], network.state_dict()[name][order])
        assert ("by name" in "".join(weights.notes)) == (order != sorted(order))


def test_keys_depend_on_the_weights_and_not_on_their_place(trained, corners):
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    run = run_from(weights, corners)
    moved = replace(run, initial=replace(weights.about, source="elsewhere"))
    assert moved.key == run.key and moved.as_dict() != run.as_dict()
    for name, value in (("fingerprint", "0" * 64), ("mean", (0.1,) * 3), ("std", (0.1,) * 3)):
        assert replace(run, initial=replace(weights.about, **{name: value})).key != run.key, name
    assert run_from_dict(run.as_dict()) == run
    assert run.as_dict()["initial"]["source"] == "the state dictionary"


def test_keys_of_runs_from_before_stay(monkeypatch):
    """Made before recipes had `layer_decay` and `trainable`, and runs `initial`."""
    monkeypatch.setattr("nextify.designs.run.REVISION", 1)
    keys = {
        name: Run(design=design(d), recipe=recipe(name), data={"name": "x", "train": 5}, seed=3).key
        for name, d in (("classic", "resnet50"), ("modern-small", "convnext-mini"))
    }
    assert keys == {
        "classic": "18d6cfd620be4f9b619a4e058f1251473c9d5b71e5d4df5152c7c90abe9f026f",
        "modern-small": "b54280d94afd23979d27c317c16e7766e0e9bd1ea40ee7c7f76555f7a9eae941",
    }


@pytest.mark.parametrize("field", ["weight_init", "trainable"])
def test_recipes_that_need_weights_get_some(corners, field):
    value = {"weight_init": "pretrained", "trainable": "head"}[field]
    with pytest.raises(InputError, match=f"'{field}' is '{value}', which needs trained weights"):
        Run(design=DESIGN, recipe=small_recipe(**{field: value}), data=corners.identity())


def test_weights_that_are_not_the_runs(trained, corners):
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    run = run_from(weights, corners)
    with pytest.raises(InputError, match=r"but random weights are given"):
        train(run, corners)
    other = initial_weights(nx.build(DESIGN, 4, seed=8).state_dict(), DESIGN, CLASSES[:4])
    with pytest.raises(InputError, match=r"but the weights \w{8}\.\.\. are given"):
        train(run, corners, weights=other)
    scratch = replace(run, recipe=small_recipe(), initial=None)
    with pytest.raises(InputError, match="the run starts from random weights, but the weights"):
        train(scratch, corners, weights=weights)


def test_a_design_of_other_shapes_is_named(trained):
    with pytest.raises(InputError) as caught:
        initial_weights(trained, design("convnext-mini"), CLASSES[:4])
    assert "are of another design: depths=1,1 (not 1,3,1), widths=8,16" in str(caught.value)
    assert design_of(trained).depths == DESIGN.depths


def test_a_design_of_the_same_shapes_is_noted(tmp_path):
    about = {"image_size": 16, "mean": (0.5,) * 3, "std": (0.2,) * 3, "about": {}}
    other = design("resnet-small", depths=(1,), widths=(8,), activation="gelu")
    network = nx.build(other, 2)
    card = Card(design=other, classes=("a", "b"), **about)
    save_network(network, card, tmp_path / "network.safetensors")
    same = initial_weights(tmp_path, other, CLASSES[:2])
    assert same.notes == () and same.about.mean == (0.5,) * 3
    relu = initial_weights(tmp_path, replace(other, activation="relu"), CLASSES[:2])
    assert relu.notes == ("the weights were trained as activation=gelu (not relu)",)
    assert relu.about == same.about
    assert design_of(tmp_path) == other


# ---- what trains


def test_training_starts_from_the_weights_with_a_kept_head(trained, corners):
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    state = start(run_from(weights, corners), corners, "cpu", weights)
    for name, entry in state.network.state_dict().items():
        assert torch.equal(entry, trained[name]), name


def test_a_new_head_is_scaled_and_drawn_by_the_runs_seed(trained, corners):
    other = {k: v for k, v in trained.items() if not k.startswith("head.classifier")}
    weights = initial_weights(other, DESIGN, CLASSES[:4])
    heads = []
    for seed in (0, 0, 1):
        state = start(run_from(weights, corners, seed), corners, "cpu", weights)
        heads.append(state.network.head.classifier.weight.detach())
        for name, entry in other.items():
            assert torch.equal(state.network.state_dict()[name], entry), name
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
    # truncated normal with sd 0.02, times 0.001
    assert 0 < heads[0].abs().max() < 5 * 0.02 * 0.001
    assert heads[0].std().item() == pytest.approx(0.02 * 0.001, rel=0.5)


def test_images_are_normalised_as_the_weights_know_them(trained, corners):
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    assert weights.about.mean == (0.485, 0.456, 0.406)  # what weights without a word are taken for
    run = run_from(weights, corners, epochs=1)
    record, state = train_with_network(run, corners, Settings(), weights)
    seen = replace(corners, mean=weights.about.mean, std=weights.about.std)
    assert evaluate(state.judged, seen, corners.test).nll == record.result.nll
    assert evaluate(state.judged, corners, corners.test).nll != record.result.nll


FROZEN = {"resnet-small": "batch norm", "convnext-mini": "layer norm"}


@pytest.mark.parametrize("name", FROZEN)
def test_a_frozen_body_stays_bit_for_bit(corners, name):
    chosen = design(name, **SMALL)
    entries = nx.build(chosen, 4, seed=3).state_dict()
    weights = initial_weights(entries, chosen, CLASSES[:4])
    run = replace(run_from(weights, corners, trainable="head", epochs=2, ema_decay=0.9,
                           stochastic_depth=0.5), design=chosen)  # fmt: skip
    record, state = train_with_network(run, corners, Settings(), weights)
    assert record.outcome == "finished"
    for network in (state.network, state.judged):
        changed = {
            n for n, entry in network.state_dict().items() if not torch.equal(entry, entries[n])
        }
        assert changed and all(n.startswith("head.") for n in changed), changed
    assert not any(module.training for module in state.network.stages.modules())
    assert state.network.head.training


def test_no_gradient_is_computed_through_a_frozen_body(trained, corners):
    """What autograd keeps for the backward pass is as little as the head alone keeps."""
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    state = start(run_from(weights, corners, trainable="head"), corners, "cpu", weights)
    images = torch.randn(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()), lambda t: t):
        state.network(images)
        all_kept = sum(kept)
        kept.clear()
        body = state.network.stages(state.network.stem(images))
        assert kept == [] and not body.requires_grad
        state.network.head(body)
    assert all_kept == sum(kept) > 0
    heads = sum(p.numel() for p in state.network.head.parameters())
    trained_ones = [p for group in state.optimizer.param_groups for p in group["params"]]
    assert sum(p.numel() for p in trained_ones) == heads


def test_layer_decay_slows_the_first_layers(trained, corners):
    """The stem moves far less than without decay; the head about as far."""
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    moved = {}
    for decay in (1.0, 0.1):
        run = run_from(weights, corners, epochs=1, ema_decay=0.0, layer_decay=decay)
        _, state = train_with_network(run, corners, Settings(), weights)
        now = state.network.state_dict()
        moved[decay] = {
            part: (now[part] - trained[part]).norm().item()
            for part in ("stem.conv.weight", "head.classifier.weight")
        }
    assert moved[0.1]["stem.conv.weight"] < 0.05 * moved[1.0]["stem.conv.weight"]
    ratio = moved[0.1]["head.classifier.weight"] / moved[1.0]["head.classifier.weight"]
    assert 0.5 < ratio < 2


# ---- the same bits


class Stop(Exception):
    pass


@pytest.mark.parametrize("changes", [{"layer_decay": 0.7}, {"trainable": "head"}])
def test_the_same_run_gives_the_same_bits_also_after_a_stop(trained, corners, tmp_path, changes):
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    run = run_from(weights, corners, **changes)
    whole, state = train_with_network(run, corners, Settings(), weights)
    again = train(run, corners, weights=weights)
    assert again.result == whole.result
    assert train(replace(run, seed=1), corners, weights=weights).result != whole.result

    def stop(point: EpochPoint, epochs: int) -> None:
        if point.epoch == 2:
            raise Stop

    settings = Settings(checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(Stop):
        train_with_network(run, corners, replace(settings, on_epoch=stop), weights)
    resumed, resumed_state = train_with_network(run, corners, settings, weights)
    assert resumed.result == whole.result
    for name, entry in state.judged.state_dict().items():
        assert torch.equal(entry, resumed_state.judged.state_dict()[name]), name


def test_a_checkpoint_from_before_groups_had_scales_goes_on(corners, tmp_path):
    run = small_run(corners, epochs=2)
    whole = train(run, corners)
    settings = Settings(checkpoint=tmp_path / "checkpoint.pt")

    def stop(point: EpochPoint, epochs: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        train_with_network(run, corners, replace(settings, on_epoch=stop))
    values = torch.load(settings.checkpoint, weights_only=True)
    for group in values["optimizer"]["param_groups"]:
        del group["lr_scale"]
    torch.save(values, settings.checkpoint)
    assert train_with_network(run, corners, settings)[0].result == whole.result


def test_a_checkpoint_of_other_weights_is_refused(trained, corners, tmp_path):
    weights = initial_weights(trained, DESIGN, CLASSES[:4])
    settings = Settings(checkpoint=tmp_path / "checkpoint.pt")
    train_with_network(run_from(weights, corners, epochs=1), corners, settings, weights)
    other = initial_weights(nx.build(DESIGN, 4, seed=8).state_dict(), DESIGN, CLASSES[:4])
    with pytest.raises(InputError, match="belongs to another run"):
        train_with_network(run_from(other, corners, epochs=1), corners, settings, other)


@pytest.mark.parametrize("value", [0.0, -0.5, 1.5, float("nan"), "half"])
def test_layer_decay_out_of_range(value):
    with pytest.raises(InputError, match="'layer_decay'"):
        recipe("modern", layer_decay=value)
