"""The GPU's benchmark keeps what was measured, whatever becomes of a section."""

import json
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SECTIONS = """
import os, time
from gpu_rows import NotThere, row

def whole(given):
    yield row("speed", "1/s", [3.0, 1.0, 2.0], at_least=1.5, about=str(given.left < 60))

def fails(given):
    yield row("before", "s", 1.0, at_most=0.5)
    raise ValueError("of this section alone")

def missing(given):
    yield row("before", "s", 1.0)
    raise NotThere("another version")

def dies(given):
    yield row("before", "s", 1.0)
    os._exit(3)

def hangs(given):
    yield row("before", "s", 1.0)
    time.sleep(600)
"""


@pytest.fixture
def benchmark(monkeypatch, tmp_path):
    """The script as a module, beside one of sections that are made up."""
    (tmp_path / "made_up.py").write_text(SECTIONS)
    for place in (BENCHMARKS, tmp_path):
        monkeypatch.syspath_prepend(place)
    import gpu

    return gpu


def carried_out(benchmark, folder, names, most=60.0):
    chosen = [benchmark.Section(name, 2.0 if name == "hangs" else 30.0, "made_up", name)
              for name in names]  # fmt: skip
    kept = benchmark.Kept(folder / "found.json", {"versions": {}, "sections": {}})
    kept.logs.mkdir()
    given = benchmark.Given(device="cpu", smoke=False, folder=None, output=folder, scratch=folder)
    images = Future()
    images.set_result(None)
    benchmark.run(chosen, given, images, kept, most)
    return kept


def test_a_section_that_goes_wrong_leaves_the_others(benchmark, tmp_path):
    names = ["fails", "dies", "hangs", "missing", "whole"]
    kept = carried_out(benchmark, tmp_path, names)
    found = json.loads(kept.file.read_text())["sections"]
    assert list(found) == names
    problems = [found[name]["problem"] for name in names]
    assert "of this section alone" in problems[0] and problems[0].startswith("failed: ValueError")
    assert problems[1:] == [
        "its process died (exit code 3)", "ended: it took too long", "not there: another version",
        "",
    ]  # fmt: skip
    assert all(found[name]["rows"][0]["what"] == "before" for name in names[:-1])
    (one,) = found["whole"]["rows"]
    assert (one["median"], one["reached"], one["about"]) == (2.0, True, "True")
    shown = benchmark.table(kept.values["sections"])
    assert len(shown.splitlines()) == 1 + 2 * len(names)
    assert "<= 0.500  not reached" in shown and ">= 1.50   reached" in shown
    assert "of this section alone" in (kept.logs / "fails.log").read_text()


def test_sections_for_which_no_time_is_left_are_left_out(benchmark, tmp_path):
    kept = carried_out(benchmark, tmp_path, ["whole"], most=5.0)
    found = kept.values["sections"]["whole"]
    assert found["problem"] == "left out: no time is left" and found["rows"] == []


def test_a_candidate_is_not_taken_for_ours(benchmark):
    from gpu_kernel_speed import beside_torchs

    ways = [
        {"how": how, "us": us}
        for how, us in (("cudnn", 4.0), ("ours", 2.0), ("rows 4/3", 1.0), ("8x32/4/3", 3.0))
    ]
    found = {one.what: one.median for one in beside_torchs("forward", ways)}
    assert found == {"forward: ours over torch's": 2.0, "forward: candidate over ours": 2.0}


MACHINE = 480.0  # seconds that a call has, by the table of benchmarks/README.md


@pytest.mark.parametrize("only", [[], ["--only", "study,loader"]])
def test_planned_seconds_fit_a_call(benchmark, monkeypatch, only):
    monkeypatch.setattr(sys, "argv", ["gpu.py", "--data", ".", *only])
    given = benchmark.options()
    chosen = [one for one in benchmark.SECTIONS if one.name in given.only.split(",")]
    assert sum(one.seconds for one in chosen) <= given.most_seconds
    assert given.most_seconds + max(one.grace for one in chosen) < MACHINE


def test_both_calls_carry_out_everything_and_so_does_a_rehearsal(benchmark, monkeypatch):
    found = []
    for of in (["--data", "."], ["--smoke"]):
        monkeypatch.setattr(sys, "argv", ["gpu.py", *of])
        found.append(benchmark.options().only.split(","))
    everything = [one.name for one in benchmark.SECTIONS]
    assert [*found[0], "study", "loader"] == found[1] == everything


@pytest.mark.slow
def test_a_rehearsal_of_every_section(tmp_path):
    line = [sys.executable, BENCHMARKS / "gpu.py", "--smoke", "--output", tmp_path]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout.splitlines()[-1])
    (kept,) = tmp_path.glob("cpu-*.json")
    assert json.loads(kept.read_text()) == told
    empty = {name: found["said"] for name, found in told["sections"].items() if not found["rows"]}
    assert all("not there" in said for said in empty.values()), empty
