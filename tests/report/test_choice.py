"""The page of a choice: it says what was chosen, how sure that is, and what was done for it."""

import json
from dataclasses import replace

import pytest

from nextify.findings.choice import choose
from nextify.records import Plan, Record
from nextify.report.choice.files import write_choice
from nextify.studies import plan_finals, plan_screening
from nextify.studies.kinds.finalists import possible
from studies.known_truth import Truth, small_task

from .test_report import _csv, _text

NOW = "1 January 2030"
RISING = tuple(0.5 + 0.01 * bin(at).count("1") for at in range(32))  # every choice helps
HOSTILE = "<script>alert(1)</script> & $x$"


def studied(truth: Truth, final_truth: Truth | None = None):
    """A task, and both of its studies."""
    task = small_task(final_seeds=3)
    screening = plan_screening(task)
    seen = truth.records(screening)
    finals = plan_finals(task, screening, seen)
    records = (final_truth or truth).records(finals)
    return task, {"screening": (screening, seen), "finals": (finals, records)}


def chosen(task, studies):
    return choose(*studies.values(), task.budgets, possible(task))


def written(task, studies, folder, **settings):
    choice = chosen(task, studies)
    asked = {"the budget of params": 200_000, "the budget of macs": None, **settings}
    return choice, write_choice(choice, studies, asked, folder, now=NOW)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    task, studies = studied(Truth(RISING, sd=0.004))
    return studies, *written(task, studies, tmp_path_factory.mktemp("choice"))


def test_all_files_are_written_and_nothing_else(whole):
    files = whole[2]
    assert set(files.html.parent.iterdir()) == {files.html, files.csv, files.json, *files.figures}
    assert {p.name for p in files.html.parent.iterdir()} == {
        "report.html", "report.json", "finalists.csv",
        *(f"finalists.{kind}" for kind in ("svg", "png", "pdf")),
    }  # fmt: skip


def test_page_csv_and_json_agree_with_the_choice(whole):
    studies, choice, files = whole
    text, loaded = _text(files.html.read_text()), json.loads(files.json.read_text())
    assert loaded["choice"]["winner"] == choice.winner and choice.winner in text
    for each, line in zip(choice.finalists, _csv(files), strict=True):
        assert line["design"] == each.name and line["standing"] == each.standing
        assert float(line["accuracy_percent"]) == pytest.approx(100 * each.mean, abs=1e-5)
        high = float(line["accuracy_wide_high_percent"])
        assert high == pytest.approx(100 * each.wide.high, abs=1e-5)
        assert f"{100 * each.mean:.2f}" in text
        low, high = 100 * each.interval.low, 100 * each.interval.high
        assert f"{low:.2f} to {high:.2f}" in text
    assert f"at most {100 * choice.margin:.2f} points behind" in text
    for name, (plan, records) in studies.items():
        assert loaded["phases"][name]["runs"]["finished"] == len(records) == len(plan.runs())
        assert f"nextify report {name}.study" in text
    assert "200000" in text and NOW in text and "modern-small" in text


def test_equal_choices_give_equal_bytes(whole, tmp_path):
    studies, choice, files = whole
    turned = {name: (plan, reversed(records)) for name, (plan, records) in studies.items()}
    asked = {"the budget of params": 200_000, "the budget of macs": None}
    again = write_choice(choice, turned, asked, tmp_path, now=NOW)
    for old in files.html.parent.iterdir():
        assert old.read_bytes() == (again.html.parent / old.name).read_bytes(), old.name


def test_names_and_settings_from_outside_are_escaped(tmp_path):
    task, studies = studied(Truth(RISING, sd=0.004))

    def hostile(plan: Plan, records: list[Record]) -> tuple[Plan, list[Record]]:
        cells = (replace(c, name=f"{HOSTILE} {c.name}", changed=HOSTILE) for c in plan.cells)
        data = {**plan.data, "name": HOSTILE}
        new = replace(plan, cells=tuple(cells), data=data, data_source=HOSTILE, command=HOSTILE)
        return new, [replace(r, run={**r.run, "data": data}, environment={"device": HOSTILE})
                     for r in records]  # fmt: skip

    choice = chosen(task, studies)
    names = tuple(replace(each, name=f"{HOSTILE} {each.name}") for each in choice.finalists)
    choice = replace(choice, finalists=names, winner=names[0].name, apart=(names[1].name,))
    turned = {name: hostile(*study) for name, study in studies.items()}
    files = write_choice(choice, turned, {HOSTILE: HOSTILE}, tmp_path)
    page = files.html.read_text()
    assert "<script" not in page and "&lt;script&gt;" in page
    assert _csv(files)[0]["design"] == names[0].name


def test_diverged_finalists_are_shown_and_listed(tmp_path):
    diverging = Truth(RISING, sd=0.004, diverging={0: None, 31: (2,)})
    choice, files = written(*studied(Truth(RISING, sd=0.004), diverging), tmp_path)
    text = _text(files.html.read_text())
    bad = [each for each in choice.finalists if each.diverged]
    assert len(bad) >= 2 and choice.winner not in {each.name for each in bad}
    for each in bad:
        assert f"{each.standing} ({each.diverged} diverged)" in text
        assert (
            f"{each.name} ({'no score' if each.mean is None else f'{100 * each.mean:.2f} %'}"
            in text
        )
    assert "the loss was nan" in text and "Not judged: " in text
    assert "best of these designs that were judged, trained" in text
    assert "All others can be told apart" not in text
    loaded = json.loads(files.json.read_text())
    lost = loaded["phases"]["finals"]
    assert lost["runs"]["diverged"] == len(lost["without_score"]) == sum(e.diverged for e in bad)
    assert loaded["phases"]["screening"]["without_score"] == []


def test_a_choice_without_any_score(tmp_path):
    nothing = Truth(RISING, diverging=dict.fromkeys(range(32)))
    choice, files = written(*studied(Truth(RISING, sd=0.004), nothing), tmp_path)
    text = _text(files.html.read_text())
    assert choice.winner is None and "No design can be chosen" in text
    assert all(line["accuracy_percent"] == "" for line in _csv(files))


def test_one_seed_has_no_intervals(tmp_path):
    task = small_task(final_seeds=1)
    screening = plan_screening(task)
    seen = Truth(RISING).records(screening)
    finals = plan_finals(task, screening, seen)
    studies = {"screening": (screening, seen), "finals": (finals, Truth(RISING).records(finals))}
    _, files = written(task, studies, tmp_path)
    assert "no intervals: these runs" in _text(files.html.read_text()).lower()
