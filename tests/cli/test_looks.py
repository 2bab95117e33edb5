"""Looks at the verdicts of a study that grows: what is kept, and what is said."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from nextify.cli.main import main
from nextify.designs import default_factors, path
from nextify.records import Store
from nextify.requests import changed
from report import fake_experiment

from .conftest import make_images

FACTORS = default_factors(path("small"))[:3]
TRUTH = (0.02, -0.004, 0.0)


def grown(
    seeds: int,
    recorded: int | None = None,
    name: str = "a.study",
    failed: int = 0,
    diverged: int = 0,
    **options,
) -> None:
    """A study with all runs of its first seeds recorded, the first few as failed, some more as
    diverged."""
    plan = fake_experiment.plan("full", seeds, factors=FACTORS, end_seeds=0)
    plan = plan.asked_by(changed(plan.requests[-1], **options))
    with Store.open(name) as store:
        store.save_plan(plan)
        for at, record in enumerate(fake_experiment.whole(plan, truth=TRUTH, pairs={})):
            if recorded is None or record.seed < recorded:
                if at < failed + diverged:
                    became = "failed" if at < failed else "diverged"
                    record = replace(record, outcome=became, result=None)
                store.add(record)


def looks(name: str = "a.study"):
    with Store.open(name, create=False) as store:
        return store.history().looks


@pytest.fixture(autouse=True)
def no_figures(monkeypatch):
    """They take seconds, and say nothing of looks."""
    monkeypatch.setattr("nextify.report.write.factor_drawings", lambda shown: [])


@pytest.fixture
def said(own_folder, nextify):
    """What attribute prints of the file."""

    def attribute(*words: str) -> str:
        answer = nextify("attribute", "a.study", *words)
        assert answer.code == 0, answer
        return answer.out

    return attribute


def test_every_look_is_kept_and_told(said):
    grown(2, margin=1.0)
    first = said()
    assert re.search(
        r"Settled 2\d+-\d\d-\d\d \d\d:\d\d UTC, before the first run: plan \w{64}", first
    )
    assert "primary score accuracy; margin 1 points; looks: as many as will be." in first
    assert "Look 1, at 16 runs: its intervals hold together at 96.96 %" in first
    assert "no effect larger than 1 points, the margin" in first
    assert re.search(
        r"an effect of 1 points is then found in \d\d of 100; where there is none", first
    )
    assert "Look 1, at 16 runs" in said("--metric", "nll")  # the same runs
    assert {each.number for each in looks()} == {1} and len(looks()) == 2
    grown(4)
    assert main(["report", "a.study"]) == 0  # is a look, too
    second = said("--margin", "1.7")
    assert "Changed after 16 runs: seeds 2 -> 4." in second
    assert "Look 2, at 32 runs: its intervals hold together at 99.24 %" in second
    assert "16 runs, accuracy): helps: stage ratio; negligible: depthwise and width" in second
    assert "since look 1: patchify stem: not resolved, now negligible." in second
    assert [each.number for each in looks()] == [1, 1, 2]
    page = Path("a-report/report.html").read_text()
    assert "Look 2, at 32 runs" in page and "before the first run: plan" in page


def test_a_look_is_read_anew_where_another_took_its_number_meanwhile(said, monkeypatch):
    from nextify.report import write

    whole = write.factor_content

    def slow(*studies, **options):
        shown = whole(*studies, **options)
        monkeypatch.setattr(write, "factor_content", whole)
        grown(4)
        write.look(["a.study"])
        return shown

    grown(2)
    monkeypatch.setattr(write, "factor_content", slow)
    assert "Look 1, at 32 runs" in said() and [each.runs for each in looks()] == [32]


def test_runs_that_score_what_chance_does_count(said):
    grown(2, failed=1, diverged=3)
    text = said()
    assert "full, 15 runs of 16 with a score" in text
    assert "1 of 16 runs have no score (1 failed, 0 not recorded)" in text
    assert "Look 1, at 15 runs" in text and [each.runs for each in looks()] == [15]
    assert "can be seen with these 15 runs" in text and "12 runs" not in text
    page = Path("a-report/report.html").read_text()
    assert "With 15 runs a contribution had to reach" in page and "12 runs" not in page


def test_a_margin_after_the_data_is_said_to_be(said):
    grown(2)
    assert "The margin was chosen after the data" in said("--margin", "2.5")
    assert "helps, by less than the margin" in said("--margin", "4")
    found = json.loads(said("--margin", "1", "--json"))["studies"][0]["attribution"]
    assert found["accuracy"]["margin"] == 0.01 and found["nll"]["margin"] is None


def test_the_primary_score_is_shown_first(said):
    grown(2, score="nll", margin=0.02)
    found = json.loads(said("--json"))
    assert found["metric"] == "nll"
    assert found["studies"][0]["attribution"]["nll"]["margin"] == 0.02


def test_another_score_leaves_the_page_of_the_primary_one(said):
    grown(2, score="nll")
    assert main(["report", "a.study"]) == 0
    page = Path("a-report/report.json")
    assert json.loads(page.read_text())["metric"] == "nll"
    assert said("--score", "accuracy").endswith("report: a-accuracy-report/report.html\n")
    assert json.loads(page.read_text())["metric"] == "nll"
    for primary in ((), ("--score", "nll")):
        assert said(*primary).endswith("report: a-report/report.html\n")


def test_without_a_margin_it_asks_for_one(said):
    grown(2)
    text = said()
    assert re.search(
        r"4 seeds a cell bring the intervals to ± [\d.]+ points. Say with --margin", text
    )
    assert "--seeds 4 --file a.study" in text


def test_a_file_that_cannot_be_written_is_read(said, nextify, monkeypatch):
    grown(2)

    def refused(*_: object) -> bool:
        from nextify.errors import InputError

        raise InputError("study file a.study is read-only")

    monkeypatch.setattr(Store, "keep_look", refused)
    answer = nextify("attribute", "a.study")
    assert answer.code == 0 and "this look is not kept in it" in answer.err
    assert "It is not kept: the study file cannot be written." in answer.out and not looks()


def test_planned_looks_come_at_their_time(said):
    grown(4, 1, looks=2)
    text = said()
    assert "No look: look 1 of 2 is due when every cell has 2 seeds." in text
    assert "no verdict now" in text and not looks()
    grown(4, 2, looks=2)
    text = said()
    assert "Look 1 of 2 planned, at 16 runs" in text and "of 100" not in text
    assert "next: Look 2 of 2 is due at 4 seeds a cell." in text
    grown(4)
    assert "Look 2 of 2 planned, at 32 runs" in said()
    assert [each.reached for each in looks()] == [1, 2]
    grown(6)
    text = said()
    assert "All 2 planned looks have been taken: what the last said stands." in text
    assert "Changed after 32 runs: seeds 4 -> 6." in text and len(looks()) == 2


def test_a_planned_look_waits_for_failed_runs_until_the_user_gives_them_up(said):
    grown(4, 2, failed=1, looks=2)
    assert main(["report", "a.study"]) == 0 and not looks()
    text = said()
    assert "No look: look 1 of 2 waits for 1 run that failed." in text
    assert "no verdict now" in text and not looks()
    assert "next: Look 1 of 2 waits for runs that failed: once more. 1 new run" in text
    assert "--retry-failed" in text.partition("next: ")[2]
    text = said("--without-failed")
    assert "Look 1 of 2 planned, at 15 runs" in text and [e.reached for e in looks()] == [1]
    assert "Look 1 of 2 planned, at 15 runs" in said()  # it is taken, and read again
    assert [each.reached for each in looks()] == [1]


def test_what_failed_and_is_tried_again_comes_before_the_next_seeds(own_folder):
    from nextify.commands import studying

    grown(4, 2, failed=1, looks=2)
    with Store.open("a.study", create=False) as store:
        plan = store.plan()
    assert studying._until_next_look(plan, Path("a.study"), retry_failed=True).seeds == (0, 1)
    assert studying._until_next_look(plan, Path("a.study"), retry_failed=False).seeds == (
        0, 1, 2, 3,
    )  # fmt: skip


def test_a_study_stops_at_a_planned_look(own_folder, monkeypatch):
    """What is trained is what the look waits for; the whole plan is registered before."""
    from nextify.commands import studying

    plan = fake_experiment.plan("full", 5, factors=FACTORS, end_seeds=0)
    plan = plan.asked_by(changed(plan.requests[-1], looks=2))
    assert studying._until_next_look(plan, Path("a.study"), False).seeds == (0, 1, 2)
    grown(5, 3, looks=2)
    assert studying._until_next_look(plan, Path("a.study"), False).seeds == (0, 1, 2, 3, 4)
    with Store.open("a.study", create=False) as store:
        assert [each.seeds for each in store.history().registered] == [5]


def test_a_study_says_that_it_stopped_for_a_look(own_folder, nextify):
    make_images(own_folder / "pets", {f"{at}": 12 for at in range(2)}, learnable=True)
    asked = ("study", "small", "--data", "pets", "--image-size", "16", "--experiment", "full",
             "--factors", "kernel size 7, ReLU to GELU", "--cross", "none", "--end-seeds", "0",
             "--seeds", "2", "--looks", "2", "epochs=1", "batch_size=8", "--no-pilot",
             "--workers", "1", "--file", "a.study")  # fmt: skip
    first = nextify(*asked)
    assert first.code == 0, first.err
    assert "4 of 8 runs recorded in a.study" in first.out
    assert "stopped for look 1 of 2; the same command goes on to look 2\n" in first.out
    values = json.loads(nextify(*asked, "--json").out)
    assert (values["planned"], values["recorded"], values["finished"]) == (8, 4, 4)
    assert "stopped_for_look" not in values
    done = nextify(*asked)
    assert "8 of 8 runs recorded" in done.out and "stopped" not in done.out


def test_more_looks_than_seeds_are_refused(own_folder, refused):
    asked = ("study", "small", "--experiment", "full", "--plan", "--no-pilot")
    said = refused(*asked, "--seeds", "2", "--looks", "5")
    assert "--looks is 5, and --seeds 2: each look takes another seed" in said
    assert "--margin belongs to an experiment" in refused("study", "small", "--margin", "1")
