"""What each epoch measured, kept in a run's folder: as CSV, or as TensorBoard's events.

An epoch is written before the checkpoint from which an interrupted run goes on after it. What is
there beyond the checkpoint is taken back when the run goes on: each epoch is there once.
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from nextify.errors import InputError
from nextify.files import write_whole
from nextify.records import EpochPoint

Form = Literal["csv", "tensorboard"]
CSV, EVENTS = "epochs.csv", "tensorboard"  # in the folder


class Log(Protocol):
    """Where epochs are written."""

    def begin(self, curve: Sequence[EpochPoint]) -> None:
        """Go on after these epochs; without any, anew."""

    def add(self, point: EpochPoint, images_per_second: float) -> None:
        """Write an epoch."""

    def close(self) -> None:
        """Nothing more comes."""


def log_in(folder: Path, form: Form, watched: str) -> Log:
    """The log of a run in its folder.

    Args:
        watched: which images the curve's accuracies are of: "test" or "validation".

    Raises:
        InputError: TensorBoard is not installed.
    """
    return CsvLog(folder, watched) if form == "csv" else EventLog(folder, watched)


def _values(watched: str, point: EpochPoint, images_per_second: float | None) -> dict[str, Any]:
    """An epoch's numbers by name: loss in nats, accuracy from 0 to 1; None where one is not known:
    the speed of an epoch that was trained without a log."""
    return {
        "training_loss": point.train_loss,
        f"{watched}_accuracy": point.accuracy,
        "learning_rate": point.learning_rate,
        "images_per_second": images_per_second,
    }


class CsvLog:
    """`epochs.csv`: a line an epoch."""

    def __init__(self, folder: Path, watched: str) -> None:
        self._file, self._watched = folder / CSV, watched
        self._lines: dict[int, Mapping[str, Any]] = {}

    def begin(self, curve: Sequence[EpochPoint]) -> None:
        """See `Log`."""
        there = self._read()
        self._lines = {at.epoch: there.get(at.epoch) or self._line(at, None) for at in curve}

    def add(self, point: EpochPoint, images_per_second: float) -> None:
        """See `Log`."""
        self._lines[point.epoch] = line = self._line(point, images_per_second)
        text = io.StringIO()
        table = csv.DictWriter(text, list(line), extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(self._lines.values())
        remedy = "free space there, or leave --log out"
        write_whole(self._file, text.getvalue(), what="log", remedy=remedy)

    def close(self) -> None:
        """See `Log`."""

    def _line(self, point: EpochPoint, images_per_second: float | None) -> dict[str, Any]:
        return {"epoch": point.epoch, **_values(self._watched, point, images_per_second)}

    def _read(self) -> dict[int, Mapping[str, Any]]:
        """The lines that are there; none of a file that is no such table."""
        try:
            with self._file.open(newline="", encoding="utf-8") as file:
                return {int(line["epoch"]): line for line in csv.DictReader(file)}
        except (OSError, ValueError, KeyError, TypeError, csv.Error):
            return {}


class EventLog:
    """`tensorboard/`: a scalar for each number, by epoch. Each start of the run adds a file, which
    says from which epoch on it holds; readers leave out what earlier ones have from there on."""

    def __init__(self, folder: Path, watched: str) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "--log tensorboard needs tensorboard, which is not installed; "
                "pip install 'nextify[tensorboard]', or take --log csv"
            ) from error
        self._make, self._folder, self._watched = SummaryWriter, folder / EVENTS, watched
        self._writer: Any = None  # from `begin` on

    def begin(self, curve: Sequence[EpochPoint]) -> None:
        """See `Log`."""
        is_new = not any(self._folder.glob("events.*"))
        self._writer = self._make(str(self._folder), purge_step=1 if is_new else len(curve) + 1)
        for point in curve if is_new else ():
            self._write(point, None)

    def add(self, point: EpochPoint, images_per_second: float) -> None:
        """See `Log`."""
        self._write(point, images_per_second)

    def close(self) -> None:
        """See `Log`."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, point: EpochPoint, images_per_second: float | None) -> None:
        for name, value in _values(self._watched, point, images_per_second).items():
            if value is not None:
                self._writer.add_scalar(name, value, point.epoch)
        self._writer.flush()
