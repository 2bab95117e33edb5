"""The tables of docs/scaling.md: what they say of made-up sweeps, and that they are the files'."""

import doctest
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nextify.errors import InputError
from nextify.scaling.laws.kept import SWEEPS
from nextify.scaling.laws.mixers import MIXERS
from nextify.scaling.laws.sweeps import Point, Resident, Sweep
from nextify.scaling.saving import Kept

from .document import script

NAMES, ONE, TRAINING, TWO = script.NAMES, script.ONE, script.TRAINING, script.TWO
blocks, put = script.blocks, script.put
DOCS = Path(__file__).parents[2] / "docs"
MADE_WITH = {"threads": 1, "rounds": 5, "step": "forward", "device": "some processor",
             "torch": "2.14.1", "width": 32, "tokens": 64}  # fmt: skip


def sweep(name: str, axis, power: float, memory: float = 1.0, count: int = 7) -> Sweep:
    points = []
    for at in range(count):
        size = 64 * 2**at
        seconds, grown = 1e-6 * size**power, int(1e4 * size**memory)
        points.append(
            Point(tokens=(1, size if axis == "N" else 64), width=32 if axis == "N" else size,
                  batch=1 if axis == "N" else 4, macs=size, counted=size, unseen=0, alive=8 * size,
                  alive_counted=8 * size, kept=8, resident=Resident(
                  bytes=grown, tensors=grown, buffers=0, operator="aten.mm.default"),
                  seconds=seconds, fastest=0.9 * seconds, slowest=1.2 * seconds, wall=seconds,
                  wall_fastest=0.9 * seconds, wall_slowest=1.2 * seconds, processor=seconds,
                  busy=0.9, bare=0.9)
        )  # fmt: skip
    return Sweep(name=name, mixer=MIXERS[name], axis=axis, step="forward", leading=1, share=0.95,
                 overhead=0.0, cache=0, threads=1, points=tuple(points))  # fmt: skip


def keep(folder: Path, file: str, *sweeps: Sweep, **changes) -> None:
    (folder / file).unlink(missing_ok=True)
    Kept(SWEEPS, folder / file, {**MADE_WITH, **changes}).add(*sweeps)


def test_exponents_stand_with_their_verdicts(tmp_path):
    keep(tmp_path, ONE, sweep("mlp", "N", 1.04), sweep("convolution", "N", 0.8),
         sweep("convolution", "D", 1.0, memory=1.8))  # fmt: skip
    found = blocks(tmp_path)
    assert list(found) == ["time", "differences", "steps", "memory", "beyond"]
    assert "| convolution | N | -0.20 | +0.00 | -0.20 | +0.00 |" in found["differences"]
    assert "mlp" not in found["differences"]
    assert "| convolution | D | 4,096 |" in found["beyond"]
    lines = found["time"].splitlines()
    assert lines[2] == "| mlp | 64 to 4,096 | 1 | 1.04 ± 0.00 | | | |"
    assert "| 0.80 ± 0.00, differs | 64 to 4,096 | 1 | 1.00 ± 0.00 |" in lines[3]
    assert "2 of 3 exponents of time agree; differs: convolution over N." in lines
    assert "some processor, torch 2.14.1" in lines[-1] and "n = 7 sizes, median of 5" in lines[-1]
    assert "over D N = 64 and 4 sequences" in lines[-1]
    assert "| convolution | 1.00 | 1.00 ± 0.00 | 1.00 | 1.80 ± 0.00, differs |" in found["memory"]
    assert "2 of 3 exponents of memory agree; differs: convolution over D." in found["memory"]


def test_lines_that_begin_too_early_are_named(tmp_path):
    short = replace(sweep("mlp", "N", 1.0), overhead=1.6e-5)  # the first call takes 64 us
    enough = replace(sweep("mlp", "D", 1.0), overhead=6.4e-6)
    keep(tmp_path, ONE, short, enough)
    assert (
        "1 of 2 lines begin where a call takes less than 10 times the overhead: mlp over N (4.0)."
        in blocks(tmp_path)["time"].splitlines()
    )
    keep(tmp_path, ONE, enough)
    assert "lines begin" not in blocks(tmp_path)["time"]


def test_conditions_are_those_of_the_points(tmp_path):
    """The file's setting says 64 tokens, which windows of 7 x 7 do not divide."""
    plane = sweep("window-2d", "D", 1.0)
    plane = replace(plane, points=tuple(replace(p, tokens=(7, 7)) for p in plane.points))
    keep(tmp_path, ONE, sweep("mlp", "D", 1.0), sweep("product", "D", 1.0), plane)
    said = blocks(tmp_path)["time"].splitlines()[-1]
    assert "over D N = 64 (window-2d 49) and 4 sequences" in said
    assert said.endswith("last cache: not known.")


def test_a_recurrences_steps(tmp_path):
    keep(tmp_path, ONE, sweep("recurrence", "N", 1.0, count=3))
    assert blocks(tmp_path)["steps"].splitlines() == [
        "| N | 64 | 128 | 256 |",
        "| --- | --- | --- | --- |",
        "| µs a step | 1.00 | 1.00 | 1.00 |",
        "| fastest, slowest round | 0.90 to 1.20 | 0.90 to 1.20 | 0.90 to 1.20 |",
    ]


def test_training_shows_the_even_rate_where_time_does_not_agree(tmp_path):
    keep(tmp_path, TRAINING, sweep("mlp", "N", 1.0), sweep("convolution", "N", 1.4))
    lines = blocks(tmp_path)["training"].splitlines()
    assert lines[2].startswith("| mlp | 64 to 4,096 | 1 | 1.00 ± 0.00 | |")
    assert "| 1.40 ± 0.00, differs | 1.00 ± 0.00 |" in lines[3]


def test_threads_are_compared_by_the_wall_clock_at_equal_sizes(tmp_path):
    one = sweep("mlp", "N", 1.0, count=4)
    half = tuple(replace(p, wall=p.wall / 2, wall_fastest=p.wall / 2, wall_slowest=p.wall / 2,
                         seconds=9.0) for p in one.points)  # fmt: skip
    keep(tmp_path, ONE, one, sweep("recurrence", "N", 1.0))
    assert "threads" not in blocks(tmp_path)
    keep(tmp_path, TWO, replace(one, points=half), threads=2)
    table = blocks(tmp_path)["threads"]
    assert "| mlp | N | 64: 2.0 (1.8 to 2.4) | 128: 2.0 (1.8 to 2.4) |" in table
    assert "wall clock; 2 threads" in table
    keep(tmp_path, TWO, replace(one, points=half[1:]), threads=2)
    with pytest.raises(InputError, match=r"other sizes .*--sizes-of mixers\.json"):
        blocks(tmp_path)


def test_a_document_without_marks_is_refused():
    with pytest.raises(InputError, match="no marks <!-- time -->"):
        put("words", {"time": "| |"})


def test_the_documents_tables_are_what_was_measured():
    """The document has a place for every table, and what stands there is the files'."""
    text = (DOCS / "scaling.md").read_text(encoding="utf-8")
    for name in NAMES:
        assert re.search(f"<!-- {name} -->\n.*\n<!-- end of {name} -->", text, re.DOTALL), name
    assert put(text, blocks(DOCS / "scaling")) == text, (
        "run: python scripts/scaling_tables.py docs/scaling --write docs/scaling.md"
    )


def test_the_scripts_examples_hold():
    assert doctest.testmod(script).attempted >= 2 and doctest.testmod(script).failed == 0
