"""What a section of gpu.py is given, and what it gives: rows of the table."""

import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SMOKE = 240.0  # seconds of a section in a rehearsal, which ends by itself before


class NotThere(Exception):
    """What a section measures is no part of this version, or of this machine."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a section may use.

    Attributes:
        device: "cuda", or "cpu" for a rehearsal. smoke: at toy sizes.
        folder: of CIFAR-10 (JPEG), train/ and test/; None: the embedded images, in a rehearsal.
        output: where files may be kept. scratch: where others go, which are removed.
        until: by `time.monotonic`, when the section shall have ended.
    """

    device: str
    smoke: bool
    folder: Path | None
    output: Path
    scratch: Path
    until: float = math.inf

    @property
    def left(self) -> float:
        """Seconds."""
        return self.until - time.monotonic()

    @property
    def images(self) -> dict[str, Any]:
        """For `nextify.data.load`: the small path's 10,000 images."""
        if self.smoke:
            return {"source": "embedded", "train_limit": 512}
        return {"source": str(self.folder), "image_size": 32, "train_limit": 10_000}

    @property
    def seen(self) -> list[str]:
        """The same, for a command line."""
        if self.smoke:
            return ["--train-limit", "512"]
        return ["--data", str(self.folder), "--image-size", "32", "--train-limit", "10000"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A quantity that was measured several times.

    Attributes:
        at_least, at_most: the goal, if there is one. about: what the numbers are of, for people.
    """

    what: str
    unit: str
    values: tuple[float, ...]
    at_least: float | None = None
    at_most: float | None = None
    about: str = ""

    @property
    def median(self) -> float:
        """Of the values."""
        return statistics.median(self.values)

    @property
    def reached(self) -> bool | None:
        """Whether the median reaches the goal; None without one."""
        if self.at_least is not None:
            return self.median >= self.at_least
        return None if self.at_most is None else self.median <= self.at_most

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "median": self.median, "reached": self.reached}


def row(what: str, unit: str, values: Any, **more: Any) -> Row:
    """A row of one value, or of several."""
    every = values if isinstance(values, list | tuple) else [values]
    return Row(what=what, unit=unit, values=tuple(map(float, every)), **more)


def ratios(above: list[float] | tuple[float, ...], below: list[float] | tuple[float, ...]) -> Any:
    """Of two that were measured by turns, round by round."""
    return [a / b for a, b in zip(above, below, strict=True)]


@contextmanager
def timed() -> Iterator[list[float]]:
    """A list that has the seconds that the block took, when it has ended."""
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)


def table(sections: dict[str, dict[str, Any]]) -> str:
    """One table of all sections."""
    head = ("section", "what", "median", "min", "max", "n", "unit", "goal", "")
    lines = [head]
    for name, found in sections.items():
        for each in found["rows"]:
            values = each["values"]
            numbers = map(_short, (each["median"], min(values), max(values)))
            lines.append((name, each["what"], *numbers, str(len(values)), each["unit"],
                          *_goal(each)))  # fmt: skip
        lines.append((name, found["said"], "", "", "", "", "", "", ""))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    widths[1] = min(widths[1], 60)
    return "\n".join(
        "  ".join(f"{cell:{'>' if 2 <= at <= 5 else '<'}{width}}" for at, (cell, width) in
                  enumerate(zip(line, widths, strict=True))).rstrip()
        for line in lines
    )  # fmt: skip


def _goal(each: dict[str, Any]) -> tuple[str, str]:
    goal, sign = each["at_least"], ">="
    if goal is None:
        goal, sign = each["at_most"], "<="
    if goal is None:
        return "", ""
    return f"{sign} {_short(goal)}", "reached" if each["reached"] else "not reached"


def _short(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    digits = max(0, 3 - math.ceil(math.log10(abs(value)))) if value else 0
    return f"{value:,.{min(digits, 6)}f}"
