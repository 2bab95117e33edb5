"""What the choices mean, on the page: the matrix, its sentences, tables and figures."""

import csv
import io
import json
import re
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from nextify.designs import default_factors, path
from nextify.errors import InputError
from nextify.findings import attribute
from nextify.findings.meaning import CONTROLS
from nextify.findings.probed import probe_scores
from nextify.findings.scores import ProbeScore
from nextify.records import Measurement, Store
from nextify.report.cells import comparison_content, steps_content
from nextify.report.cells.files import texts
from nextify.report.factors import caveats, factor_content, meaning_words, words
from nextify.report.factors.files import factor_texts
from nextify.report.factors.meaning_figure import meaning_figure, probe_figures
from nextify.report.factors.units import unit_of
from nextify.report.write import look

from . import fake, fake_comparison, fake_experiment
from .test_report import _text

FACTORS = default_factors(path("small"))[:3]


def measured(plan, records, **probes):
    """What probes find of each run: a function of its cell's number, levels and a generator."""
    found = {}
    for at, cell in enumerate(plan.cells):
        levels = np.array([f.name in (cell.made or ()) for f in plan.factors])
        for seed in plan.seeds_of(cell):
            rng = np.random.default_rng([at, seed])
            found[plan.run(cell, seed).key] = {
                name.replace("_", "-"): of(name.replace("_", "-"), at, levels, rng)
                for name, of in probes.items()
            }
    return {each.key: found[each.key] for each in records if each.result}


def shift(name, at, levels, rng):
    """The second factor lowers it by 3 points."""
    value = 0.9 - 0.03 * levels[1:2].sum() + 0.004 * rng.normal()
    return Measurement(probe=name, version=1, value=float(value), unit="share of pairs",
                       better="higher", values={"stage1": float(value) / 2})  # fmt: skip


def field(name, at, levels, rng):
    """From the design alone: the third factor raises it by 12 pixels."""
    value = float(20 + 12 * levels[2:3].sum() + at * (len(levels) == 0))
    return Measurement(probe=name, version=1, value=value, unit="px")


def attention(name, at, levels, rng):
    """Not defined where the first factor is made."""
    if levels[:1].any():
        return Measurement(probe=name, version=1, unit="px", reason="it has no attention")
    return Measurement(probe=name, version=1, value=8 + float(rng.normal()), unit="px")


@cache
def study():
    plan = fake_experiment.plan("full", 3, factors=FACTORS)
    records = tuple(fake_experiment.whole(plan, truth=(0.02, -0.02, 0.0), pairs={}))
    probes = {"shift_consistency": shift, "receptive_field": field, "attention_distance": attention}
    return plan, records, measured(plan, records, **probes)


@cache
def shown(metric="accuracy", control="simultaneous"):
    plan, records, probed = study()
    score = metric if metric == "accuracy" else probe_scores(probed)[metric]
    return factor_content([(plan, records)], score, probed=probed, control=control)


@cache
def files():
    return factor_texts(shown(), [], None)


def test_a_sentence_per_choice_says_only_what_is_resolved():
    content = shown()
    told = meaning_words.sentences(content, content.views[0].meaning)
    assert len(told) == 3 and told[2] == (
        "Of stage ratio these runs resolve no effect on any of these probes."
    )
    number = r"\d\.\d\d"
    assert re.fullmatch(
        rf"Patchify stem lowers shift consistency by {number} points \({number} to {number}\)\.",
        told[0],
    )
    assert told[1] == "Depthwise and width raises receptive field by 12.00 px (exactly)."


def test_the_page_has_the_matrix_and_says_how_it_is_judged():
    text = _text(files()["report.html"])
    section = text[text.index("What the choices mean") : text.index("What to run next")]
    assert "association only" in section and "Association over cells, and no more" in section
    assert "Attention distance: 16 of 32 runs without a value (16: it has no attention)." in section
    for word in ("explains", "because", "mediate"):  # of an association nothing is said
        assert word not in section
    judged = meaning_words.how_judged(shown().views[0].meaning)
    assert judged.startswith("The intervals of all 5 effects hold together 95 times in 100")
    assert "Receptive field is the same with every seed" in judged


def test_tables_hold_the_numbers_of_the_matrix():
    found, loaded = shown().views[0].meaning, json.loads(files()["report.json"])
    lines = list(csv.DictReader(io.StringIO(files()["meaning.csv"])))
    cells = [(c, each) for c in found.columns for each in c.found.contributions]
    assert len(lines) == len(cells) == 9
    for line, (column, each) in zip(lines, cells, strict=True):
        assert (line["probe"], line["factor"]) == (column.score.name, each.name)
        assert line["answer"] == each.answer
        if each.estimate.value is None:
            assert line["effect"] == ""
            continue
        assert float(line["effect"]) == pytest.approx(each.estimate.value, rel=1e-5)
        assert float(line["interval_low"]) == pytest.approx(each.simultaneous.low, rel=1e-5)
        spreads = column.in_spreads(each)
        assert line["effect_in_spreads"] == "" or float(line["effect_in_spreads"]) == (
            pytest.approx(spreads, rel=1e-5)
        )
    probes = loaded["studies"][0]["probes"]
    assert len(probes["effects"]) == 9 and probes["judged_together"] == 5
    assert set(probes["associations"]) == {"attention-distance", "receptive-field",
                                           "shift-consistency"}  # fmt: skip


def test_without_probes_a_page_is_as_it_was():
    plan, records, _ = study()
    plain = factor_texts(factor_content([(plan, records)]), [], None)
    assert "meaning.csv" not in plain and "What the choices mean" not in plain["report.html"]
    assert "probes" not in json.loads(plain["report.json"])["studies"][0]
    assert '"without"' not in plain["report.json"]


