"""Numbers of every epoch as CSV and as TensorBoard's events: read back, also after a stop."""

import csv
import sys
import warnings
from dataclasses import replace

import pytest

from nextify.errors import InputError
from nextify.records import EpochPoint
from nextify.training import train_in_folder
from nextify.training.logs import CSV, EVENTS, log_in
from training.conftest import small_run

FIELDS = ["training_loss", "test_accuracy", "learning_rate", "images_per_second"]


def csv_of(folder) -> dict[str, list[tuple[int, str]]]:
    with (folder / CSV).open(newline="") as file:
        lines = list(csv.DictReader(file))
    return {name: [(int(line["epoch"]), line[name]) for line in lines] for name in lines[0]}


def events_of(folder) -> dict[str, list[tuple[int, float]]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        found = EventAccumulator(str(folder / EVENTS)).Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


READ = {"csv": csv_of, "tensorboard": events_of}


@pytest.mark.parametrize("form", ["csv", "tensorboard"])
def test_every_epoch_is_there_once_also_after_a_stop(corners, tmp_path, form):
    """Killed after an epoch was written, and before its checkpoint was."""
    run = small_run(corners, epochs=4)

    def stop(point: EpochPoint, epochs: int) -> None:
        if point.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_in_folder(run, corners, tmp_path, log=form, on_epoch=stop)
    watched = log_in(tmp_path, form, "test")
    ahead = EpochPoint(epoch=3, learning_rate=9.0, train_loss=9.0, accuracy=0.9)
    watched.begin([None] * 2 if form == "tensorboard" else curve_there(tmp_path))
    watched.add(ahead, 9.0)
    watched.close()
    trained = train_in_folder(run, corners, tmp_path, log=form)
    found = READ[form](tmp_path)
    assert set(FIELDS) <= set(found)
    for name, of in (("training_loss", "train_loss"), ("test_accuracy", "accuracy"),
                     ("learning_rate", "learning_rate")):  # fmt: skip
        told = [(at.epoch, getattr(at, of)) for at in trained.record.curve]
        assert [epoch for epoch, _ in found[name]] == [1, 2, 3, 4]
        for (_, there), (_, here) in zip(found[name], told, strict=True):
            assert float(there) == pytest.approx(here, rel=1e-6)
    speeds = [float(speed) for _, speed in found["images_per_second"]]
    assert min(speeds) > 0 and 9.0 not in speeds


def curve_there(folder) -> list[EpochPoint]:
    return [EpochPoint(epoch=at, learning_rate=0.0, train_loss=0.0) for at in (1, 2)]


@pytest.mark.parametrize("form", ["csv", "tensorboard"])
def test_epochs_from_before_there_was_a_log_have_no_speed(tmp_path, form):
    points = [EpochPoint(epoch=at, learning_rate=0.1, train_loss=1.0, accuracy=0.5)
              for at in (1, 2, 3)]  # fmt: skip
    log = log_in(tmp_path, form, "validation")
    log.begin(points[:2])
    log.add(points[2], 100.0)
    log.close()
    found = READ[form](tmp_path)
    assert [epoch for epoch, _ in found["validation_accuracy"]] == [1, 2, 3]
    assert [(at, float(v)) for at, v in found["images_per_second"] if v] == [(3, 100.0)]


@pytest.mark.parametrize("form", ["csv", "tensorboard"])
def test_another_run_begins_anew(tmp_path, form):
    for loss in (1.0, 2.0):
        log = log_in(tmp_path, form, "test")
        log.begin([])
        log.add(EpochPoint(epoch=1, learning_rate=0.1, train_loss=loss, accuracy=0.5), 1.0)
        log.close()
    assert [(at, float(v)) for at, v in READ[form](tmp_path)["training_loss"]] == [(1, 2.0)]


def test_a_log_changes_no_bits(corners, tmp_path):
    run = small_run(corners, epochs=1)
    plain, logged = (train_in_folder(run, corners, tmp_path / name, log=form).record
                     for name, form in (("a", None), ("b", "csv")))  # fmt: skip
    assert plain.result == logged.result and replace(plain, result=None).run == logged.run


def test_without_tensorboard_there_is_a_line(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'nextify\[tensorboard\]'"):
        log_in(tmp_path, "tensorboard", "test")
