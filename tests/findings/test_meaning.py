"""Probes' values as scores, and what choices mean: a matrix of choices by probes."""

from dataclasses import replace

import numpy as np
import pytest
import scipy
from scipy import stats

from nextify.errors import InputError
from nextify.findings import attribute
from nextify.findings.meaning import CONTROLS, association, meaning
from nextify.findings.probed import named_scores, probe_scores, score_named
from nextify.findings.steps import measure_steps
from nextify.records import Measurement

from . import factorial

PLAN = factorial.plan(factorial.all_levels(3), seeds=4)
RECORDS = factorial.records(PLAN, factorial.linear(0.01, -0.02))


def probed(of, sd=0.0, plan=PLAN, records=RECORDS, unit="", better="", name="made-up", seed=0):
    """Measurements of a probe on every finished run: `of` the cell's levels, plus normal noise; no
    value where that is None."""
    rng, found = np.random.default_rng(seed), {}
    where = {
        plan.run(cell, seed).key: np.array([1 if f.name in cell.made else -1 for f in plan.factors])
        for cell in plan.cells
        for seed in plan.seeds_of(cell)
    }
    for record in (each for each in records if each.result):
        value = of(where[record.key])
        value = None if value is None else float(value + sd * rng.normal())
        about = {"unit": unit, "better": better, "reason": "" if value is not None else "no maps"}
        found[record.key] = {name: Measurement(probe=name, version=1, value=value, **about)}
    return found


def together(*tables):
    """Several probes of the same runs."""
    keys = dict.fromkeys(key for table in tables for key in table)
    return {key: {n: e for t in tables for n, e in t.get(key, {}).items()} for key in keys}


def only(table):
    (score,) = probe_scores(table).values()
    return score


def test_a_probe_with_the_values_of_a_score_has_its_contributions():
    """Of the numbers themselves nothing else is assumed."""
    values = {record.key: 2 - record.result.accuracy for record in RECORDS}
    table = {k: {"p": Measurement(probe="p", version=1, value=v)} for k, v in values.items()}
    found, nll = attribute(PLAN, RECORDS, only(table)), attribute(PLAN, RECORDS, "nll")
    for mine, other in zip(found.contributions, nll.contributions, strict=True):
        assert mine.estimate == other.estimate and mine.simultaneous == other.simultaneous
    answers = [each.answer for each in found.contributions]
    assert answers == ["lowers", "raises", "not resolved"]
    assert [each.answer for each in nll.contributions] == ["helps", "hurts", "not resolved"]
    assert [e.estimate for e in found.interactions] == [e.estimate for e in nll.interactions]
    assert found.gap.estimate == nll.gap.estimate and found.lack_of_fit == nll.lack_of_fit


@pytest.mark.parametrize(
    ("better", "answer"), [("higher", "helps"), ("lower", "hurts"), ("", "raises")]
)
def test_only_a_probe_with_a_direction_helps_or_hurts(better, answer):
    found = attribute(PLAN, RECORDS, only(probed(lambda x: x[0], 0.1, better=better)))
    assert found.contributions[0].answer == answer
    assert found.contributions[0].wide is None  # nothing is kept per image


def test_another_unit_gives_the_same_contributions_in_it():
    """In thousandths, from another zero: far beyond the bounds of accuracy."""
    table = probed(lambda x: x[1], 0.3)
    found = {}
    for of, scale, zero in (("plain", 1, 0), ("other", -1000, 5e4)):
        moved = {
            key: {n: replace(m, value=scale * m.value + zero) for n, m in each.items()}
            for key, each in table.items()
        }
        found[of] = attribute(PLAN, RECORDS, only(moved)).contributions
    for plain, other in zip(found["plain"], found["other"], strict=True):
        assert other.estimate.value == pytest.approx(-1000 * plain.estimate.value)
        assert other.simultaneous.low == pytest.approx(-1000 * plain.simultaneous.high)
    assert found["plain"][1].answer == "raises" and found["other"][1].answer == "lowers"


def test_a_diverged_run_has_no_value_and_is_not_at_chance():
    plan, table = PLAN, probed(lambda x: x[0], 0.1)
    lost = [replace(RECORDS[0], outcome="diverged", result=None), *RECORDS[1:]]
    found = attribute(plan, lost, only(table))
    assert (found.counts.diverged, found.counts.finished, found.counts.without) == (1, 31, 0)
    assert not found.readings and found.contributions[0].answer == "raises"


