"""The report's files: what they say, that they agree, and that they are whole."""

import csv
import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from nextify.errors import InputError
from nextify.findings import measure_steps
from nextify.records import Store, plan_hash
from nextify.report import style as look
from nextify.report import write_report
from nextify.report.cells.content import steps_content
from nextify.report.cells.cost_figure import cost_figure
from nextify.report.cells.curve_figure import curve_figure
from nextify.report.cells.files import page
from nextify.report.cells.sentences import progress
from nextify.report.cells.step_words import headline, meaning
from nextify.report.cells.table_figure import step_figure

from . import fake, fake_comparison, fake_experiment

NOW = "1 January 2030"


@pytest.fixture(scope="module")
def two_seeds(tmp_path_factory):
    """A whole study with trouble: its plan, records and report."""
    plan = fake.plan(seeds=(0, 1))
    records = fake.troubled(plan)
    return plan, records, write_report((plan, records), tmp_path_factory.mktemp("two"), now=NOW)


@pytest.fixture(scope="module")
def paper():
    """A whole study of the paper's path: the page's content."""
    plan = fake.plan("resnet50", seeds=(0, 1, 2))
    return steps_content(plan, fake.whole(plan))


def _text(html: str) -> str:
    """What a reader sees, without figures; white space as single spaces."""

    class Reader(HTMLParser):
        parts: list[str]

        def handle_data(self, data: str) -> None:
            self.parts.append(data)

    reader = Reader()
    reader.parts = []
    reader.feed(re.sub(r"<(style|svg).*?</\1>", " ", html, flags=re.DOTALL))
    return " ".join(" ".join(reader.parts).split())


def _csv(files):
    return list(csv.DictReader(io.StringIO(files.csv.read_text())))


def test_all_files_are_written_and_nothing_else(two_seeds):
    files = two_seeds[2]
    named = {files.html, files.csv, files.json, *files.figures}
    assert set(files.html.parent.iterdir()) == named
    assert {p.name for p in named} >= {"report.html", "steps.svg", "steps.png", "steps.pdf"}
    assert all(path.stat().st_size > 500 for path in named)


def test_a_page_says_that_runs_were_trained_in_stacks(tmp_path):
    plan = replace(fake.plan(seeds=(0, 1)), copies=2)
    files = write_report((plan, fake.whole(plan)), tmp_path, now=NOW)
    assert "trained in stacks of 2" in _text(files.html.read_text())
    assert '"copies": 2' in files.json.read_text()


def test_a_page_fits_a_phone(two_seeds):
    """The command is copied as it is, wraps between its words and is not cut; figures keep a size
    at which their text can be read, and scroll."""
    plan, _, files = two_seeds
    html = files.html.read_text()
    (command,) = re.findall(r"<pre><code>(.*?)</code></pre>", html)
    assert re.sub(r"</?span>", "", command) == plan.command
    assert "<span>--seeds</span> 2 <span>--epochs</span>" in command
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "pre-wrap" in re.findall(r"^pre \{(.*)\}", style, flags=re.MULTILINE)[0]
    wide = float(re.findall(r"\.drawing \{ min-width: ([\d.]+)rem", style)[0]) * 16  # pixels
    views = re.findall(r'<div class="drawing"><svg.*?viewBox="0 0 ([\d.]+)', html)
    assert len(views) == html.count('class="drawing"') > 0
    assert all(7 * wide / float(view) > 9.5 for view in views)  # ticks are of 7 points


def test_csv_and_json_and_page_agree_with_attribution(two_seeds):
    plan, records, files = two_seeds
    steps = measure_steps(plan, records)
    lines, loaded = _csv(files), json.loads(files.json.read_text())
    text = _text(files.html.read_text())
    for at, mean in enumerate(steps.means):
        line, move = lines[at], steps.differences[at]
        assert loaded["steps"][at]["n"] == mean.n == int(line["n"])
        if mean.mean is None:
            assert line["accuracy_percent"] == "" and mean.interval is None
            continue
        low = 100 * mean.interval.low
        assert float(line["accuracy_percent"]) == pytest.approx(100 * mean.mean, abs=1e-6)
        assert loaded["steps"][at]["accuracy_low_percent"] == pytest.approx(low, abs=1e-6)
        assert f"{100 * mean.mean:.2f} ± {100 * mean.interval.half:.2f}" in text
        if move.value is not None:
            assert float(line["difference_points"]) == pytest.approx(100 * move.value, abs=1e-6)
            wide = loaded["steps"][at]["difference_wide_high_points"]
            assert wide == pytest.approx(100 * move.wide.high, abs=1e-6)
            assert line["verdict"] == move.verdict


