"""`nextify study --data A --data B`: one experiment on each, and what holds in general."""

import json
from pathlib import Path

import pytest
from PIL import Image

import nextify as nx
from nextify.requests import Study, command_line, made, read

TINY = ("--image-size", "16", "--experiment", "full", "--factors", "kernel size 7, ReLU to GELU",
        "--cross", "none", "--seeds", "1", "--end-seeds", "0", "epochs=1", "batch_size=8",
        "--no-pilot", "--workers", "1")  # fmt: skip


@pytest.fixture
def folders(own_folder):
    """Two sets of two colours."""
    for name, colours in (("first", ("red", "blue")), ("second", ("green", "white"))):
        for part, count in (("train", 8), ("test", 4)):
            for label, colour in enumerate(colours):
                place = own_folder / name / part / str(label)
                place.mkdir(parents=True)
                for at in range(count):
                    picture = Image.new("RGB", (16, 16), colour)
                    picture.putpixel((at, label), (at * 20, 10 * len(name), 90))
                    picture.save(place / f"{at}.png")


def test_data_again_in_words_and_back():
    request = read(
        ["study", "small", "--data", "a", "--seeds", "3", "--data=b", "--data", "c"]
    ).request
    assert (request.data.source, request.more_data) == ("a", ("b", "c"))
    assert command_line(request) == "nextify study small --data a --data b --data c --seeds 3"
    assert (
        made(Study, {"path": "small", "data": "a", "more_data": ["b", "c"], "seeds": 3}) == request
    )


@pytest.mark.parametrize(
    ("behind", "sets"),
    [((), "abc"), (("--data", "d"), "d"), (("--data=d", "--data", "e"), "de"),
     (("--seeds", "2"), "abc")],
)  # fmt: skip
def test_data_behind_a_file_is_in_the_place_of_all_its_data(own_folder, behind, sets):
    Path("plan.toml").write_text('path = "small"\ndata = ["a", "b", "c"]\n')
    request = read(["study", "plan.toml", *behind]).request
    assert (request.data.source, *request.more_data) == tuple(sets)


def test_data_by_name_is_in_the_place_of_all_data_of_a_file(folders):
    file = Path("plan.toml")
    file.write_text('path = "small"\ndata = ["nowhere", "elsewhere"]\nexperiment = "full"\n')
    options = {"image_size": 16, "plan": True, "no_pilot": True, "quiet": True}
    planned = nx.study(file, data="first", **options)
    assert planned.plan.data["name"] == "first"
    names = [each.plan.data["name"] for each in nx.study(file, data=["first", "second"], **options)]
    assert names == ["first", "second"]


def test_each_is_a_study_and_all_are_attributed_together(folders, nextify, monkeypatch):
    monkeypatch.setattr("nextify.report.write.factor_drawings", lambda shown: [])  # seconds each
    answer = nextify("study", "small", "--data", "first", "--data", "second", *TINY, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert [each["study"] for each in found["summaries"]] == [
        "runs/small-first-factors.study", "runs/small-second-factors.study"
    ]  # fmt: skip
    assert [each["finished"] for each in found["summaries"]] == [4, 4]
    assert len(found["general"]["contributions"]) == 2
    again = nextify("study", "small", "--data", "first", "--data", "second", *TINY)
    assert again.code == 0 and "4 of 4 runs recorded" in again.out
    assert "On other data like these 2 sets" in again.out
    plans = json.loads(
        nextify(
            "study", "small", "--data", "first", "--data", "second", *TINY, "--plan", "--json"
        ).out
    )
    assert [each["plan"]["data"]["name"] for each in plans["plans"]] == ["first", "second"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("study", "small", "--data", "first", "--data", "second"),
            "add --experiment resolution-5",
        ),
        (("study", "small", "--data", "first", "--data", "./first", *TINY), "called 'first'"),
        (("study", "small", "--data", "a", "--data", "b", *TINY, "--file", "x"), "one for each"),
        (("study", "small", "--data", "first", "--data", "nowhere", *TINY, "--plan"), "nowhere"),
    ],
)
def test_refused(folders, nextify, words, message):
    answer = nextify(*words)
    assert answer.code == 2 and message in answer.err and len(answer.err.splitlines()) <= 12


def test_folders_that_are_called_alike_are_refused_until_one_is_renamed(folders, nextify):
    own = Path.cwd()
    (own / "apart").mkdir()
    (own / "second").rename(own / "apart" / "first")
    words = ("study", "small", "--data", "first", "--data")
    alike = nextify(*words, "apart/first", *TINY)
    assert alike.code == 2 and "rename a folder" in alike.err and not (own / "runs").exists()
    (own / "apart" / "first").rename(own / "apart" / "other")
    assert nextify(*words, "apart/other", *TINY, "--plan").code == 0