def test_runs_without_a_value_are_counted_with_their_reason():
    table = probed(lambda x: None if x[2] > 0 else x[0], 0.1, seed=1)
    score = only(table)
    assert score.reasons == {"no maps": 16}
    found = attribute(PLAN, RECORDS, score)
    assert (found.counts.without, found.counts.finished) == (16, 16)
    answers = [each.answer for each in found.contributions]
    assert answers == ["raises", "not resolved", "cannot be told"]


def test_values_of_another_version_do_not_count():
    table = probed(lambda x: x[0])
    old = next(iter(table))
    table = {
        k: {"made-up": replace(m["made-up"], version=2 - (k == old))} for k, m in table.items()
    }
    score = only(table)
    assert old not in score.values and len(score.values) == 31
    assert score.reasons == {"measured by another version of the probe": 1}


def test_named_values_and_unknown_ones():
    about = {"unit": "px", "better": "higher", "units": {"count": ""}}
    one = Measurement(
        probe="erf", version=1, value=1.0, values={"stage1": 3.0, "count": 7}, **about
    )
    table = {"a": {"erf": one}}
    assert list(named_scores(table)) == ["erf", "erf.stage1", "erf.count"]
    assert list(probe_scores(table)) == ["erf"]
    stage, count = score_named("erf.stage1", table), score_named("erf.count", table)
    assert (stage.values, stage.unit, stage.better) == ({"a": 3.0}, "px", 1)
    assert (count.values, count.unit, count.better) == ({"a": 7}, "", 0)
    with pytest.raises(
        InputError, match=r"unknown score 'erf\.stage2'; did you mean 'erf\.stage1'"
    ):
        score_named("erf.stage2", table)
    with pytest.raises(InputError, match="no values of probes; give one of accuracy, nll"):
        score_named("erf", {})


def test_a_value_that_follows_from_the_design_is_exact():
    """Runs that repeat a cell are equal to the last bit: there is no noise to judge by, nor one to
    judge; what differs from zero by rounding is zero."""
    table = probed(lambda x: 0.1 + 0.7 * x[0] + 0.1 * x[0] * x[1])
    found = attribute(PLAN, RECORDS, only(table))
    assert found.noise.source == "exact" and found.noise.sd is None
    first, second, third = found.contributions
    assert (first.answer, second.answer, third.answer) == ("raises", "no effect", "no effect")
    assert first.simultaneous.low == first.simultaneous.high == first.estimate.value
    assert first.estimate.value == pytest.approx(1.4) and second.estimate.value == 0.0
    pair = found.interactions[0]
    assert pair.found and pair.estimate.value == pytest.approx(0.4)
    assert not any(each.found for each in found.interactions[1:])
    assert attribute(PLAN, RECORDS, "accuracy").noise.source == "pure error"


def test_the_matrix_is_every_estimate_with_sidaks_reach():
    """Against the formula, from the estimates that `attribute` gives one by one."""
    tables = [probed(lambda x: x[0], sd, name=n, seed=at)
              for at, (n, sd) in enumerate((("a", 0.5), ("b", 2.0)))]  # fmt: skip
    found = meaning(PLAN, RECORDS, together(*tables))
    assert (found.judged, found.control, found.each) == (6, "simultaneous", 0.95 ** (1 / 6))
    for column, table in zip(found.columns, tables, strict=True):
        alone = attribute(PLAN, RECORDS, only(table))
        assert column.sd == alone.noise.sd
        for mine, other in zip(column.found.contributions, alone.contributions, strict=True):
            assert mine.estimate == other.estimate
            reach = stats.t.ppf((1 + 0.95 ** (1 / 6)) / 2, other.estimate.df)
            half = reach * other.estimate.error
            assert mine.simultaneous.half == pytest.approx(half)
            assert mine.simultaneous.half > other.simultaneous.half  # of three alone
            assert column.in_spreads(mine) == other.estimate.value / alone.noise.sd
    assert found.columns[0].found.contributions[0].answer == "raises"


def test_exact_columns_are_not_judged_with_the_others():
    noisy, exact = probed(lambda x: x[0], 0.5, name="a"), probed(lambda x: x[1], name="b")
    found = meaning(PLAN, RECORDS, together(noisy, exact))
    assert found.judged == 3 and found.columns[1].is_exact
    answers = [each.answer for each in found.columns[1].found.contributions]
    assert answers == ["no effect", "raises", "no effect"]
    assert found.columns[1].in_spreads(found.columns[1].found.contributions[1]) is None
    alone = meaning(PLAN, RECORDS, noisy)
    assert alone.columns[0].found.contributions == found.columns[0].found.contributions


