"""Training runs: deterministic, resumable, honest about divergence."""

from dataclasses import replace
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
import torch

from nextify.designs import Run, design
from nextify.errors import InputError
from nextify.records import EpochPoint
from nextify.training import Settings, evaluate, train, train_with_network
from nextify.training.loop import Look
from training.conftest import SMALL, small_recipe, small_run

PLAIN = {
    "mixup": 0.0,
    "cutmix": 0.0,
    "randaugment": 0.0,
    "random_erasing": 0.0,
    "flip": False,
    "crop": "none",
}


def test_it_learns(corners):
    record = train(small_run(corners, epochs=8, **PLAIN), corners)
    assert record.outcome == "finished"
    assert record.result.accuracy > 0.9
    assert len(record.result.curve) == 8
    assert record.result.steps == 8 * (256 // 32)
    assert record.measured.images_per_second > 0 and record.measured.peak_memory > 1e6


def test_the_record_agrees_with_itself(corners):
    record, state = train_with_network(small_run(corners), corners, Settings())
    bits = np.unpackbits(np.frombuffer(record.result.correct, np.uint8))[: record.result.images]
    assert bits.mean() == pytest.approx(record.result.accuracy)
    again = evaluate(state.judged, corners, corners.test)
    assert (again.accuracy, again.nll) == (record.result.accuracy, record.result.nll)
    assert again.packed == record.result.correct


@pytest.mark.parametrize("name", ["modern", "classic"])
def test_the_same_run_gives_the_same_bits_and_another_seed_others(corners, name):
    before = torch.get_rng_state()
    runs = [
        Run(
            design=design("convnext-mini", **SMALL),
            recipe=small_recipe(name),
            data=corners.identity(),
            seed=seed,
        )
        for seed in (0, 0, 1)
    ]
    first, again, other = (train_with_network(run, corners, Settings()) for run in runs)
    assert torch.equal(before, torch.get_rng_state())
    assert first[0].result == again[0].result != other[0].result
    for name, entry in first[1].network.state_dict().items():
        assert torch.equal(entry, again[1].network.state_dict()[name]), name


class Stop(Exception):
    pass


@pytest.mark.parametrize("after", [1, 2])
@pytest.mark.parametrize("name", ["modern", "classic"])
def test_resuming_gives_the_same_bits_as_never_stopping(corners, tmp_path, after, name):
    run = Run(
        design=design("convnext-mini", **SMALL),
        recipe=small_recipe(name),
        data=corners.identity(),
    )
    whole, state = train_with_network(run, corners, Settings())

    def stop(point: EpochPoint, epochs: int) -> None:
        if point.epoch == after:
            raise Stop

    settings = Settings(checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(Stop):
        train_with_network(run, corners, replace(settings, on_epoch=stop))
    resumed, resumed_state = train_with_network(run, corners, settings)
    assert resumed.result == whole.result
    assert resumed_state.best_accuracy == state.best_accuracy
    for name, entry in state.judged.state_dict().items():
        assert torch.equal(entry, resumed_state.judged.state_dict()[name]), name


def test_a_stop_in_the_middle_of_an_epoch_repeats_the_epoch(corners, tmp_path):
    run = small_run(corners)
    whole = train(run, corners)

    def stop(step: int, steps: int) -> None:
        if step == 13:  # of 8 an epoch
            raise Stop

    settings = Settings(checkpoint=tmp_path / "checkpoint.pt")
    with pytest.raises(Stop):
        train_with_network(run, corners, replace(settings, on_step=stop))
    assert train_with_network(run, corners, settings)[0].result == whole.result


@pytest.mark.parametrize("name", ["modern", "classic"])
def test_checkpoints_within_an_epoch_change_no_bit(corners, tmp_path, name):
    run = replace(small_run(corners), recipe=small_recipe(name, stochastic_depth=0.3))
    whole, state = train_with_network(run, corners, Settings())
    settings, formats = Settings(checkpoint=tmp_path / "checkpoint.pt", checkpoint_steps=3), []

    def stopped(at: int) -> None:
        def stop(step: int, steps: int) -> None:
            if step == at:
                raise Stop

        with pytest.raises(Stop):
            train_with_network(run, corners, replace(settings, on_step=stop))

    for at in (4, 14, 16):  # of 8 an epoch
        stopped(at)
        formats.append(torch.load(settings.checkpoint, weights_only=True)["format"])
    assert formats == [2, 2, 2]  # which versions from before these refuse
    resumed, resumed_state = train_with_network(run, corners, settings)
    assert resumed.result == whole.result
    for name, entry in state.judged.state_dict().items():
        assert torch.equal(entry, resumed_state.judged.state_dict()[name]), name
    assert torch.load(settings.checkpoint, weights_only=True)["format"] == 1


@pytest.mark.parametrize("write", [1, 30])
def test_an_interrupt_in_the_middle_of_a_checkpoint_is_one(corners, tmp_path, monkeypatch, write):
    """Python lets a signal in between two writes; torch then complains that a write is missing."""
    run, whole = small_run(corners), train(small_run(corners), corners)

    class Interrupted(FileIO):
        writes = 0

        def write(self, data) -> int:
            self.writes += 1
            if self.writes == write:
                raise KeyboardInterrupt
            return super().write(data)

    def stop(path: Path, *arguments, **options):
        there = path.with_name("checkpoint.pt").exists()
        second = path.name == ".checkpoint.pt.partial" and there
        return Interrupted(path, "w") if second else opened(path, *arguments, **options)

    opened, settings = Path.open, Settings(checkpoint=tmp_path / "checkpoint.pt")
    monkeypatch.setattr(Path, "open", stop)
    with pytest.raises(KeyboardInterrupt):
        train_with_network(run, corners, settings)
    monkeypatch.setattr(Path, "open", opened)
    assert torch.load(settings.checkpoint, weights_only=True)["counters"]["epoch"] == 1
    assert train_with_network(run, corners, settings)[0].result == whole.result


def test_a_loss_that_is_not_finite_is_a_record(corners):
    run = small_run(corners, name="classic", learning_rate=1e30)
    record = train(run, corners)
    assert record.outcome == "diverged" and record.result is None
    assert "not finite" in record.message
    assert record.key == run.key


def test_a_batch_larger_than_the_data(corners):
    with pytest.raises(InputError, match="'batch_size' is 512, but there are only 256"):
        train(small_run(corners, batch_size=512), corners)


def test_data_that_is_not_the_runs(corners):
    other = replace(corners, fingerprint="1" * 64)
    with pytest.raises(InputError, match="is not the one that the run names"):
        train(small_run(corners), other)


@pytest.mark.parametrize("damage", ["truncated", "other run", "text", "pickle"])
def test_checkpoints_that_cannot_be_used(corners, tmp_path, damage):
    file = tmp_path / "checkpoint.pt"
    if damage in ("truncated", "other run"):
        settings = Settings(checkpoint=file)
        train_with_network(small_run(corners, seed=0, epochs=1), corners, settings)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:1000])
    elif damage == "text":
        file.write_text("not a checkpoint")
    elif damage == "pickle":
        torch.save({"format": Stop}, file)
    with pytest.raises(InputError, match=r"checkpoint.*checkpoint\.pt") as caught:
        train_with_network(small_run(corners, seed=5, epochs=1), corners, Settings(checkpoint=file))
    assert "\n" not in str(caught.value)