def test_csv_has_each_seed(two_seeds):
    plan, records, files = two_seeds
    by_key = {record.key: record for record in records}
    want = by_key[plan.run(plan.cells[2], 1).key].result.accuracy
    assert float(_csv(files)[2]["accuracy_percent_seed_1"]) == pytest.approx(100 * want, abs=1e-6)


def test_equal_records_give_equal_bytes(two_seeds, tmp_path):
    plan, records, files = two_seeds
    again = write_report((plan, reversed(records)), tmp_path, now=NOW)
    for old, new in zip(
        (files.html, files.csv, files.json, *files.figures),
        (again.html, again.csv, again.json, *again.figures),
        strict=True,
    ):
        assert old.read_bytes() == new.read_bytes(), old.name


def test_a_study_file_gives_the_same_report(tmp_path):
    plan = fake.plan(cells=2)
    records = fake.whole(plan)
    with Store.open(tmp_path / "study.db") as store:
        store.save_plan(plan)
        for record in records:
            store.add(record)
    given = write_report((plan, records), tmp_path / "given", now=NOW)
    stored = write_report(tmp_path / "study.db", tmp_path / "stored", now=NOW)
    assert stored.csv.read_bytes() == given.csv.read_bytes()
    # But for what was settled before the runs, which only a file says.
    texts = [each.html.read_text() for each in (given, stored)]
    told = [re.search(r'<section aria-labelledby="before">.*?</section>', t, re.S) for t in texts]
    assert "No plan hash, no looks kept" in told[0].group()
    assert f"before the first run: plan {plan_hash(plan)}" in told[1].group()
    first, second = (t.replace(s.group(), "") for t, s in zip(texts, told, strict=True))
    assert first == second