def test_false_discoveries_are_benjamini_and_hochbergs():
    tables = [probed(lambda x, at=at: 0.12 * at * x[at % 3], 0.5, name=str(at), seed=at)
              for at in range(6)]  # fmt: skip
    control = CONTROLS["false-discoveries"]
    found = meaning(PLAN, RECORDS, together(*tables), control=control)
    cells = [each for column in found.columns for each in column.found.contributions]
    q = scipy.stats.false_discovery_control([each.estimate.p for each in cells])
    assert [each.answer in ("raises", "lowers") for each in cells] == (q <= 0.05).tolist()
    assert 1 < found.told == (q <= 0.05).sum() < 18
    assert found.each == pytest.approx(1 - 0.05 * found.told / 18)
    both = meaning(PLAN, RECORDS, together(*tables))
    assert both.told <= found.told and both.each > found.each


def test_nothing_is_said_between_looks_and_without_probes():
    found = meaning(PLAN, RECORDS, probed(lambda x: x[0], 0.5), level=1.0)
    assert {e.answer for e in found.columns[0].found.contributions} == {"no verdict"}
    assert meaning(PLAN, RECORDS, {}) is None
    assert meaning(PLAN, RECORDS, probed(lambda x: None)) is None


def test_what_stands_out_in_a_cell_of_one_run_is_seen():
    """One run of such a cell is far off: no repeated run shows it, the fit does."""
    plan = factorial.plan(factorial.default_levels(6), seeds=2)
    records = factorial.records(plan, factorial.linear())
    table = probed(lambda x: 0.0, 0.1, plan, records)
    keys = [plan.run(plan.cells[3], seed).key for seed in (0, 1)]
    table[keys[0]]["made-up"] = replace(table[keys[0]]["made-up"], value=20.0)
    del table[keys[1]]
    (column,) = meaning(plan, records, table).columns
    plain = attribute(plan, records, only(table)).contributions
    for mine, other in zip(column.found.contributions, plain, strict=True):
        assert mine.estimate.error == max(other.estimate.error, other.classical)
        assert mine.estimate.error > 3 * other.estimate.error
        assert mine.estimate.interval.half > 3 * other.estimate.interval.half


def test_association_against_scipy_and_its_limits():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 40))
    y = y + x
    found = association(dict(enumerate(x)), {**dict(enumerate(y)), 99: 5.0})
    assert found.cells == 40
    assert found.spearman == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found.kendall == pytest.approx(stats.kendalltau(x, y).statistic)
    z, half = np.arctanh(found.spearman), 1.959964 * np.sqrt((1 + found.spearman**2 / 2) / 37)
    assert found.interval.low == pytest.approx(np.tanh(z - half), abs=1e-6)
    assert found.interval.high == pytest.approx(np.tanh(z + half), abs=1e-6)
    ones = dict.fromkeys(range(40), 1.0)
    assert association(ones, dict(enumerate(y))) is None


def test_association_is_with_accuracy_over_cells():
    """A probe that is the square of accuracy has its order."""
    values = {each.key: each.result.accuracy**2 for each in RECORDS}
    table = {k: {"p": Measurement(probe="p", version=1, value=v)} for k, v in values.items()}
    (column,) = meaning(PLAN, RECORDS, table).columns
    assert column.association.cells == 8 and column.association.spearman > 0.95
    assert column.association.interval is None  # too few cells


def test_steps_of_a_path_have_the_same_numbers():
    plan = replace(PLAN, experiment="path", factors=())
    values = {each.key: 3 * each.result.accuracy + 1 for each in RECORDS}
    table = {k: {"p": Measurement(probe="p", version=1, value=v)} for k, v in values.items()}
    found, accuracy = measure_steps(plan, RECORDS, only(table)), measure_steps(plan, RECORDS)
    for mine, other in zip(found.differences[1:], accuracy.differences[1:], strict=True):
        assert mine.value == pytest.approx(3 * other.value)
        assert mine.interval.half == pytest.approx(3 * other.interval.half)
        assert mine.verdict == other.verdict and mine.wide is None
