"""What a recipe may ask for beyond the papers': parts of batches, frozen stages, an early end, the
mean of the last epochs."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from torch import nn

import nextify as nx
from nextify.data import set_aside
from nextify.designs import Run, design, recipe
from nextify.designs.run import key_of, what_ran
from nextify.errors import InputError
from nextify.network import load_network
from nextify.records import EpochPoint
from nextify.training import (
    Settings,
    initial_weights,
    loop,
    stackable,
    train,
    train_stack,
    train_with_network,
)
from nextify.training.ema import EpochAverage, measure_norms
from nextify.training.folder import card_of, train_in_folder
from nextify.training.loop import is_out_of_patience, step_of, training_batches
from nextify.training.memory import needed
from nextify.training.seen import was_trained_on
from nextify.training.state import start
from training.conftest import SMALL, small_recipe

DESIGN = design("convnext-mini", **SMALL)
NORMED = design("resnet-small", depths=(1, 1), widths=(8, 16), stem_stride=2)
PLAIN = {"mixup": 0.0, "cutmix": 0.0, "stochastic_depth": 0.0}


class Stop(Exception):
    pass


def run_of(of, corners, initial=None, **changes) -> Run:
    about = None if initial is None else initial.about
    return Run(design=of, recipe=small_recipe(**changes), data=corners.identity(), initial=about)


def test_what_is_off_is_in_no_key():
    off = {"balance": "none", "accumulate": 1, "patience": 0, "average_epochs": 0}
    given = {"recipe": asdict(recipe("modern"))}
    without = {"recipe": {n: v for n, v in given["recipe"].items() if n not in off}}
    assert what_ran(given) == what_ran(without)


@pytest.mark.parametrize(
    "changes, told",
    [
        ({"accumulate": 3}, "'accumulate' is 3, which does not divide batch_size=32"),
        ({"accumulate": 0}, "'accumulate' is 0; it must be greater than 0"),
        ({"balance": "loss", "label_smoothing": 1.0}, "leaves nothing of a label to weight"),
        ({"patience": -1}, "'patience' is -1; it must not be negative"),
        ({"average_epochs": 2}, "set ema_decay=0, or leave average_epochs out"),
        ({"average_epochs": 4, "ema_decay": 0.0}, "'average_epochs' is 4 of 3 epochs"),
        ({"average_epochs": 2, "ema_decay": 0.0, "patience": 1}, "give one of both"),
        ({"balance": "both"}, "one of none, loss, sampling"),
        ({"trainable": "last-5"}, "one of all, head, last-1"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_one_line(changes, told):
    with pytest.raises(InputError) as error:
        small_recipe(**changes)
    assert told in str(error.value) and "\n" not in str(error.value)


# ---- gradient accumulation


@pytest.mark.parametrize("parts", [2, 8])
def test_parts_of_a_batch_are_the_whole(corners, parts):
    """The same images in the same order: losses and weights after some steps, to rounding."""
    found = []
    for accumulate in (1, parts):
        run = run_of(DESIGN, corners, accumulate=accumulate, gradient_clip=1.0, **PLAIN)
        state = start(run, corners, "cpu")
        step = step_of(state, run, corners, Settings())
        losses = []
        for images, targets in training_batches(state, run, corners, Settings()):
            losses.append(step(images, targets))
            state.step += 1
        found.append((torch.stack(losses), state.judged.state_dict()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    for name, entry in found[0][1].items():
        torch.testing.assert_close(entry, found[1][1][name], rtol=1e-3, atol=1e-4)


def test_batch_norm_sees_each_part(corners):
    run = run_of(NORMED, corners, accumulate=4, **PLAIN)
    state, seen = start(run, corners, "cpu"), []
    norm = next(m for m in state.network.modules() if isinstance(m, nn.BatchNorm2d))
    norm.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    train_step = step_of(state, run, corners, Settings())
    train_step(*next(iter(training_batches(state, run, corners, Settings()))))
    assert seen == [8] * 4 and int(norm.num_batches_tracked) == 4


def test_parts_of_captured_steps_and_of_stacks(corners):
    """The same step, whoever takes it."""
    runs = [run_of(DESIGN, corners, accumulate=2, epochs=1, **PLAIN)]
    plain = train_with_network(runs[0], corners, Settings())[0]
    captured = train_with_network(runs[0], corners, Settings(captured=True))[0]
    ((stacked, _),) = train_stack(runs, corners, Settings())
    for other in (captured, stacked):
        assert other.curve[0].train_loss == pytest.approx(plain.curve[0].train_loss, rel=1e-4)


def test_a_part_takes_the_memory_of_a_part(corners):
    whole, parts = (run_of(DESIGN, corners, accumulate=n) for n in (1, 4))
    assert needed(whole) == needed(parts) and parts.recipe.part_size == 8


# ---- frozen stages


@pytest.fixture(scope="module")
def weights():
    return initial_weights(nx.build(NORMED, 4, seed=7).state_dict(), NORMED, ("a", "b", "c", "d"))


@pytest.mark.parametrize("trainable, trained", [("head", 0), ("last-1", 1), ("last-2", 2)])
def test_the_last_stages_are_trained_with_the_head(corners, weights, trainable, trained):
    """What is frozen keeps weights and batch-norm statistics, to the bit."""
    run = run_of(NORMED, corners, weights, trainable=trainable, weight_init="pretrained", epochs=1)
    before = start(run, corners, "cpu", weights).network
    _, state = train_with_network(run, corners, Settings(), weights)
    stages = list(state.network.stages.children())
    parts = [("stem", state.network.stem, False)]
    parts += [(f"stages.{at}", of, at >= len(stages) - trained) for at, of in enumerate(stages)]
    for name, part, is_trained in parts:
        old = before.get_submodule(name).state_dict()
        same = {entry: torch.equal(value, old[entry]) for entry, value in part.state_dict().items()}
        assert not any(same.values()) if is_trained else all(same.values()), name
        assert part.training == is_trained
    assert needed(run)[0] < needed(replace(run, recipe=replace(run.recipe, trainable="all")))[0]


def test_more_stages_than_there_are_and_none_to_start_from(corners, weights):
    with pytest.raises(InputError, match="the design has 2 stages; give at most last-2"):
        run_of(NORMED, corners, weights, trainable="last-3")
    with pytest.raises(InputError, match="'trainable' is 'last-1', which needs trained weights"):
        run_of(NORMED, corners, trainable="last-1")


# ---- an early end


def curve(*accuracies: float) -> list[EpochPoint]:
    return [EpochPoint(epoch=at, learning_rate=0.1, train_loss=1.0, accuracy=accuracy)
            for at, accuracy in enumerate(accuracies, start=1)]  # fmt: skip


@pytest.mark.parametrize(
    "accuracies, over",
    [((), False), ((0.5,), False), ((0.5, 0.4), False), ((0.5, 0.5, 0.4), True),
     ((0.5, 0.4, 0.6), False), ((0.5, 0.6, 0.6, 0.55), True)],
)  # fmt: skip
def test_patience_is_epochs_that_were_not_better(accuracies, over):
    assert is_out_of_patience(curve(*accuracies), small_recipe(patience=2)) is over
    assert not is_out_of_patience(curve(*accuracies), small_recipe())


def test_a_run_ends_early_on_what_is_held_out(corners, tmp_path):
    """On images that are no test images; it says so, and a run that was stopped ends there, too."""
    apart = set_aside(corners)
    assert len(apart.train) + len(apart.validation) == 256 and apart.test is corners.test
    assert set_aside(corners, seed=1).identity() != apart.identity() != corners.identity()
    run = run_of(DESIGN, apart, epochs=40, patience=2, learning_rate=0.0003)
    record = train(run, apart)
    ended = len(record.curve)
    best = max(record.curve, key=lambda point: point.accuracy).epoch
    assert ended == best + 2 < 40 and record.outcome == "finished"
    assert record.result.steps == ended * (len(apart.train) // 32)
    assert record.message == (f"ended early, after epoch {ended} of 40: none was better on the "
                              f"validation images than epoch {best}")  # fmt: skip
    assert {point.images for point in record.curve} == {len(apart.validation)}

    def stop(point: EpochPoint, epochs: int) -> None:
        if point.epoch == ended:
            raise Stop

    settings = Settings(checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(Stop):
        train_with_network(run, apart, replace(settings, on_epoch=stop))
    resumed = train_with_network(run, apart, settings)[0]
    assert (resumed.result, resumed.message) == (record.result, record.message)


def test_a_network_knows_the_images_of_which_some_were_held_out(corners):
    apart = set_aside(corners)
    run = run_of(DESIGN, apart, patience=2)
    card = card_of(run, apart, {"data": run.data})
    assert was_trained_on(card, corners)
    assert not was_trained_on(card, replace(corners, fingerprint="1" * 64))


def test_the_best_network_knows_its_images_as_the_last_does(corners, tmp_path):
    drawn = replace(corners.origin, split_seed=3, content="5" * 64)
    apart = set_aside(replace(corners, origin=drawn))
    train_in_folder(run_of(DESIGN, apart, epochs=1, patience=1), apart, tmp_path)
    best, last = (
        load_network(tmp_path / name)[1].about
        for name in ("best.safetensors", "network.safetensors")
    )
    assert best["images"].items() >= {"content": "5" * 64, "split_seed": 3}.items()
    same = ("run", "data", "images")
    assert [best[name] for name in same] == [last[name] for name in same]


def test_other_validation_images_make_another_run(corners, tmp_path):
    """As many others judge otherwise. Records from before contents were told are still known."""
    told = replace(corners, validation=corners.test, validation_fingerprint="1" * 64)
    runs = [
        run_of(DESIGN, replace(told, validation_fingerprint=of * 64), epochs=1, patience=1)
        for of in "12"
    ]
    assert runs[0].key != runs[1].key
    train_in_folder(runs[0], told, tmp_path)
    assert train_in_folder(runs[0], told, tmp_path).was_there
    with pytest.raises(InputError, match="holds another run"):
        train_in_folder(runs[1], told, tmp_path)
    record = json.loads((tmp_path / "record.json").read_text())
    del record["run"]["data"]["validation_fingerprint"]
    record["key"] = key_of(record["run"])
    (tmp_path / "record.json").write_text(json.dumps(record))
    assert train_in_folder(runs[1], told, tmp_path).was_there


def test_test_images_are_never_watched(corners):
    with pytest.raises(InputError, match="'patience' is 2, which watches validation images"):
        run_of(DESIGN, corners, patience=2)


# ---- the mean of the last epochs


def test_it_is_the_mean_of_the_weights_after_each(corners, monkeypatch):
    run = run_of(DESIGN, corners, epochs=4, average_epochs=3, ema_decay=0.0)
    states, kept = [], []

    def started(*arguments):
        states.append(start(*arguments))
        return states[-1]

    def keep(point: EpochPoint, epochs: int) -> None:
        weights = states[0].network.state_dict()
        kept.append({name: entry.clone() for name, entry in weights.items()})

    monkeypatch.setattr(loop, "start", started)
    record, state = train_with_network(run, corners, Settings(on_epoch=keep))
    for name, entry in state.judged.state_dict().items():
        mean = torch.stack([each[name] for each in kept[1:]]).mean(0)
        torch.testing.assert_close(entry, mean)
    plain = train(run_of(DESIGN, corners, epochs=4, ema_decay=0.0), corners)
    assert [at.train_loss for at in record.curve] == [at.train_loss for at in plain.curve]
    assert record.curve[1].accuracy == plain.curve[1].accuracy, "the first of them is itself"
    assert record.result.nll != plain.result.nll


def test_statistics_of_the_mean_weights_are_measured(corners, tmp_path):
    """As by hand, with every image once; and resumed to the bit."""
    how = {"epochs": 3, "average_epochs": 2, "ema_decay": 0.0, **PLAIN}
    run = run_of(NORMED, corners, **how)
    record, state = train_with_network(run, corners, Settings())
    own, last = (dict(of.named_buffers()) for of in (state.judged, state.network))
    means = [name for name in own if name.endswith("running_mean")]
    assert means and not any(torch.equal(own[name], last[name]) for name in means)

    def stop(point: EpochPoint, epochs: int) -> None:
        if point.epoch == 2:
            raise Stop

    settings = Settings(checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(Stop):
        train_with_network(run, corners, replace(settings, on_epoch=stop))
    resumed, again = train_with_network(run, corners, settings)
    assert resumed.result == record.result
    for name, entry in state.judged.state_dict().items():
        assert torch.equal(entry, again.judged.state_dict()[name]), name


def test_measured_statistics_are_the_mean_over_batches():
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Dropout(0.5), nn.BatchNorm2d(2)).train()
    average = EpochAverage(network, first=1).network
    network[2].eval()  # frozen
    frozen = average[2].running_mean.clone()
    batches = [torch.randn(8, 2, 3, 3, generator=torch.Generator().manual_seed(n)) for n in (0, 1)]
    measure_norms(average, network, batches)
    wanted = torch.stack([batch.mean((0, 2, 3)) for batch in batches]).mean(0)
    torch.testing.assert_close(average[0].running_mean, wanted)
    assert torch.equal(average[2].running_mean, frozen)
    assert not any(module.training for module in average.modules())
    assert average[0].momentum == 0.1


def test_a_gpu_is_not_waited_for_by_measured_statistics(monkeypatch):
    """torch's own mean over batches reads a counter of every norm, and is this one bit by bit."""
    network = nn.Sequential(nn.BatchNorm2d(2)).train()
    average, usual = (EpochAverage(network, first=1).network for _ in range(2))
    batches = [torch.randn(8, 2, 3, 3, generator=torch.Generator().manual_seed(n)) for n in (0, 1)]
    usual[0].momentum = None
    for images in batches:
        usual.train()(images)

    def read(value):
        raise AssertionError("a value of a tensor was asked for")

    monkeypatch.setattr(torch.Tensor, "__float__", read)
    measure_norms(average, network, batches)
    assert torch.equal(average[0].running_mean, usual[0].running_mean)
    assert torch.equal(average[0].running_var, usual[0].running_var)


@pytest.mark.parametrize("changes", [{"average_epochs": 2, "ema_decay": 0.0}, {"patience": 2}])
def test_such_runs_are_in_no_stack(corners, changes):
    run = run_of(DESIGN, set_aside(corners), **changes)
    assert stackable(run) and not run.recipe.stacks
    with pytest.raises(InputError, match="the run cannot be one of a stack: it may end early"):
        train_stack([run], corners)