def test_stochastic_depth_draws_from_the_run(corners):
    deep = {**SMALL, "depths": (2, 2)}
    runs = [
        Run(
            design=design("convnext-mini", **deep),
            recipe=small_recipe(stochastic_depth=rate, epochs=1, **PLAIN),
            data=corners.identity(),
        )
        for rate in (0.0, 0.5, 0.5)
    ]
    without, first, again = (train(run, corners).result for run in runs)
    assert first == again != without


def test_gradient_clipping_changes_the_run(corners):
    plain, clipped = (train(small_run(corners, gradient_clip=c), corners) for c in (0.0, 1e-3))
    assert plain.result != clipped.result


class OnSecondCard(torch.Tensor):
    """A tensor that says that it is there."""

    is_cuda = True
    device = torch.device("cuda", 1)

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        there = {name: value for name, value in (kwargs or {}).items() if name != "pin_memory"}
        return super().__torch_function__(function, types, args, there)


def test_a_look_waits_for_the_card_that_its_losses_are_on(monkeypatch):
    """And not for the current card, on which nothing of it is done."""
    marked, waited = [], []

    class Event:
        def record(self, stream="of the current card"):
            marked.append(stream)

        def synchronize(self):
            waited.append(True)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device=None: f"of {device}")
    look = Look([torch.tensor(loss).as_subclass(OnSecondCard) for loss in (1.0, 3.0)], step=2)
    assert marked == ["of cuda:1"] and not waited
    assert look.means() == [2.0] and waited