def test_false_discoveries_are_said_to_be():
    content = shown(control=CONTROLS["false-discoveries"])
    judged = meaning_words.how_judged(content.views[0].meaning)
    assert judged.startswith("Of 5 effects 1 are told from zero; of such, 5 % are none on average")


def test_figures_tell_decided_from_undecided():
    content = shown()
    figure = meaning_figure(content, content.views[0])
    assert "patchify stem lowers shift consistency" in figure.description
    assert "stage ratio" not in figure.description
    assert "pattern" in figure.svg  # hatched: undecided
    drawn = probe_figures(content.views[0])
    names = ["probe-attention-distance", "probe-receptive-field", "probe-shift-consistency"]
    assert [each.name for each in drawn] == names
    assert "depthwise and width +12.00 (raises)" in drawn[1].description
    assert meaning_figure(factor_content([study()[:2]]), content.views[0]) is not None


def test_a_probe_in_full_is_in_its_own_unit_with_its_own_words():
    content = shown("shift-consistency")
    assert content.unit.title == "shift consistency" and content.unit.name == "points"
    (head,) = words.headline(content)
    assert re.match(r"Patchify stem \(−\d\.\d\d\) hurts; in points of shift consistency\.", head)
    found = shown("attention-distance")
    (head,) = words.headline(found)
    notes = " ".join(caveats.notes(found.views[0].found))
    assert "16 without a value of this probe: it has no attention (16)" in notes
    assert "stage ratio: never made in the runs that have a score" in notes
    assert "is not kept per test image" in notes
    exact = shown("receptive-field")
    (head,) = words.headline(exact)
    assert head.startswith("Depthwise and width (+12.00) raises it; in px of receptive field.")
    assert "stage ratio and patchify stem do nothing to it" in head
    text = _text(factor_texts(exact, [], None)["report.html"])
    assert "better)" not in text[: text.index("What the choices mean")]


@pytest.mark.parametrize(
    ("unit", "values", "name", "text"),
    [
        ("%", (80.0, 90.0), "points", "+1.23"),
        ("share of units", (0.8, 0.9), "points", "+123.00"),
        ("", (1e-5, 3e-5), "units", "+1.2300000"),
        ("px", (100.0, 900.0), "px", "+1"),
        ("px", (5.0, 5.0), "px", "+1.23"),
    ],
)
def test_units_of_probes(unit, values, name, text):
    of = unit_of(ProbeScore("p", unit, 0, dict(zip("ab", values, strict=True)), {}))
    assert (of.name, of.signed(1.23)) == (name, text)


def test_a_study_file_is_read_with_what_its_probes_found(tmp_path):
    plan, records, probed = study()
    file = tmp_path / "a.study"
    with Store.open(file) as store:
        store.save_plan(plan)
        for record in records:
            store.add(record, found=probed[record.key].values())
    content = look([file], "shift-consistency.stage1")
    assert content.views[0].found.contributions == (
        attribute(plan, records, content.metric, level=content.views[0].found.level).contributions
    )
    assert len(content.views[0].meaning.columns) == 3
    with pytest.raises(InputError, match="did you mean 'shift-consistency'"):
        look([file], "shift-consistancy")
    assert look([file], "logit-accuracy").metric == "logit accuracy"


def test_a_path_step_by_step():
    plan = fake.plan(cells=4)
    records = fake.whole(plan)

    def rising(name, at, levels, rng):
        return Measurement(probe=name, version=1, value=at + 0.01 * float(rng.normal()), unit="px")

    probed = measured(plan, records, erf=rising, receptive_field=field)
    content = steps_content(plan, records, probed)
    told = texts(content, [], None)
    lines = list(csv.DictReader(io.StringIO(told["probes.csv"])))
    assert [line["verdict"] for line in lines] == [*["", *["up"] * 3], *["", *["exact"] * 3]]
    assert float(lines[5]["difference"]) == 1.0
    text = _text(told["report.html"])
    assert "What probes find" in text and "+1.00 (exact)" in text
    assert "probes.csv" not in texts(steps_content(plan, records), [], None)


def test_a_comparison_network_by_network():
    plan = fake_comparison.plan()
    records = fake_comparison.whole(plan)
    number = {cell.name: at for at, cell in enumerate(plan.cells)}

    def apart(name, at, levels, rng):
        of = list(dict.fromkeys(c.network for c in plan.cells)).index(plan.cells[at].network)
        return Measurement(probe=name, version=1, value=10 * of + float(rng.normal()) / 100)

    content = comparison_content(plan, records, measured(plan, records, erf=apart))
    told = texts(content, [], None)
    lines = list(csv.DictReader(io.StringIO(told["probes.csv"])))
    assert len(lines) == len(number) == len(content.rows)
    for line, row in zip(lines, content.rows, strict=True):
        assert (line["network"], line["images"]) == (row.name, str(row.images))
        assert float(line["mean"]) == pytest.approx(10 * row.at, abs=0.05)
        assert line["verdict"] == ("up" if row.at else "")
    assert "What probes find" in _text(told["report.html"])


def test_a_plan_with_its_records_and_measurements():
    plan, records, probed = study()
    table = {key: {"shift-consistency": of["shift-consistency"]} for key, of in probed.items()}
    lost = replace(records[0], outcome="diverged", result=None)
    content = look([(plan, (lost, *records[1:]))], "shift-consistency", probed=table)
    assert content.metric.name == "shift-consistency"
    told = " ".join(meaning_words.caveats(content.views[0].meaning))
    assert "1 of 32 runs without a value (1 diverged)" in told
    assert "a network that diverged has no value of a probe" in told
