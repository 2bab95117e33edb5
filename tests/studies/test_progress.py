"""What a study shows is a function of its snapshot, and breaking it breaks nothing."""

import io

import pytest
from rich.console import Console

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
    assert "4 of 30 runs, 2 min 10 s so far, ≈ 1 h 02 min left, 1 in another process: Layer" in text
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
