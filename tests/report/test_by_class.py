"""Where classes are unequal, pages and tables show the scores in which all classes count alike."""

import csv
import io
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from nextify.designs import path
from nextify.designs.factor import default_factors
from nextify.findings import attribute, measure_comparison
from nextify.findings.scores import BY_CLASS, correctness
from nextify.records import ClassCounts, Plan, Record
from nextify.report.cells import comparison_content
from nextify.report.cells.files import texts
from nextify.report.factors import factor_content
from nextify.report.factors.files import factor_texts

from . import fake_comparison, fake_experiment

UNEQUAL = (0.4, *[0.6 / 9] * 9)


def by_class(records: list[Record], shares=UNEQUAL) -> list[Record]:
    """Their images counted by class: wrong answers are for the first class."""
    return [each if each.result is None else _counted(each, shares) for each in records]


def _counted(one: Record, shares) -> Record:
    correct = correctness(one.result)
    ends = np.round(np.cumsum([0, *shares]) * len(correct)).astype(int)
    order = np.random.default_rng(1).permutation(len(correct))
    parts = [correct[order[start:end]] for start, end in pairwise(ends)]
    true, right = (tuple(int(of(part)) for part in parts) for of in (len, np.sum))
    answered = (right[0] + sum(true) - sum(right), *right[1:])
    counts = ClassCounts(true=true, answered=answered, right=right)
    return replace(one, result=replace(one.result, per_class=counts))


def files_of(plan: Plan, records: list[Record]) -> dict[str, str]:
    return texts(comparison_content(plan, records), [], None)


@pytest.fixture(scope="module")
def study():
    plan = fake_comparison.plan((1000, fake_comparison.TRAIN), seeds=2)
    return plan, by_class(fake_comparison.troubled(plan))


def test_a_comparison_has_a_table_and_a_file_of_them(study):
    plan, records = study
    files = files_of(plan, records)
    page, lines = files["report.html"], list(csv.DictReader(io.StringIO(files["scores.csv"])))
    assert "Scores by class" in page and "Balanced accuracy: the mean over classes" in page
    assert json.loads(files["report.json"])["scores"][0]["score"] == "balanced accuracy"
    assert [line["score"] for line in lines] == [s for s in BY_CLASS for _ in plan.cells]
    for score in BY_CLASS:
        found = measure_comparison(plan, records, score)
        own = {(line["network"], line["images"]): line for line in lines if line["score"] == score}
        for on in found.at:
            for mean, move in zip(on.means, on.differences, strict=True):
                line = own[mean.name, str(on.images)]
                assert (int(line["n"]), line["verdict"]) == (mean.n, move.verdict)
                if mean.mean is not None:
                    assert float(line["mean"]) == pytest.approx(mean.mean, abs=1e-6)
                    assert f"{100 * mean.mean:.2f} ± " in page


def test_equal_classes_and_old_records_have_none(study):
    plan, _ = study
    old = fake_comparison.troubled(plan)
    without = files_of(plan, old)
    assert "scores.csv" not in without and "Scores by class" not in without["report.html"]
    assert files_of(plan, by_class(old, (0.1,) * 10)) == without


@pytest.fixture(scope="module")
def experiment():
    """Of three factors."""
    factors = default_factors(path("small"))[:3]
    plan = fake_experiment.plan("full", seeds=2, factors=factors)
    return plan, fake_experiment.whole(plan, pairs={})


def test_an_experiment_shows_them_beside_the_others(experiment):
    plan, whole = experiment
    records = by_class(whole)
    shown = factor_content([(plan, records)])
    files = factor_texts(shown, [], None)
    for title in ("Balanced accuracy", "Macro F1"):
        assert f"{title}<small>points, higher is better</small>" in files["report.html"]
    assert "“yes” where all decide alike" in files["report.html"]
    lines = list(csv.DictReader(io.StringIO(files["contributions.csv"])))
    found = attribute(plan, records, "macro f1").contributions
    own = [line for line in lines if line["score"] == "macro f1"]
    assert [float(line["contribution"]) for line in own] == pytest.approx(
        [each.estimate.value for each in found], abs=1e-6
    )
    plain = factor_texts(factor_content([(plan, whole)]), [], None)
    assert "Macro F1" not in plain["report.html"] and "macro f1" not in plain["contributions.csv"]


def test_a_page_of_one_of_them(experiment):
    plan, whole = experiment
    shown = factor_content([(plan, by_class(whole))], "balanced accuracy")
    page = factor_texts(shown, [], None)["report.html"]
    assert "ntervals cover new seeds only: which class a test image is of is not kept" in page
    assert shown.unit.title == "balanced accuracy"
