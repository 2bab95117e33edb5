"""The report of a comparison: what it says is what attribution found, and it is whole."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from nextify.designs import Initial
from nextify.errors import InputError
from nextify.findings import Interval, measure_comparison
from nextify.report import write_report
from nextify.report.announce import announced_weights
from nextify.report.cells import comparison_content, headline, steps_content
from nextify.report.cells.comparison_words import meaning
from nextify.report.cells.designs import in_words
from nextify.report.cells.files import page
from nextify.report.cells.line_figure import line_figure
from nextify.report.cells.looks import look_of
from nextify.report.cells.recipes import split_recipes
from nextify.report.cells.table_figure import row_figure, short_names, step_figure
from nextify.report.cells.tables import cells_json
from nextify.report.write import require_factors

from . import fake, fake_comparison
from .fake_runs import result
from .test_report import _csv, _text

NOW = "1 January 2030"
NUMBERS = (1000, 4000, fake_comparison.TRAIN)


@pytest.fixture(scope="module")
def study():
    plan = fake_comparison.plan(NUMBERS, seeds=3)
    return plan, fake_comparison.whole(plan)


@pytest.fixture(scope="module")
def trouble(tmp_path_factory):
    """A study with every kind of trouble: its plan, records and report."""
    plan = fake_comparison.plan(NUMBERS, seeds=3)
    records = fake_comparison.troubled(plan)
    return plan, records, write_report((plan, records), tmp_path_factory.mktemp("t"), now=NOW)


def shown(plan, records):
    return comparison_content(plan, records)


def page_text(plan, records):
    """What the page says, without its figures."""
    return _text(page(shown(plan, records), [], None))


def test_the_page_says_what_networks_start_from(study):
    plain, _ = study
    assert "Starts from" not in page_text(*study) and "trained weights" not in page_text(*study)
    name = plain.cells[0].network
    about = Initial(source="runs/mine", fingerprint="1a2b3c4d" * 8, mean=(0.5,), std=(0.2,))
    cells = [
        replace(c, initial=about, recipe_name="finetune-small") if c.network == name else c
        for c in plain.cells
    ]
    plan = replace(plain, cells=tuple(cells))
    records = fake_comparison.whole(plan)
    text = page_text(plan, records)
    assert "runs/mine (fingerprint 1a2b3c4d), with a new head" in text
    assert text.count("random weights") == 3 and "finetune-small" in text
    assert f"{name} starts from trained weights, the others from random ones" in text
    assert announced_weights(plain) is None
    said = f"weights: {name} starts from runs/mine (fingerprint 1a2b3c4d), with a new head"
    assert announced_weights(plan) == said
    files = json.loads(cells_json(shown(plan, records), None))
    assert [network.get("initial", {}).get("source") for network in files["networks"]] == [
        "runs/mine", None, None, None,
    ]  # fmt: skip


def test_all_files_are_written_and_nothing_else(trouble):
    files = trouble[2]
    named = {files.html, files.csv, files.json, *files.figures, *files.tables}
    assert set(files.html.parent.iterdir()) == named
    assert {p.name for p in named} == {
        "report.html", "comparison.csv", "gains.csv", "report.json",
        *(f"{name}.{kind}" for name in ("accuracy", "curves") for kind in ("svg", "png", "pdf")),
    }  # fmt: skip
    assert all(path.stat().st_size > 300 for path in named)


def test_csv_json_and_page_agree_with_attribution(trouble):
    plan, records, files = trouble
    found = measure_comparison(plan, records)
    lines = {(line["network"], int(line["images"])): line for line in _csv(files)}
    loaded = json.loads(files.json.read_text())
    text = _text(files.html.read_text())
    assert len(lines) == len(loaded["cells"]) == 12
    for on in found.at:
        for mean, move in zip(on.means, on.differences, strict=True):
            line = lines[mean.name, on.images]
            assert int(line["n"]) == mean.n
            if mean.mean is None:
                assert line["accuracy_percent"] == ""
                continue
            assert float(line["accuracy_percent"]) == pytest.approx(100 * mean.mean, abs=1e-6)
            assert f"{100 * mean.mean:.2f} ± {100 * mean.interval.half:.2f}" in text
            if move.value is None:
                continue
            assert line["verdict"] == move.verdict
            assert float(line["p_holm"]) == pytest.approx(move.holm, abs=1e-6)
            wide = float(line["difference_wide_low_points"])
            assert wide == pytest.approx(100 * move.wide.low, abs=1e-6)
            low, high = 100 * move.interval.low, 100 * move.interval.high
            assert f"{low:+.2f} to {high:+.2f}".replace("-", "−") in text
    assert [each["verdict"] for each in loaded["gains"]] == [
        move.verdict for move in found.gains.differences
    ]


def test_gains_are_told_in_words_and_in_a_table(study, tmp_path):
    gains = measure_comparison(*study).gains
    (table,) = write_report(study, tmp_path).tables
    lines = list(csv.DictReader(io.StringIO(table.read_text())))
    text = page_text(*study)
    own = gains.means[0]
    assert (
        f"From 1,000 to 16,000 images ResNet gains {100 * own.mean:.2f} ± "
        f"{100 * own.interval.half:.2f} points." in text
    )
    for line, mean, move in zip(lines, gains.means, gains.differences, strict=True):
        assert float(line["gain_points"]) == pytest.approx(100 * mean.mean, abs=1e-6)
        if move.verdict:
            assert move.verdict == "up"
            assert f"{line['network']} gains {100 * move.value:.2f} more" in text


def test_the_headline_answers_from_the_numbers(study):
    found = measure_comparison(*study)
    best, first, gains, crossing = headline(shown(*study))
    assert best.startswith("ViT is best on all 16,000 images: ")
    assert f"{100 * found.at[-1].differences[3].value:+.2f} points (95 % interval" in best
    assert first.startswith("ResNet is best on 1,000 images: ")
    assert first.index("; ConvNeXt comes next, −") and gains.count(" more (") == 3
    assert "ResNet is overtaken by " in crossing
    assert f"between {4000:,} and {16000:,} images" in crossing


def test_what_was_equal_is_read_off_the_plan(study):
    plan, records = study
    text = dict(meaning(shown(*study)))["What was equal."]
    assert "about the same: 4.00 M to 4.03 M MACs" in text
    assert "modern-small; of its settings the learning rate differs between networks" in text
    assert "24 epochs on the fewest, 6 on the most, which makes 360 to 1,500 updates" in text
    assert "same draw of the images" in text
    matched = dict(meaning(shown(replace(plan, matched="macs"), records)))["What was equal."]
    assert matched.startswith("Widths were rescaled until all networks cost the same: 4.00 M")
    dear = replace(plan, cells=tuple(replace(c, macs=c.macs * (1 + at))
                                     for at, c in enumerate(plan.cells)))  # fmt: skip
    assert "do not cost the same" in dict(meaning(shown(dear, records)))["What was equal."]
    plan = fake_comparison.plan(NUMBERS, 2, most_epochs=None)
    text = dict(meaning(shown(plan, fake_comparison.whole(plan))))["What was equal."]
    assert "Every run makes 6 epochs, 90 to 1,500 updates: fewer images also mean" in text


def test_intervals_cover_draws_only_where_images_were_drawn(study):
    assert "new draws" in dict(meaning(shown(*study)))["What an interval covers."]
    plan = fake_comparison.plan((fake_comparison.TRAIN,), 2)
    whole = shown(plan, fake_comparison.whole(plan))
    assert (
        "Every seed trains on the same training images"
        in (dict(meaning(whole))["What an interval covers."])
    )


def test_trouble_is_said_and_stands_in_its_place(trouble):
    plan, records, files = trouble
    text = _text(files.html.read_text())
    assert "34 of 36 runs recorded so far; 4 diverged and 1 failed." in text
    assert "Without a score there: ViT (3 diverged)." in text
    assert "out of memory <on device 0>" in text and f"Written {NOW}" in text
    lines = _csv(files)
    lost = next(line for line in lines if (line["network"], line["images"]) == ("ViT", "16000"))
    assert (lost["n"], lost["diverged"], lost["difference_points"]) == ("0", "3", "")
    words = dict(meaning(shown(plan, records)))
    assert words["Left out."].startswith("Runs without a score: 4 diverged and 1 failed. ")


def test_one_seed_states_no_interval():
    plan = fake_comparison.plan(NUMBERS, seeds=1)
    content = shown(plan, fake_comparison.whole(plan))
    text = _text(page(content, [], None))
    assert "no interval is possible" in text and "±" not in text
    assert "too few runs to tell that from chance" in text
    assert {row.move.verdict for row in content.rows} == {"", "no interval"}


def right_of(plan, *rights):
    """A run of each network with each seed, with so many images right."""
    images = fake_comparison.IMAGES
    return [
        replace(
            fake_comparison.finished(plan, cell, seed),
            result=result(np.arange(images) < number, nll=1.0, calibration_error=0.0),
        )
        for cell, numbers in enumerate(rights)
        for seed, number in enumerate(numbers)
    ]


def test_who_shares_the_highest_mean_is_named_and_runs_that_agree_are_not_few(small_print):
    plan = fake_comparison.plan((fake_comparison.TRAIN,), 2, fake_comparison.NAMES[:3])
    content = shown(plan, right_of(plan, (2000, 2000), (3600, 3600), (3600, 3600)))
    assert headline(content) == [
        "ConvNeXt and Swin have the highest accuracy on all 16,000 images, both 90.00 %, "
        "+40.00 points against ResNet: too few runs to tell that from chance."
    ]
    (on,) = json.loads(cells_json(content, None))["images"]
    assert (on["highest"], on["as_high"]) == ("ConvNeXt", ["Swin"])
    text = _text(page(content, [row_figure(content)], None))
    assert "agree to the last digit, whatever the seed" in text and "Two seeds give" not in text
    said = "A mark for the mean of n = 2 runs, a thin line for each run, which agree: no interval"
    assert said in text and "Each mark is one run" not in text
    assert "n = 2 runs of each network, which agree: no interval." in small_print[-1]
    spread = shown(plan, right_of(plan, (2000, 2010), (3610, 3590), (3590, 3610)))
    (told,) = headline(spread)
    assert told.endswith("Swin have the highest accuracy on all 16,000 images, both 90.00 %, "
                         "+39.88 points against ResNet.")  # fmt: skip
    (told,) = headline(shown(plan, right_of(plan, (2000, 2010), (3610, 3590), (3590, 3614))))
    assert "Swin has the highest" in told and "ConvNeXt cannot be told apart" in told


@pytest.mark.parametrize("seeds", [1, 2])
def test_an_axis_that_holds_zero_is_not_said_to_leave_it_out(small_print, seeds):
    plan = fake_comparison.plan((fake_comparison.TRAIN,), seeds, fake_comparison.NAMES[:2])
    for least, cut in ((1000, True), (0, False)):
        content = shown(plan, right_of(plan, [least + at for at in range(seeds)], [3000] * seeds))
        row_figure(content)
        assert ("The axis of accuracies does not start at 0." in small_print[-1]) == cut
    path = fake.plan(cells=2, seeds=tuple(range(seeds)))
    records = [fake.finished(path, cell, seed) for cell in range(2) for seed in path.seeds]
    zero = result(np.zeros(records[0].result.images, bool), nll=1.0, calibration_error=0.0)
    for first, cut in ((records[0], True), (replace(records[0], result=zero), False)):
        step_figure(steps_content(path, [first, *records[1:]]))
        assert ("do not start at 0" in small_print[-1]) == cut


def test_one_number_of_images_has_no_gains(tmp_path):
    plan = fake_comparison.plan((fake_comparison.TRAIN,), 2)
    files = write_report((plan, fake_comparison.whole(plan)), tmp_path)
    text = _text(files.html.read_text())
    assert files.tables == () and not (tmp_path / "gains.csv").exists()
    assert not re.search(r"\b([Gg]ains?|overtaken)\b", text)
    assert "ViT is best on all 16,000 images" in text or "ViT has the highest" in text


def test_one_network_has_no_differences():
    plan = fake_comparison.plan(NUMBERS, 2, names=["ResNet"])
    content = shown(plan, fake_comparison.whole(plan))
    text = _text(page(content, [], None))
    assert "ResNet reaches " in text and "Differences to" not in text
    assert {row.move.verdict for row in content.rows} == {""}


def test_held_out_scores_are_not_called_test_accuracy():
    names = [f"{name}, rate {rate:g}" for rate in (0.5, 1, 2) for name in fake_comparison.NAMES]
    plan = fake_comparison.plan((fake_comparison.TRAIN,), 2, names, held_out=True)
    text = page_text(plan, fake_comparison.whole(plan))
    assert "Accuracy on held-out images" in text and "4,000 held-out images" in text
    assert not re.search(r"\b[Tt]est accuracy", text)
    assert "Best learning rate of each network: ResNet, rate 0.5 (" in text
    assert "the lowest tried" in text


def test_only_failures_so_far():
    plan = fake_comparison.plan(NUMBERS, 2)
    text = page_text(plan, fake_comparison.troubled(plan)[3:4])
    assert "1 of 24 runs recorded so far; 1 diverged." in text
    assert "No network has a score on all 16,000 images yet." in text


@pytest.mark.parametrize(
    ("numbers", "seeds", "networks", "kept"),
    [(NUMBERS, 1, 4, None), (NUMBERS, 2, 1, None), (NUMBERS, 2, 4, 0), (NUMBERS[:1], 1, 12, 3)],
    ids=["one seed", "one network", "a failure only", "one number"],
)
def test_the_main_figure_of_odd_studies(numbers, seeds, networks, kept):
    names = [f"network {at}" for at in range(networks)]
    plan = fake_comparison.plan(numbers, seeds, names)
    records = fake_comparison.troubled(plan)[3:4] if kept == 0 else fake_comparison.whole(plan)
    content = shown(plan, records[:kept] if kept else records)
    drawing = (line_figure if content.several else row_figure)(content)
    assert drawing.name == "accuracy" and drawing.png.startswith(b"\x89PNG")
    assert f"for {networks} network" in drawing.description or not content.several


def test_names_are_escaped(study):
    plan, records = study
    bad = '--><script>alert("$x^")</script>'
    names = [f"{bad} {'long ' * 12}{at}" for at in range(4)]
    hostile = replace(fake_comparison.renamed(plan, names), title=bad, data_source=bad, command=bad)
    content = shown(hostile, records)
    html = page(content, [line_figure(content)], None)
    assert "<script" not in html and html.count("&lt;script&gt;") > 20


def test_equal_records_give_equal_bytes(trouble, tmp_path):
    plan, records, files = trouble
    again = write_report((plan, records[::-1]), tmp_path, now=NOW)
    for old in files.html.parent.iterdir():
        assert old.read_bytes() == (again.html.parent / old.name).read_bytes(), old.name


def test_ids_are_unique_headings_scoped_and_nothing_comes_from_the_network(trouble):
    html = trouble[2].html.read_text()
    outside = re.sub(r"<defs>.*?</defs>", "", html, flags=re.DOTALL)
    ids = re.findall(r'\bid="([^"]+)"', outside)
    assert len(ids) == len(set(ids)) and "http" not in html
    assert all("scope=" in head for head in re.findall(r"<th\b[^>]*>", html))
    assert set(re.findall(r'aria-labelledby="([^"]+)"', html)) <= set(ids)


def test_recipes_are_told_apart_by_what_differs(study):
    found = split_recipes(study[0])
    assert found.differing[0] == "learning_rate" and "epochs" in found.differing
    assert "batch_size" in found.shared and found.shared["batch_size"].value == "64"
    users = [each.steps for each in found.recipes]
    assert "ResNet on 1,000 and 4,000 images" in users and "ViT on 16,000 images" in users


def test_networks_are_told_apart_without_colour_and_in_words():
    marks = [(look_of(at).marker, look_of(at).line) for at in range(8)]
    assert len(set(marks)) == len({mark for mark, _ in marks}) == 8
    told = [in_words(design) for design in fake_comparison.DESIGNS]
    assert told[0].startswith("Convolutional: 1–1–1 bottleneck blocks of widths 16–32–64, 3 × 3")
    assert "inverted bottlenecks" in told[1] and "7 × 7 depthwise; patches as stem" in told[1]
    assert told[2].startswith("Swin: 2–2 blocks") and told[3].startswith(
        "ViT: 4 blocks of width 64"
    )


def test_what_needs_factors_refuses_a_comparison(study, tmp_path):
    with pytest.raises(InputError, match="no factors to attribute"):
        require_factors(study[0])
    with pytest.raises(InputError, match=r"no run .* is recorded yet"):
        write_report((study[0], []), tmp_path)
    plan = fake.plan(cells=2)
    with pytest.raises(InputError, match="experiment 'path'"):
        comparison_content(plan, fake.whole(plan))
    assert list(tmp_path.iterdir()) == []


def test_a_verdict_that_rests_on_the_pooled_spread_says_so(study):
    content = shown(*study)
    pooled = {at: row for at, row in enumerate(content.gains) if row.move.resolved}
    assert pooled
    at, row = next(iter(pooled.items()))
    for own, said in (((-9.0, 1.0), True), ((0.5, 9.0), False)):
        changed = replace(row, move=replace(row.move, own=Interval(*own)))
        firm = {
            other: replace(each, move=replace(each.move, own=Interval(0.5, 9.0)))
            for other, each in pooled.items()
        }
        gains = tuple({**dict(enumerate(content.gains)), **firm, at: changed}.values())
        text = " ".join(headline(replace(content, gains=gains)))
        assert ("rests on a spread pooled over all networks" in text) == said
        assert (f"{row.name} −9.00 to +1.00" in text) == said


def test_a_network_is_shortened_alike_at_all_of_its_rates():
    plan = fake_comparison.plan((fake_comparison.TRAIN,), seeds=1)
    rates = (0.0625, 0.5, 1.0)
    cells = tuple(
        replace(plan.cells[0], name=f"{rate}", network=f"{name}, rate {rate:g}", rate=rate)
        for name in ("vit-mini patch_size=8 depth=4", "swin-mini")
        for rate in rates
    )
    plan = replace(plan, cells=cells)
    names = short_names(shown(plan, fake_comparison.whole(plan)))
    heads = [name.partition(", rate ")[0] for name in names]
    assert len(set(heads[:3])) == len(set(heads[3:])) == 1 and len(set(names)) == 6
    assert "…" in heads[0] and all(len(name) <= 28 for name in names)