def test_nothing_comes_from_the_network(two_seeds):
    html = two_seeds[2].html.read_text()
    assert "http" not in html
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b|@import|url\((?!#)", html)


def test_ids_are_unique_and_links_have_targets(two_seeds):
    html = two_seeds[2].html.read_text()
    outside = re.sub(r"<defs>.*?</defs>", "", html, flags=re.DOTALL)
    ids = re.findall(r'\bid="([^"]+)"', outside)
    assert len(ids) == len(set(ids))
    every = set(re.findall(r'\bid="([^"]+)"', html))
    assert set(re.findall(r'href="#([^"]+)"', html)) <= every
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= every


def test_page_is_accessible(two_seeds):
    html = two_seeds[2].html.read_text()
    assert '<html lang="en-GB">' in html
    for svg in re.findall(r"<svg[^>]*>", html):
        assert 'role="img"' in svg and 'aria-label="' in svg
    assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", html))


def test_names_and_messages_are_escaped(two_seeds, tmp_path):
    plan, records, _ = two_seeds
    bad = '--><script>alert("x")</script>'
    cells = tuple(replace(cell, name=bad, changed=bad) for cell in plan.cells[:2])
    hostile = replace(plan, title=bad, cells=cells, data_source=bad, command=bad)
    kept = [
        replace(record, message=bad, outcome="failed", result=None, environment={bad: bad})
        if at == 1
        else record
        for at, record in enumerate(records)
    ]
    html = write_report((hostile, kept), tmp_path).html.read_text()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 8


def test_failures_and_divergences_stand_in_their_place(two_seeds):
    files = two_seeds[2]
    text = _text(files.html.read_text())
    assert "the loss became infinite in epoch 4 (step 290)" in text
    assert "tried to allocate 2.00 GiB <on device 0>" in text
    lines = _csv(files)
    assert (lines[4]["n"], lines[4]["diverged"]) == ("0", "2")
    assert (lines[9]["n"], lines[9]["failed"]) == ("1", "1")
    assert lines[5]["difference_points"] == ""
    loaded = json.loads(files.json.read_text())
    assert [each["outcome"] for each in loaded["without_score"]] == ["diverged"] * 3 + ["failed"]


def test_missing_runs_and_several_environments_are_said(two_seeds):
    text = _text(two_seeds[2].html.read_text())
    assert "28 of 30 runs recorded so far; 3 diverged and 1 failed." in text
    assert "The runs come from 2 environments" in text
    assert "Intel Xeon Platinum 8481C" in text
    assert f"Written {NOW}" in text


def test_a_noisy_cell_is_warned_of(two_seeds):
    shown = steps_content(*two_seeds[:2])
    words = dict(meaning(shown))
    assert "small ResNet varies more" in words["Warning: an assumption does not hold."]


def test_recipes_show_what_was_changed(two_seeds):
    text = _text(two_seeds[2].html.read_text())
    assert "classic-small steps 0; " in text and "modern-small steps 1–14; " in text
    assert re.search(r"epochs 12 named: \d+ 12 named: \d+", text)


def test_statements_are_made_from_the_numbers(paper):
    words = dict(meaning(paper))
    clear = [row for row in paper.rows if row.move.verdict in ("up", "down")]
    assert f"The intervals of {len(clear)} of 14 differences" in words["What was found."]
    assert "0.7 of 14 would be expected" in words["What was found."]
    half = paper.rows[3].move.interval.half
    assert f"reach {half:.2f} points" in words["What could be found."]
    sd = 100 * paper.spread.residual_sd
    assert f"{sd:.2f} (28)" in words["Noise."]
    assert progress(paper) == "All 45 runs recorded."
    assert headline(paper).startswith(f"From ResNet-50 ({paper.rows[0].accuracy:.2f} %)")


def test_the_paper_stands_beside_with_its_two_odd_cells_marked(paper):
    html = page(paper, [], None)
    assert "78.82 ± 0.07" in html
    assert '4.46<sup><a href="#note-a">a</a></sup>' in html
    assert '4.49<sup><a href="#note-b">b</a></sup>' in html
    assert html.count('id="note-') == 2


def test_one_seed_draws_and_states_no_interval(tmp_path):
    plan = fake.plan(seeds=(0,), cells=4)
    shown = steps_content(plan, fake.whole(plan))
    files = write_report((plan, fake.whole(plan)), tmp_path)
    assert not shown.has_intervals
    text = _text(files.html.read_text())
    assert "no interval is possible" in text and "±" not in text
    assert {line["verdict"] for line in _csv(files)} == {"", "no interval"}
    assert all(line["accuracy_low_percent"] == "" for line in _csv(files))


def test_a_single_step(tmp_path):
    plan = fake.plan(seeds=(0, 1), cells=1)
    files = write_report((plan, fake.whole(plan)), tmp_path)
    assert "of test images right" in _text(files.html.read_text())
    assert _csv(files)[0]["accuracy_low_percent"] != ""


def test_held_out_scores_are_not_called_test_accuracy():
    plan = replace(fake.plan(), held_out=True)
    content = steps_content(plan, fake.whole(plan))
    for draw in (step_figure, cost_figure):
        told = draw(content).description
        assert told.startswith("Accuracy on held-out images")
    assert "and accuracy on held-out images against the epoch" in curve_figure(content).description
    (only,) = (replace(plan, cells=plan.cells[:1]),)
    assert "% of held-out images right" in headline(steps_content(only, fake.whole(only)))


def test_no_interval_of_an_accuracy_leaves_0_to_100():
    """Its half-width stays as measured; differences are not cut."""
    plan = fake.plan(cells=3)
    records = [
        replace(one, result=replace(one.result, accuracy=accuracy))
        for one, accuracy in zip(fake.whole(plan), (0.0, 0.5, 1.0, 0.04, 0.5, 0.9), strict=True)
    ]
    rows = steps_content(plan, records).rows
    found = [(row.mean.interval, row.mean.wide) for row in rows]
    assert {each.low for each in found[0] if each} == {0.0}
    assert {each.high for each in found[2] if each} == {100.0}
    assert rows[1].mean.interval.half == pytest.approx(rows[0].half) == pytest.approx(rows[2].half)
    assert rows[0].half > 5 and rows[2].mean.interval.high - rows[2].mean.mean == pytest.approx(5)
    assert rows[2].move.interval.high > 50


def test_only_failures_so_far(tmp_path):
    plan = fake.plan(seeds=(0, 1), cells=2)
    files = write_report((plan, [fake.failed(plan, 0, 0)]), tmp_path)
    text = _text(files.html.read_text())
    assert "1 of 4 runs recorded so far; 1 failed." in text
    assert "cannot be compared yet" in text
    assert [path.name for path in files.figures] == ["steps.svg", "steps.png", "steps.pdf"]


def test_names_that_matplotlib_would_read_otherwise(tmp_path):
    plan = fake.plan(seeds=(0, 1), cells=2)
    cells = (replace(plan.cells[0], name="cost in $ and $^"), replace(plan.cells[1], name="宽度"))
    strange = replace(plan, cells=cells)
    files = write_report((strange, fake.whole(plan)), tmp_path)
    assert "cost in $ and $^" in files.html.read_text()


def test_names_in_letters_that_the_usual_font_lacks_have_one_of_the_systems(monkeypatch):
    there = ["DejaVu Sans", "Comic Sans", "WenQuanYi Zen Hei"]
    monkeypatch.setattr(look, "get_font_names", lambda: there)
    before = mpl.rcParams["font.family"]
    with look.style():
        assert mpl.rcParams["font.family"] == ["DejaVu Sans", "WenQuanYi Zen Hei"]
    assert mpl.rcParams["font.family"] == before


def test_figures_are_sharp_enough_for_print(two_seeds):
    png = next(path for path in two_seeds[2].figures if path.name == "steps.png")
    wide = int.from_bytes(png.read_bytes()[16:20])
    assert wide / 7.1 > 200  # inches between the margins of an A4 page


def test_no_records_is_an_input_error(tmp_path):
    plan = fake.plan(cells=2)
    with pytest.raises(
        InputError, match=r"no run .* is recorded yet; run the study first: nextify"
    ):
        write_report((plan, []), tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_a_missing_study_is_an_input_error(tmp_path):
    with pytest.raises(InputError) as caught:
        write_report(tmp_path / "none.db", tmp_path / "report")
    assert "none.db" in str(caught.value) and "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    plan = fake.plan(cells=1)
    with pytest.raises(InputError, match=r"report folder .*file.* cannot be written"):
        write_report((plan, fake.whole(plan)), tmp_path / "file" / "report")


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch):
    plan = fake.plan(cells=1)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_report((plan, fake.whole(plan)), tmp_path)
    assert list(tmp_path.iterdir()) == []


ODD = "gr\udcfcn\x01\x1b[31m\u202e"


@pytest.mark.parametrize("of", [fake, fake_comparison, fake_experiment])
def test_a_name_that_is_no_text_comes_out_escaped(of, tmp_path):
    """A folder that a program for another language has unpacked; what a terminal obeys."""
    plan = fake.plan(cells=2, seeds=(0,)) if of is fake else of.plan()
    plan = replace(plan, title=f"On {ODD}", data={**plan.data, "name": ODD}, command=f"-d {ODD}")
    files = write_report((plan, of.whole(plan)), tmp_path / os.fsdecode(b"\xe4"))
    assert r"gr\udcfcn\u0001\u001b[31m\u202e" in files.html.read_text()
    assert repr(f"-d {ODD}")[1:-1] in str(json.loads(files.json.read_text()))
    for figure in (file for file in files.figures if file.suffix == ".svg"):
        ElementTree.parse(figure)
    for file in files.html.parent.iterdir():
        if file.suffix in (".html", ".csv", ".json", ".svg"):
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", file.read_text())
