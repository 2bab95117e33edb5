"""What a study shows is a function of its snapshot, and breaking it breaks nothing."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from nextify.machine import lines
from nextify.studies import Snapshot, progress_on
from nextify.studies.running.failure import describe, describe_death
from nextify.studies.running.progress import Ending, Seat, line, redrawn, table
from nextify.studies.running.remaining import Pace, seconds_left
from nextify.words import hours_and_minutes

SNAPSHOT = Snapshot(
    total=30,
    done=4,
    waiting=1,
    seats=(Seat(0, "BN to LN, seed 1", 3, 10, 75.0), Seat(1, loading=True), Seat(2)),
    endings=(
        Ending("stage ratio, seed 0", "finished", "", 12.0, 0.8431),
        Ending("patchify stem, seed 0", "failed", "OSError: [Errno 5] [red]", 1.0),
        Ending("GELU, seed 0", "diverged", "the loss was not finite", 3.0),
    ),
    elapsed=130.0,
    left=3720.0,
    waiting_for="Layer, seed 1 (process 7)",
)


def drawn(snapshot: Snapshot) -> str:
    stream = io.StringIO()
    Console(file=stream, width=100).print(table(snapshot))
    return stream.getvalue()


def test_the_table_says_what_there_is_to_say():
    text = drawn(SNAPSHOT)
    assert "BN to LN, seed 1" in text
    assert "3/10" in text
    assert "loads the data" in text
    waits = "1 in another process: Layer"
    assert f"4 of 30 runs, 2 min 10 s so far, about 1 h 02 min left, {waits}" in text
    assert "failed    patchify stem, seed 0: OSError: [Errno 5] [red]  (1 s)" in text
    assert text.index("30 runs") < text.index("patchify") < text.index("diverged")
    assert "stage ratio" not in text


def test_many_failures_do_not_fill_the_terminal():
    failures = tuple(Ending(f"a, seed {n}", "failed", "no", 1.0) for n in range(30))
    text = drawn(Snapshot(30, 30, 0, (), failures, 1.0, None))
    assert "... and 22 before these" in text
    assert len(text.splitlines()) < 15


def test_a_line_for_each_ending():
    assert line(SNAPSHOT.endings[0]) == "finished  stage ratio, seed 0: 84.31 %  (12 s)"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1 min 00 s"), (3599, "59 min 59 s"), (7380, "2 h 03 min")],
)
def test_durations(seconds, text):
    assert hours_and_minutes(seconds) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def told(stream: io.StringIO) -> list[str]:
    """Lines without the time of day that they begin with."""
    lines = stream.getvalue().splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d ", text) for text in lines)
    return [text[9:] for text in lines]


def test_a_pipe_gets_a_line_at_the_start_and_for_each_ending():
    stream = io.StringIO()
    with progress_on(stream) as show:
        for count in (0, 1, 1, 3):
            show(replace(SNAPSHOT, done=1 + count, endings=SNAPSHOT.endings[:count]))
    start, *endings = told(stream)
    assert start.startswith("1 of 30 runs, 2 min 10 s so far, about 1 h 02 min left")
    assert endings == [
        "[2/30] finished  stage ratio, seed 0: 84.31 %  (12 s), about 1 h 02 min left",
        "[3/30] failed    patchify stem, seed 0: OSError: [Errno 5] [red]  (1 s), "
        "about 1 h 02 min left",
        "[4/30] diverged  GELU, seed 0: the loss was not finite  (3 s), about 1 h 02 min left",
    ]


def test_a_pipe_hears_of_runs_that_take_long(monkeypatch):
    monkeypatch.setattr(lines, "EVERY", 0.0)
    stream = io.StringIO()
    with progress_on(stream) as show:
        show(replace(SNAPSHOT, endings=()))
    assert told(stream)[-1].endswith(
        "1 in another process: Layer, seed 1 (process 7); BN to LN, seed 1: epoch 3 of 10"
    )


def test_a_pipe_hears_nothing_of_a_study_that_is_whole():
    stream = io.StringIO()
    with progress_on(stream) as show:
        show(replace(SNAPSHOT, done=30, endings=(), seats=()))
    assert stream.getvalue() == ""


def test_a_pipe_that_closes():
    stream = io.StringIO()
    with progress_on(stream) as show:
        stream.close()
        show(SNAPSHOT)


def test_lines_tell_the_pace_of_what_this_start_did(monkeypatch):
    stream, now = io.StringIO(), 0.0
    monkeypatch.setattr(lines.time, "monotonic", lambda: now)
    telling = lines.Lines(stream)
    telling.tell("half was there", 0.5)
    now = 10.0
    telling.tell("in between", 0.55)
    now = 20.0
    telling.tell("an epoch", 0.6, ended=True)
    now = 81.0
    telling.tell("a minute later", 0.75)
    telling.tell("the end", 1.0, ended=True)
    assert told(stream) == [
        "an epoch; 20 s so far, about 1 min 20 s left",
        "a minute later; 1 min 21 s so far, about 1 min 21 s left",
        "the end; 1 min 21 s so far",
    ]


def test_a_terminal_gets_a_live_table():
    stream = Terminal()
    with progress_on(stream) as show:
        show(SNAPSHOT)
    assert "BN to LN" in stream.getvalue()


def test_a_terminal_that_goes_away():
    stream = Terminal()
    with redrawn(Console(file=stream, force_terminal=True)) as show:
        show(SNAPSHOT)
        stream.close()
        show(SNAPSHOT)


def test_time_left_by_step_and_else_by_work():
    pace = Pace()
    assert pace.expect("a", 10) is None
    pace.add("a", work=10, seconds=2.0)
    pace.add("a", work=10, seconds=4.0)
    pace.add("b", work=40, seconds=6.0)
    assert pace.expect("a", 10) == 3.0
    assert pace.expect("c", 5) == 1.0
    assert seconds_left([3.0, 3.0, 1.0], 2) == 3.5
    assert seconds_left([9.0, 1.0], 2) == 9.0
    assert seconds_left([None, 1.0], 2) is None
    assert seconds_left([], 2) == 0.0


def test_errors_in_one_line():
    assert describe(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")) == (
        "out of memory: [enforce fail] DefaultCPUAllocator: can't allocate memory"
    )
    assert describe(ValueError("a\n  b")) == "ValueError: a b"
    assert describe(ValueError()) == "ValueError"
    assert describe_death(-99) == "its process was killed by signal 99"
